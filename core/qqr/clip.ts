/**
 * How much one board may move the mean, and how far: lengths of updates and shares of weight are bounded before anything is added up
 * (norm clipping: Sun et al., "Can you really backdoor federated learning?", 2019; adaptive to the round's median as in
 * Andrew et al., NeurIPS 2021, with the median itself in place of their running quantile).
 *   δ ← δ · min(1, bound / ‖δ‖) ,   w_k ← min(w_k, c) with the largest c for which no w_k is above share · Σ w.
 * Invariant: pure, and independent of the order of the boards. Values are scaled before they become fixed-point integers and weights
 * stay integers, so the sums of `aggregate.ts` stay exact.
 */
import { median } from '../math/stats.ts';

/** Euclidean length of some vectors laid end to end. */
export function normOf(parts: readonly { readonly values: Float32Array }[]): number {
  let sum = 0;
  for (const { values } of parts) for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

/**
 * The longest that an update of this round may be: the absolute bound or `factor` times the median length, the smaller; 0 switches one off.
 * @param norms of all updates that carry a model change; of none, or all of length 0, only the absolute bound is left
 * @returns Infinity when nothing is bounded
 */
export function clipBound(norms: readonly number[], absolute: number, factor: number): number {
  const usual = factor > 0 && norms.length > 0 ? median(norms) : 0;
  return Math.min(
    absolute > 0 ? absolute : Number.POSITIVE_INFINITY,
    usual > 0 ? factor * usual : Number.POSITIVE_INFINITY,
  );
}

/** `values` scaled down so that a whole of length `norm` comes to at most `bound`; the same array when it is within. */
export function clipped(values: Float32Array, norm: number, bound: number): Float32Array {
  if (norm <= bound) return values;
  const scale = bound / norm;
  return values.map((value) => value * scale);
}

/** Each row of `[k, dim]` on its own. Not mutated. */
export function clippedRows(values: Float32Array, dim: number, bound: number): Float32Array {
  const out = values.slice();
  for (let at = 0; at < out.length; at += dim) {
    const row = out.subarray(at, at + dim);
    const norm = normOf([{ values: row }]);
    if (norm > bound) row.set(clipped(row, norm, bound));
  }
  return out;
}

/**
 * The largest whole weight, at least 1, with which nobody has more than `share` of the sum of what is left after all are cut to it.
 * Where there are too few for that (fewer than 1 / share), everybody gets the least weight: all count alike.
 * @param weights integers ≥ 0; those of 0 have no say and do not count
 */
export function weightCap(weights: readonly number[], share: number): number {
  const sorted = weights.filter((weight) => weight > 0).sort((a, b) => b - a);
  const [most = 1, least = 1] = [sorted[0], sorted.at(-1)];
  if (sorted.length * share <= 1) return least;
  let rest = sorted.reduce((sum, weight) => sum + weight, 0);
  if (most <= share * rest) return most;
  for (const [i, weight] of sorted.entries()) {
    rest -= weight;
    const left = 1 - share * (i + 1);
    if (left <= 0) break;
    // With the i + 1 heaviest cut to c: c = share · (rest + (i + 1) c).
    const cap = (share * rest) / left;
    if (cap >= (sorted[i + 1] ?? 0)) return Math.max(1, Math.floor(cap));
  }
  return least;
}
