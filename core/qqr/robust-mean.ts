/**
 * Averages that a minority cannot drag away: per coordinate the boards' values are sorted, as many are cut off at both ends, and the
 * mean of the others is taken (Yin et al., ICML 2018: trimmed mean; the median is what is left when all but one or two are cut).
 * As there, every board that had the group counts alike: weights are what boards say of themselves, and a vote weighed by what
 * the voter claims is no protection. A weight of 0 still means that the board had nothing to say.
 * Invariant: the values are the fixed-point integers of `aggregate.ts`, sorted and added exactly, so the order of the boards changes
 * no bit, and with nothing cut the result is that of the plain mean of equal weights, to the bit.
 * Sorted values of two aggregators are not in two sums: unlike the mean, this needs all updates in one place.
 */
import { type Contribution, FIXED, type MeanDelta, type SumsShape } from './aggregate.ts';
import { emptyPrototypes, type PrototypeSet } from './prototype.ts';

/** How many values of n are cut off at each end, fewer than n / 2. */
export type Cut = (n: number) => number;

/** ⌊share · n⌋; the epsilon keeps 0.29 · 100 from becoming 28. */
export const trimmed =
  (share: number): Cut =>
  (n) =>
    Math.floor(share * n + 1e-9);

export const middle: Cut = (n) => Math.floor((n - 1) / 2);

/** Bytes that sorting may take at a time: a thousand boards with 60,000 parameters in one go, more in several. */
const BLOCK_BYTES = 2 ** 28;

/** What one board sent of the model: as `Contribution.deltas`. */
export type BoardDeltas = Contribution['deltas'];

/**
 * The robust mean of what boards changed.
 * @param boards reads a board's groups; called once per block of coordinates, so that no more than a block is held at a time
 * @param blockBytes of a block, whatever the number of boards
 */
export function robustDelta(
  shape: SumsShape,
  boards: readonly (() => BoardDeltas)[],
  cut: Cut,
  blockBytes: number = BLOCK_BYTES,
): MeanDelta {
  const values = new Float64Array(shape.total);
  const voters = new Int32Array(shape.groups.length);
  const width = Math.max(1, Math.floor(blockBytes / 4 / Math.max(1, boards.length)));
  for (let from = 0; from < shape.total; from += width) {
    const to = Math.min(shape.total, from + width);
    const columns = new Int32Array((to - from) * boards.length); // [coordinate, voter]
    voters.fill(0);
    for (const deltasOf of boards) addColumns(columns, voters, shape, deltasOf(), boards.length, from, to);
    shape.groups.forEach(({ offset, size }, index) => {
      const n = voters[index] as number;
      if (n === 0) return;
      for (let i = Math.max(from, offset); i < Math.min(to, offset + size); i++) {
        const at = (i - from) * boards.length;
        values[i] = centre(columns.subarray(at, at + n), cut);
      }
    });
  }
  const moved = shape.groups.flatMap(({ offset, size }, index) =>
    (voters[index] as number) === 0 ? [] : [{ index, offset, size }],
  );
  return { values, moved };
}

/** The robust P_t, per modality and class over the boards that saw it; weight Σ n, as in the plain one. */
export function robustPrototypes(
  { modalities, classes, dim }: SumsShape,
  boards: readonly Contribution['prototypes'][],
  cut: Cut,
): PrototypeSet {
  const set = emptyPrototypes(modalities, classes, dim);
  const rows: Float32Array[][] = Array.from(set.weight, () => []);
  for (const { modality, classes: seen, weights, values } of boards.flat()) {
    seen.forEach((c, row) => {
      const cell = modality * classes + c;
      set.weight[cell] = (set.weight[cell] as number) + (weights[row] as number);
      rows[cell]?.push(values.subarray(row * dim, (row + 1) * dim));
    });
  }
  rows.forEach((voters, cell) => {
    const column = new Int32Array(voters.length);
    for (let k = 0; k < dim && voters.length > 0; k++) {
      voters.forEach((row, i) => {
        column[i] = Math.round((row[k] as number) * FIXED);
      });
      set.values[cell * dim + k] = centre(column, cut);
    }
  });
  return set;
}

/** Writes one board's values behind those of the boards before it. |v| ≤ 16 is at most 2²⁶ in fixed point. */
function addColumns(
  columns: Int32Array,
  voters: Int32Array,
  { groups }: SumsShape,
  deltas: BoardDeltas,
  stride: number,
  from: number,
  to: number,
): void {
  for (const { group, weight, values } of deltas) {
    if (weight === 0) continue;
    const index = groups.findIndex((range) => range.group === group);
    const range = groups[index];
    if (range === undefined) throw new RangeError(`group ${group} is not in the shape`);
    const place = voters[index] as number;
    voters[index] = place + 1;
    const end = Math.min(to, range.offset + range.size);
    for (let i = Math.max(from, range.offset); i < end; i++) {
      columns[(i - from) * stride + place] = Math.round((values[i - range.offset] as number) * FIXED);
    }
  }
}

/** Sorts `column`, at least one value, in place. */
function centre(column: Int32Array, cut: Cut): number {
  const n = column.length;
  const out = cut(n);
  column.sort();
  let sum = 0;
  for (let i = out; i < n - out; i++) sum += column[i] as number;
  return sum / (n - 2 * out) / FIXED;
}
