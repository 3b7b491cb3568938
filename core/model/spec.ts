/**
 * What board and aggregator must agree on before a number may travel: modalities, window, classes, network size.
 * Two sides agree exactly when their shape hashes are equal; every update and every global model carries it.
 * Network: docs/algorithm.md §2 (ours). No TensorFlow here.
 */
import { hash32 } from '../math/rng.ts';

/** One kind of sensor as the model sees it. */
export interface ModalitySpec {
  /** `acc`, `gyr`, `mag`, …; unique in a spec. */
  readonly name: string;
  /** Physical unit of every channel: `mps2`, `radps`, `uT`, … */
  readonly unit: string;
  /** Channel names in order, e.g. `['x', 'y', 'z']`. */
  readonly channels: readonly string[];
  /** Nominal rate, samples per second. */
  readonly sampleRateHz: number;
  /** Samples in a window, T_m = round(window seconds × rate). */
  readonly samples: number;
}

/** A strided valid convolution over time, followed by ReLU. */
export interface ConvLayer {
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
}

export interface ModelSpec {
  readonly modalities: readonly ModalitySpec[];
  /** Class names; a label's index is its position. */
  readonly classes: readonly string[];
  readonly conv: readonly ConvLayer[];
  /** Embedding size d. */
  readonly embedding: number;
  /** Hidden units of the fusion head. */
  readonly hidden: number;
  /** Encoders also see mean and power of each channel (`window-statistics.ts`). */
  readonly windowStatistics: boolean;
}

/** The network of docs/algorithm.md §2: 21,382 parameters for two 128 × 3 modalities and six classes. */
export const REFERENCE_NETWORK: Pick<ModelSpec, 'conv' | 'embedding' | 'hidden' | 'windowStatistics'> = {
  conv: [
    { filters: 16, kernel: 9, stride: 4 },
    { filters: 32, kernel: 5, stride: 2 },
    { filters: 32, kernel: 3, stride: 2 },
  ],
  embedding: 32,
  hidden: 64,
  windowStatistics: true,
};

/** 32-bit hash of everything in the spec that fixes a tensor's shape or meaning. */
export function shapeHash(spec: ModelSpec): number {
  const modalities = spec.modalities.map((m) => [m.name, m.unit, m.channels, m.sampleRateHz, m.samples]);
  const conv = spec.conv.map((c) => [c.filters, c.kernel, c.stride]);
  const extras = spec.windowStatistics ? ['window statistics'] : [];
  return hash32(JSON.stringify([modalities, spec.classes, conv, spec.embedding, spec.hidden, ...extras]));
}
