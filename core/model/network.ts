/**
 * The network's public face: everything that needs TensorFlow is behind these two calls.
 * Both take and return plain typed arrays, own their tensors, and leave `tf.memory().numTensors` as it was.
 */
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Batch } from './batch.ts';
import type { Fill, TrainSettings } from './settings.ts';

export interface TrainInput {
  /** Broadcast parameters; not mutated. */
  readonly params: Float32Array;
  /** Global prototypes P, for PNR and PLR. */
  readonly prototypes: PrototypeSet;
  /** Labelled windows, every label ≥ 0. */
  readonly batch: Batch;
  readonly settings: TrainSettings;
}

export interface TrainOutput {
  /** Parameters after E steps. */
  readonly params: Float32Array;
  /** Per modality `[B, d]` embeddings under the *broadcast* parameters (also of absent windows: ignore by mask). */
  readonly embeddings: readonly Float32Array[];
  /** `[B, C]` class probabilities under the broadcast parameters: predict first, train after (prequential). */
  readonly probabilities: Float32Array;
  /** `[E]` total loss before each step. */
  readonly losses: Float32Array;
}

export interface InferInput {
  readonly params: Float32Array;
  readonly prototypes: PrototypeSet;
  /** Any size; processed in slices that bound memory. */
  readonly batch: Batch;
  readonly fill: Fill;
  readonly fillTemperature: number;
}

export interface Network {
  train(input: TrainInput): TrainOutput;
  /** `[N, C]` class probabilities. */
  infer(input: InferInput): Float32Array;
  /** Tensors alive in the backend: constant between calls. */
  tensorCount(): number;
}
