/**
 * The fleet's input scale: z-scores with mean and standard deviation per channel, agreed in round 0 from the boards' sums
 * and frozen with the model from then on (docs/algorithm.md §2: "input z-scored with statistics of the training stream").
 *   mean = Σx / n ,  std = max(√(Σx² / n − mean²), STD_FLOOR)
 * Invariant: a board's sums are multiples of 2⁻¹⁰ below 2³⁰, so 2¹³ boards add up exactly, in any order.
 */

/** Per modality: mean and standard deviation of each channel, physical units. */
export interface Normalization {
  readonly mean: readonly Float32Array[];
  /** > 0 */
  readonly std: readonly Float32Array[];
}

/** What round 0 asks of a board for one modality, instead of training. */
export interface ChannelSums {
  /** Samples summed. */
  readonly count: number;
  /** Per channel Σx and Σx², rounded to multiples of 2⁻¹⁰ so that their sums are exact in any order. */
  readonly sum: readonly number[];
  readonly sumSquares: readonly number[];
}

/** Sums travel in steps of 1/SUM_UNITS. */
const SUM_UNITS = 1024;
/** Smaller spreads (m/s², rad/s) are below any of the sensors' noise: a stuck channel must not be blown up to unit variance. */
export const STD_FLOOR = 1e-3;

/**
 * One modality's sums over a board's windows.
 * @param windows `[T, channels]` row-major in physical units; null where the window lacks the modality
 */
export function channelSums(windows: readonly (Float32Array | null)[], channels: number): ChannelSums {
  const sum = new Float64Array(channels);
  const sumSquares = new Float64Array(channels);
  let samples = 0;
  for (const values of windows) {
    if (values === null) continue;
    samples += values.length / channels;
    for (let i = 0; i < values.length; i++) {
      const x = values[i] as number;
      const c = i % channels;
      sum[c] = (sum[c] as number) + x;
      sumSquares[c] = (sumSquares[c] as number) + x * x;
    }
  }
  return { count: samples, sum: Array.from(sum, inSteps), sumSquares: Array.from(sumSquares, inSteps) };
}

/**
 * The fleet's normalization from all boards' sums; the order of the boards does not matter.
 * @param boards per board and modality; null where a board lacks the modality
 * @param channels channels of each modality; one that no board had gets mean 0 and std 1
 */
export function mergeNormalization(
  boards: readonly (readonly (ChannelSums | null)[])[],
  channels: readonly number[],
): Normalization {
  const scales = channels.map((size, m) => {
    const reports = boards.map((board) => board[m] ?? null).filter((sums) => sums !== null);
    const count = reports.reduce((n, sums) => n + sums.count, 0);
    const mean = new Float32Array(size);
    const std = new Float32Array(size).fill(1);
    for (let c = 0; c < size && count > 0; c++) {
      const first = reports.reduce((total, sums) => total + (sums.sum[c] as number), 0) / count;
      const second = reports.reduce((total, sums) => total + (sums.sumSquares[c] as number), 0) / count;
      mean[c] = first;
      std[c] = Math.max(Math.sqrt(Math.max(second - first * first, 0)), STD_FLOOR);
    }
    return { mean, std };
  });
  return { mean: scales.map((scale) => scale.mean), std: scales.map((scale) => scale.std) };
}

function inSteps(value: number): number {
  return Math.round(value * SUM_UNITS) / SUM_UNITS;
}
