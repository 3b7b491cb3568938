/**
 * The fleet's input scale when some boards may lie about theirs: medians over boards in the place of sums over all samples.
 *   mean = med_k mean_k ,  std² = med_k E_k[(x − mean)²]
 * The spread of each board is taken about the fleet's mean, so that what differs between boards (how they are worn) is in it, as in the
 * spread of all samples together. Every board with samples counts alike, however many it claims. The order does not matter.
 */
import { median } from '../math/stats.ts';
import { type ChannelSums, type Normalization, STD_FLOOR } from './normalization.ts';

/** As `mergeNormalization`, which it replaces. */
export function medianNormalization(
  boards: readonly (readonly (ChannelSums | null)[])[],
  channels: readonly number[],
): Normalization {
  const scales = channels.map((size, m) => {
    const reports = boards.flatMap((board) => board[m] ?? []).filter(({ count }) => count > 0);
    const mean = new Float32Array(size);
    const std = new Float32Array(size).fill(1);
    for (let c = 0; c < size && reports.length > 0; c++) {
      const moments = reports.map(({ count, sum, sumSquares }) => ({
        first: (sum[c] as number) / count,
        second: (sumSquares[c] as number) / count,
      }));
      const centre = median(moments.map(({ first }) => first));
      const spread = median(moments.map(({ first, second }) => second - 2 * centre * first + centre * centre));
      mean[c] = centre;
      std[c] = Math.max(Math.sqrt(Math.max(spread, 0)), STD_FLOOR);
    }
    return { mean, std };
  });
  return { mean: scales.map((scale) => scale.mean), std: scales.map((scale) => scale.std) };
}
