/**
 * Cuts a stream into windows: D seconds long, a new one every D·(1 − overlap).
 * Invariant: a window never spans a hole or a change of label. Nothing is interpolated over a hole, nothing is invented.
 */

/** One window of a board's stream. Immutable once cut. */
export interface Window {
  /** Running number in the board's stream, from 0. */
  readonly index: number;
  /** Time of the window's start on the board's monotonic clock, microseconds. */
  readonly tStartUs: number;
  /** The activity throughout the window; null when unknown. */
  readonly label: string | null;
  /** Per modality `[T_m, channels]` row-major in physical units; null when the modality is absent or has a hole in this window. */
  readonly values: readonly (Float32Array | null)[];
  /** Per modality: samples received over samples expected, in [0, 1]. 1 with `values` null cannot happen. */
  readonly completeness: readonly number[];
}
