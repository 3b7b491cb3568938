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
  /** Windows without a label (−1) teach nothing here. */
  readonly batch: Batch;
  readonly settings: TrainSettings;
  /** What steps 2 … E see instead of `batch`, E − 1 batches of its size; left out: `batch` again. */
  readonly rehearsals?: readonly Batch[];
}

export interface TrainOutput {
  /** Parameters after E steps. */
  readonly params: Float32Array;
  /** Per modality `[B, d]` embeddings under the *broadcast* parameters (also of absent windows: ignore by mask). */
  readonly embeddings: readonly Float32Array[];
  /** `[B, C]` class probabilities under the broadcast parameters: predict first, train after (prequential). */
  readonly probabilities: Float32Array;
  /** `[E]` total loss before each step, a mean over the labelled windows; 0 when there are none. */
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

export interface InferOutput {
  /** `[N, C]` class probabilities. */
  readonly probabilities: Float32Array;
  /** Per modality `[N, d]` (also of absent windows: ignore by mask). */
  readonly embeddings: readonly Float32Array[];
}

export interface Network {
  train(input: TrainInput): TrainOutput;
  /**
   * Many boards at once, one output each: what `train` gives board by board, up to rounding of float32 (ARCHITECTURE §9), in a
   * fraction of the time. @throws RangeError unless all have the same settings object and as many windows.
   */
  trainAll(boards: readonly TrainInput[]): TrainOutput[];
  infer(input: InferInput): InferOutput;
  /** Tensors alive in the backend: constant between calls. */
  tensorCount(): number;
}
