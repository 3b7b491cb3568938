/**
 * The whole network over one batch, forward and backward, in terms of its parts: encoders → layer norm → filling of what is
 * missing → head. Everything that no parameter changes (patches, masks, filling tables) is planned once and shared by E steps.
 * Shapes: B windows, M modalities, C classes, embeddings of size d. "Joined" means `[B, M·d]`, "rows" `[B·M, d]`: the same bytes.
 */
import { type CompensatePlan, compensate, planCompensate } from '../qqr/compensate.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import type { Kernels, Tensor } from './backend.ts';
import type { Batch } from './batch.ts';
import { type EncoderPlan, type EncoderTape, encode, encodeBackward, inputPatches, planEncoder } from './encoder.ts';
import {
  type HeadTape,
  headBackward,
  headForward,
  layerNorm,
  layerNormBackward,
  type NormPlan,
  type NormTape,
  planNorm,
} from './fusion.ts';
import type { Fill } from './settings.ts';
import type { ModelSpec } from './spec.ts';

/** Constants of one batch. */
export interface ForwardPlan {
  /** Per modality; null where no window has it and nothing reads its embedding. */
  readonly encoders: readonly ((EncoderPlan & { readonly patches: Tensor }) | null)[];
  /** `[B, d]` zeros, for modalities without an encoder here. */
  readonly nothing: Tensor;
  readonly norm: NormPlan;
  /** `[B, M·d]` 1 where the embedding itself goes to the head, 0 where its filling does; null when all do. */
  readonly kept: Tensor | null;
  readonly compensate: CompensatePlan | null;
  /** The shapes `[B·M, d]` and `[B, M·d]`. */
  readonly rows: Tensor;
  readonly joined: Tensor;
  readonly axis1: Tensor;
}

/** What the backward pass needs of a forward pass. */
export interface ForwardTape {
  readonly encoders: readonly (EncoderTape | null)[];
  readonly norm: NormTape;
  readonly head: HeadTape;
}

export interface ForwardOutput {
  /** `[B, M·d]` embeddings before filling. */
  readonly embeddings: Tensor;
  /** `[B, C]` */
  readonly logits: Tensor;
  readonly tape: ForwardTape;
}

/** Parameters as tensors: per group of the layout (encoders, then the head) its tensors in order. */
export type ParamTensors = readonly (readonly Tensor[])[];

export interface FillRule {
  readonly fill: Fill;
  readonly fillTemperature: number;
}

export function planForward(
  k: Kernels,
  spec: ModelSpec,
  batch: Batch,
  prototypes: PrototypeSet,
  { fill, fillTemperature }: FillRule,
): ForwardPlan {
  const { size, present } = batch;
  const count = spec.modalities.length;
  const width = spec.embedding;
  const isComplete = fill === 'zero-input' || !present.includes(0);
  const encoders = spec.modalities.map((modality, m) => {
    if (!isComplete && !hasModality(present, m, count)) return null;
    const plan = planEncoder(k, modality, spec, size);
    const input = k.constant(batch.inputs[m] as Float32Array, [size * modality.samples, modality.channels.length]);
    return { ...plan, patches: inputPatches(k, plan, input) };
  });
  return {
    encoders,
    nothing: k.constant(new Float32Array(size * width), [size, width]),
    norm: planNorm(k),
    kept: isComplete ? null : k.constant(repeatEach(present, width), [size, count * width]),
    compensate: isComplete || fill !== 'pnr' ? null : planCompensate(k, prototypes, batch, fillTemperature),
    rows: k.integers([size * count, width], [2]),
    joined: k.integers([size, count * width], [2]),
    axis1: k.integers([1], []),
  };
}

export function forward(k: Kernels, plan: ForwardPlan, params: ParamTensors): ForwardOutput {
  const tapes: (EncoderTape | null)[] = [];
  const raw = plan.encoders.map((encoder, m) => {
    if (encoder === null) {
      tapes.push(null);
      return plan.nothing;
    }
    const { embedding, tape } = encode(k, encoder, params[m] as readonly Tensor[], encoder.patches);
    tapes.push(tape);
    return embedding; // [B, d]
  });
  const norm = layerNorm(k, plan.norm, k.reshape(k.concat(raw, plan.axis1), plan.rows)); // [B·M, d]
  const embeddings = k.reshape(norm.normed, plan.joined); // [B, M·d]
  const { logits, tape } = headForward(k, params.at(-1) as readonly Tensor[], fillMissing(k, plan, embeddings));
  return { embeddings, logits, tape: { encoders: tapes, norm, head: tape } };
}

/**
 * Gradients of all parameters, null for encoders that did not run, given the gradient `[B, C]` of the logits and, from
 * a loss on the embeddings themselves, one `[B, M·d]` or null. Fillings are constants: no gradient flows through them.
 */
export function backward(
  k: Kernels,
  plan: ForwardPlan,
  params: ParamTensors,
  tape: ForwardTape,
  ofLogits: Tensor,
  ofEmbeddings: Tensor | null,
): (Tensor[] | null)[] {
  const { gradients, ofJoined } = headBackward(k, params.at(-1) as readonly Tensor[], tape.head, ofLogits);
  let gradient = plan.kept === null ? ofJoined : k.mul(ofJoined, plan.kept);
  if (ofEmbeddings !== null) gradient = k.add(gradient, ofEmbeddings);
  const ofRaw = layerNormBackward(k, plan.norm, tape.norm, k.reshape(gradient, plan.rows)); // [B·M, d]
  const parts = k.split(k.reshape(ofRaw, plan.joined), plan.encoders.length, plan.axis1); // M × [B, d]
  const ofEncoders = plan.encoders.map((encoder, m) => {
    const encoderTape = tape.encoders[m] ?? null;
    if (encoder === null || encoderTape === null) return null;
    return encodeBackward(k, encoder, params[m] as readonly Tensor[], encoderTape, parts[m] as Tensor);
  });
  return [...ofEncoders, gradients];
}

/** z̃ = a · z + (1 − a) · ẑ */
function fillMissing(k: Kernels, plan: ForwardPlan, embeddings: Tensor): Tensor {
  if (plan.kept === null) return embeddings;
  const kept = k.mul(embeddings, plan.kept);
  return plan.compensate === null ? kept : k.add(kept, compensate(k, plan.compensate, embeddings).filling);
}

function hasModality(present: Float32Array, modality: number, count: number): boolean {
  for (let i = modality; i < present.length; i += count) if (present[i] === 1) return true;
  return false;
}

function repeatEach(values: Float32Array, times: number): Float32Array {
  const repeated = new Float32Array(values.length * times);
  for (const [i, value] of values.entries()) repeated.fill(value, i * times, (i + 1) * times);
  return repeated;
}
