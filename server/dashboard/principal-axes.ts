/** Principal component analysis of a few points: the two directions in which they differ most (power iteration with deflation). Pure. */

export interface Projection {
  /** Per point, its place along the first and second axis. */
  readonly places: readonly (readonly [number, number])[];
  /** Share of the whole variance along the two, in [0, 1]. */
  readonly explained: readonly [number, number];
}

const ITERATIONS = 200;

/** @param points `[N][D]`, not mutated; the same points give the same picture */
export function principalAxes(points: readonly (readonly number[])[]): Projection {
  const size = points[0]?.length ?? 0;
  const mean = Array.from(
    { length: size },
    (_, d) => points.reduce((sum, point) => sum + (point[d] ?? 0), 0) / points.length,
  );
  const centred = points.map((point) => point.map((value, d) => value - (mean[d] ?? 0)));
  const whole = centred.reduce((sum, point) => sum + dot(point, point), 0);
  const first = mainAxis(centred, size);
  const along = centred.map((point) => dot(point, first));
  const rest = centred.map((point, i) => point.map((value, d) => value - (along[i] ?? 0) * (first[d] ?? 0)));
  const second = mainAxis(rest, size);
  const across = rest.map((point) => dot(point, second));
  const share = (values: readonly number[]) => (whole === 0 ? 0 : dot(values, values) / whole);
  return { places: along.map((x, i) => [x, across[i] ?? 0] as const), explained: [share(along), share(across)] };
}

/** Euclidean distance. */
export function distance(a: readonly number[], b: readonly number[]): number {
  return Math.sqrt(a.reduce((sum, value, d) => sum + (value - (b[d] ?? 0)) ** 2, 0));
}

/** A unit vector, or zeros where nothing differs. Its largest part is positive, so the picture does not flip. */
function mainAxis(points: readonly (readonly number[])[], size: number): number[] {
  let axis = [...points].sort((a, b) => dot(b, b) - dot(a, a))[0]?.slice() ?? Array(size).fill(0);
  for (let i = 0; i < ITERATIONS; i++) {
    const next = Array<number>(size).fill(0);
    for (const point of points) {
      const weight = dot(point, axis);
      for (let d = 0; d < size; d++) next[d] = (next[d] ?? 0) + weight * (point[d] ?? 0);
    }
    const length = Math.sqrt(dot(next, next));
    if (length < 1e-12) return Array(size).fill(0);
    axis = next.map((value) => value / length);
  }
  const largest = axis.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0);
  return largest < 0 ? axis.map((value) => -value) : axis;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, d) => sum + value * (b[d] ?? 0), 0);
}
