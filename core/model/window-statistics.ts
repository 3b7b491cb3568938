/**
 * What strided filters with a maximum at their end do not keep: the level and the power of every channel over the window. An encoder
 * gets them beside its pooled features, so that posture (where gravity lies) and vigour survive whatever the filters look for.
 */

/** Of the power, so that a flat channel has a finite logarithm; in variances of the z-scored stream. */
const FLOOR = 1e-3;
/** Levels beyond are a fault's, not a posture's. */
const MOST = 4;

/**
 * `[N, 2·channels]`: per channel the mean over the window, limited to ±4, then per channel 0.4 · ln(variance + 1e-3) + 0.5, which for
 * z-scored windows is of about unit size.
 * @param values `[N, samples, channels]` z-scored
 */
export function windowStatistics(values: Float32Array, samples: number, channels: number): Float32Array {
  const each = samples * channels;
  const windows = values.length / each;
  const statistics = new Float32Array(windows * 2 * channels);
  for (let n = 0; n < windows; n++) {
    for (let c = 0; c < channels; c++) {
      let sum = 0;
      for (let i = n * each + c; i < (n + 1) * each; i += channels) sum += values[i] as number;
      const mean = sum / samples;
      let squares = 0;
      for (let i = n * each + c; i < (n + 1) * each; i += channels) squares += ((values[i] as number) - mean) ** 2;
      statistics[n * 2 * channels + c] = Math.min(MOST, Math.max(-MOST, mean));
      statistics[(n * 2 + 1) * channels + c] = 0.4 * Math.log(squares / samples + FLOOR) + 0.5;
    }
  }
  return statistics;
}
