/** Small systems of linear equations: Gaussian elimination with partial pivoting (Golub, Van Loan, Matrix Computations, §3.4). */

/** x with matrix · x = right; not finite when the matrix is singular. `matrix` is `[n, n]`, `right` `[n]`; neither is changed. */
export function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const n = right.length;
  const rows = matrix.map((row, i) => [...row, right[i] as number]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let i = column + 1; i < n; i++)
      if (Math.abs(at(rows, i, column)) > Math.abs(at(rows, pivot, column))) pivot = i;
    [rows[column], rows[pivot]] = [rows[pivot] as number[], rows[column] as number[]];
    for (let i = column + 1; i < n; i++) {
      const factor = at(rows, i, column) / at(rows, column, column);
      for (let j = column; j <= n; j++) (rows[i] as number[])[j] = at(rows, i, j) - factor * at(rows, column, j);
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let rest = at(rows, i, n);
    for (let j = i + 1; j < n; j++) rest -= at(rows, i, j) * (x[j] as number);
    x[i] = rest / at(rows, i, i);
  }
  return x;
}

function at(rows: readonly (readonly number[])[], i: number, j: number): number {
  return (rows[i] as readonly number[])[j] as number;
}
