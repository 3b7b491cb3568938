/**
 * What flows from a sensor (or a recording of one) to the windower: events in order of their first instant.
 * Blocks, not single samples: an IMU's FIFO is read in bursts, a file in runs, and the hot path must not allocate per sample.
 */

/** Samples of one modality in order of time, from one read. Owned by the receiver. */
export interface SampleBlock {
  readonly kind: 'samples';
  /** Index of the modality in the stream's header. */
  readonly modality: number;
  /** `[n]` monotonic time in microseconds, strictly increasing within a modality over the whole stream. */
  readonly tUs: Float64Array;
  /** `[n, channels]` row-major, physical units, finite. */
  readonly values: Float32Array;
}

/** From `tUs` on the activity is `label` (null: unknown), for all modalities, until the next change. */
export interface LabelChange {
  readonly kind: 'label';
  readonly tUs: number;
  readonly label: string | null;
}

export type StreamEvent = SampleBlock | LabelChange;

/** What a stream carries, known before its first event. */
export interface StreamHeader {
  readonly modalities: readonly StreamModality[];
}

export interface StreamModality {
  /** `acc`, `gyr`, `mag`, … */
  readonly name: string;
  /** `mps2`, `radps`, … */
  readonly unit: string;
  readonly channels: readonly string[];
  /** Nominal rate, samples per second. */
  readonly sampleRateHz: number;
}
