/**
 * A board's own input scale: the fleet's (`normalization.ts`), drawn to what its sensors read on this person. Sensors are worn a little
 * tilted and people move more or less; what is left after this is the motion. No labels are needed.
 *   mean' = (1 − s) mean + s m ,  ln std' = (1 − s) ln std + s ln d ,  s = n / (n + n₀)
 * with m and d the channel's mean and standard deviation over the n windows so far.
 */
import { type Normalization, STD_FLOOR } from './normalization.ts';

/** A window of which the sensor looks worse says more about the fault than about the person. */
const LEAST_QUALITY = 0.5;

/** What the scale is made of. */
export interface ScaledWindow {
  /** Per modality `[T, channels]` row-major in physical units; null when absent. */
  readonly values: readonly (Float32Array | null)[];
  readonly quality: readonly number[];
}

/**
 * A board's channel history after some more windows. Per modality: n, then per channel the mean, then per channel the mean square.
 * @param history before; undefined or of another shape: nothing yet
 * @param channels of each modality
 */
export function addToHistory(
  history: Float32Array | undefined,
  windows: readonly ScaledWindow[],
  channels: readonly number[],
): Float32Array {
  const size = channels.reduce((sum, count) => sum + 1 + 2 * count, 0);
  const after = history?.length === size ? history.slice() : new Float32Array(size);
  let at = 0;
  for (const [m, count] of channels.entries()) {
    for (const { values, quality } of windows) {
      const own = values[m] ?? null;
      if (own !== null && (quality[m] ?? 0) >= LEAST_QUALITY) addWindow(after.subarray(at, at + 1 + 2 * count), own);
    }
    at += 1 + 2 * count;
  }
  return after;
}

/** Moves one modality's running means, in place, by one window. */
function addWindow(history: Float32Array, values: Float32Array): void {
  const channels = (history.length - 1) / 2;
  const samples = values.length / channels;
  const n = (history[0] as number) + 1;
  history[0] = n;
  for (let c = 0; c < channels; c++) {
    let sum = 0;
    let squares = 0;
    for (let i = c; i < values.length; i += channels) {
      sum += values[i] as number;
      squares += (values[i] as number) ** 2;
    }
    const [mean, square] = [history[1 + c] as number, history[1 + channels + c] as number];
    history[1 + c] = mean + (sum / samples - mean) / n;
    history[1 + channels + c] = square + (squares / samples - square) / n;
  }
}

/** @param history as `addToHistory` gives it @param prior n₀ > 0: what the fleet's scale counts, in windows */
export function boardNormalization(fleet: Normalization, history: Float32Array, prior: number): Normalization {
  let at = 0;
  const scales = fleet.mean.map((fleetMean, m) => {
    const fleetStd = fleet.std[m] as Float32Array;
    const channels = fleetMean.length;
    const own = history.subarray(at, at + 1 + 2 * channels);
    at += own.length;
    const share = (own[0] as number) / ((own[0] as number) + prior);
    const mean = fleetMean.map((value, c) => (1 - share) * value + share * (own[1 + c] as number));
    const std = fleetStd.map((value, c) => {
      const variance = (own[1 + channels + c] as number) - (own[1 + c] as number) ** 2;
      const spread = Math.max(Math.sqrt(Math.max(variance, 0)), STD_FLOOR);
      return value ** (1 - share) * spread ** share;
    });
    return { mean, std };
  });
  return { mean: scales.map(({ mean }) => mean), std: scales.map(({ std }) => std) };
}
