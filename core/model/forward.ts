/**
 * The whole network over one batch, forward and backward, in terms of its parts: encoders → layer norm → filling of what is
 * missing → head. Everything that no parameter changes (patches, masks, filling tables) is planned once and shared by E steps.
 * Shapes: G boards with B windows each, M modalities, C classes, embeddings of size d. "Joined" means `[G, B, M·d]`, "rows"
 * `[G·B·M, d]`: the same bytes. Boards share nothing but the call: each has its own parameters, prototypes and windows.
 */
import { planCompensate } from '../qqr/compensate.ts';
import { labelFilling } from '../qqr/label-filling.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';
import { joined } from '../qqr/stack.ts';
import type { Kernels, Tensor } from './backend.ts';
import type { Batch } from './batch.ts';
import {
  type EncoderInput,
  type EncoderPlan,
  type EncoderTape,
  encode,
  encodeBackward,
  encoderInput,
  planEncoder,
} from './encoder.ts';
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

/** One board's share of a batch. All boards of one batch have as many windows. */
export interface ForwardInput {
  readonly batch: Batch;
  readonly prototypes: PrototypeSet;
}

/** Constants of one batch of all boards. */
export interface ForwardPlan {
  /** Per modality; null where no window has it and nothing reads its embedding. */
  readonly encoders: readonly ((EncoderPlan & { readonly input: EncoderInput }) | null)[];
  /** `[G, B, d]` zeros, for modalities without an encoder here. */
  readonly nothing: Tensor;
  readonly norm: NormPlan;
  /** `[G, B, M·d]` 1 where the embedding itself goes to the head, 0 where its filling does; null when all do. */
  readonly kept: Tensor | null;
  /** From embeddings `[G, B, M·d]` to what is added to them, zero where nothing is missing; null for nothing to add. */
  readonly filling: ((embeddings: Tensor) => Tensor) | null;
  /** The shapes `[G·B·M, d]` and `[G, B, M·d]`. */
  readonly rows: Tensor;
  readonly joined: Tensor;
  readonly axis1: Tensor;
  readonly axis2: Tensor;
}

/** What the backward pass needs of a forward pass. */
export interface ForwardTape {
  readonly encoders: readonly (EncoderTape | null)[];
  readonly norm: NormTape;
  readonly head: HeadTape;
}

export interface ForwardOutput {
  /** `[G, B, M·d]` embeddings before filling. */
  readonly embeddings: Tensor;
  /** `[G, B, C]` */
  readonly logits: Tensor;
  readonly tape: ForwardTape;
}

/** Parameters as tensors: per group of the layout (encoders, then the head) its tensors in order, `[G, …]` each; a bias is `[G, 1, n]`. */
export type ParamTensors = readonly (readonly Tensor[])[];

export interface FillRule {
  readonly fill: Fill;
  readonly fillTemperature: number;
}

export function planForward(k: Kernels, spec: ModelSpec, boards: readonly ForwardInput[], rule: FillRule): ForwardPlan {
  const groups = boards.length;
  const { size } = (boards[0] as ForwardInput).batch;
  const present = joined(boards.map(({ batch }) => batch.present));
  const sensed = joined(boards.map(({ batch }) => batch.sensed ?? batch.present));
  const count = spec.modalities.length;
  const width = spec.embedding;
  const isComplete = rule.fill === 'zero-input' || !present.includes(0);
  const encoders = spec.modalities.map((modality, m) => {
    if (!isComplete && !hasModality(sensed, m, count)) return null;
    const plan = planEncoder(k, modality, spec, groups, size);
    const values = joined(boards.map(({ batch }) => batch.inputs[m] as Float32Array));
    return { ...plan, input: encoderInput(k, plan, modality, spec, groups, values) };
  });
  return {
    encoders,
    nothing: k.constant(new Float32Array(groups * size * width), [groups, size, width]),
    norm: planNorm(k),
    kept: isComplete ? null : k.constant(repeatEach(present, width), [groups, size, count * width]),
    filling: isComplete ? null : planFilling(k, boards, rule),
    rows: k.integers([groups * size * count, width], [2]),
    joined: k.integers([groups, size, count * width], [3]),
    axis1: k.integers([1], []),
    axis2: k.integers([2], []),
  };
}

function planFilling(
  k: Kernels,
  boards: readonly ForwardInput[],
  { fill, fillTemperature }: FillRule,
): ForwardPlan['filling'] {
  const inputs = boards.map(({ batch, prototypes }) => ({ ...batch, prototypes }));
  if (fill === 'label') {
    const { prototypes, size } = inputs[0] as (typeof inputs)[number];
    const width = prototypes.modalities * prototypes.dim;
    const filling = k.constant(joined(inputs.map(labelFilling)), [inputs.length, size, width]);
    return () => filling;
  }
  const plan = fill === 'pnr' ? planCompensate(k, inputs, fillTemperature) : null;
  return plan === null ? null : (embeddings) => plan.apply(embeddings).filling;
}

export function forward(k: Kernels, plan: ForwardPlan, params: ParamTensors): ForwardOutput {
  const tapes: (EncoderTape | null)[] = [];
  const raw = plan.encoders.map((encoder, m) => {
    if (encoder === null) {
      tapes.push(null);
      return plan.nothing;
    }
    const { embedding, tape } = encode(k, encoder, params[m] as readonly Tensor[], encoder.input);
    tapes.push(tape);
    return embedding; // [G, B, d]
  });
  const norm = layerNorm(k, plan.norm, k.reshape(k.concat(raw, plan.axis2), plan.rows)); // [G·B·M, d]
  const embeddings = k.reshape(norm.normed, plan.joined); // [G, B, M·d]
  const { logits, tape } = headForward(k, params.at(-1) as readonly Tensor[], fillMissing(k, plan, embeddings));
  return { embeddings, logits, tape: { encoders: tapes, norm, head: tape } };
}

/**
 * Gradients of all parameters, null for encoders that did not run, given the gradient `[G, B, C]` of the logits and, from
 * a loss on the embeddings themselves, one `[G, B, M·d]` or null. Fillings are constants: no gradient flows through them.
 */
export function backward(
  k: Kernels,
  plan: ForwardPlan,
  params: ParamTensors,
  tape: ForwardTape,
  ofLogits: Tensor,
  ofEmbeddings: Tensor | null,
): (Tensor[] | null)[] {
  const { gradients, ofJoined } = headBackward(k, plan.axis1, params.at(-1) as readonly Tensor[], tape.head, ofLogits);
  let gradient = plan.kept === null ? ofJoined : k.mul(ofJoined, plan.kept);
  if (ofEmbeddings !== null) gradient = k.add(gradient, ofEmbeddings);
  const ofRaw = layerNormBackward(k, plan.norm, tape.norm, k.reshape(gradient, plan.rows)); // [G·B·M, d]
  const parts = k.split(k.reshape(ofRaw, plan.joined), plan.encoders.length, plan.axis2); // M × [G, B, d]
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
  return plan.filling === null ? kept : k.add(kept, plan.filling(embeddings));
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
