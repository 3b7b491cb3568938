/**
 * One modality's encoder and its gradient: strided valid convolutions with ReLU, mean ⊕ max over time, linear to d
 * (docs/algorithm.md §2). The layer norm that follows is in `fusion.ts`, for all modalities at once.
 * A convolution is a matrix product over patches: rows of the input gathered tap by tap, `[G, B·L', k·C_in] · [G, k·C_in, C_out]`.
 * Shapes: G boards with B windows each, L steps, C channels, k taps; activations are `[G, B·L, C]`, window by window.
 */
import type { Kernels, Tensor } from './backend.ts';
import { convolvedLengths } from './params.ts';
import type { ModalitySpec, ModelSpec } from './spec.ts';
import { windowStatistics } from './window-statistics.ts';

/** Constants of one modality at one batch size. */
export interface EncoderPlan {
  readonly layers: readonly ConvPlan[];
  /** L after the last convolution. */
  readonly length: number;
  /** The shapes `[G·B, 1, L, C]` and `[G, B·L, C]`. */
  readonly pooling: Tensor;
  readonly rows: Tensor;
  /** The shapes `[G, B, 2C]` and `[G·B, 1, 1, 2C]`. */
  readonly features: Tensor;
  readonly pooled: Tensor;
  readonly axis0: Tensor;
  readonly axis1: Tensor;
  readonly axis3: Tensor;
}

interface ConvPlan {
  /** `[G·B·L', k]` input row under every tap. */
  readonly taps: Tensor;
  /** The shape `[G·B·L, C_in]` of the input's rows. */
  readonly flat: Tensor;
  /** The shape `[G, B·L', k·C_in]` */
  readonly patches: Tensor;
  /** The shape `[G·B·L', k, C_in]` */
  readonly slices: Tensor;
  /** G·B·L, rows of the input, and the shape `[G, B·L, C_in]`. */
  readonly inputRows: Tensor;
  readonly input: Tensor;
}

/** What the backward pass needs of a forward pass. */
export interface EncoderTape {
  readonly layers: readonly { readonly patches: Tensor; readonly output: Tensor }[];
  /** `[G·B, 1, L, C]` the last layer's output, and its maximum over time `[G·B, 1, 1, C]`. */
  readonly sequence: Tensor;
  readonly maximum: Tensor;
  /** `[G, B, 2C]` */
  readonly features: Tensor;
  readonly statistics: Tensor | null;
}

/** @param groups G @param size B */
export function planEncoder(
  k: Kernels,
  modality: ModalitySpec,
  spec: ModelSpec,
  groups: number,
  size: number,
): EncoderPlan {
  const windows = groups * size;
  const lengths = convolvedLengths(modality, spec.conv);
  let channels = modality.channels.length;
  const layers = spec.conv.map(({ filters, kernel, stride }, i): ConvPlan => {
    const [input, output] = [lengths[i] as number, lengths[i + 1] as number];
    const taps = tapRows(windows, input, output, kernel, stride);
    const plan = {
      taps: k.integers(taps, [windows * output, kernel]),
      flat: k.integers([windows * input, channels], [2]),
      patches: k.integers([groups, size * output, kernel * channels], [3]),
      slices: k.integers([windows * output, kernel, channels], [3]),
      inputRows: k.integers([windows * input], []),
      input: k.integers([groups, size * input, channels], [3]),
    };
    channels = filters;
    return plan;
  });
  const length = lengths.at(-1) as number;
  return {
    layers,
    length,
    pooling: k.integers([windows, 1, length, channels], [4]),
    rows: k.integers([groups, size * length, channels], [3]),
    features: k.integers([groups, size, 2 * channels], [3]),
    pooled: k.integers([windows, 1, 1, 2 * channels], [4]),
    axis0: k.integers([0], []),
    axis1: k.integers([1], []),
    axis3: k.integers([3], []),
  };
}

/** What an encoder sees of the windows: it depends on no parameter, so steps over the same windows share it. */
export interface EncoderInput {
  /** `[G, B·L', k·C_in]` patches under the first convolution. */
  readonly patches: Tensor;
  /** `[G, B, 2·C_in]` (`window-statistics.ts`); null when the spec does without. */
  readonly statistics: Tensor | null;
}

/** @param values `[G, B, T, C_in]` z-scored */
export function encoderInput(
  k: Kernels,
  plan: EncoderPlan,
  { samples, channels }: ModalitySpec,
  spec: ModelSpec,
  groups: number,
  values: Float32Array,
): EncoderInput {
  const width = channels.length;
  const rows = k.constant(values, [values.length / width, width]);
  const [first] = plan.layers;
  const statistics = spec.windowStatistics ? windowStatistics(values, samples, width) : null;
  return {
    patches: first === undefined ? rows : gatherPatches(k, plan, first, rows),
    statistics: statistics && k.constant(statistics, [groups, statistics.length / (2 * width * groups), 2 * width]),
  };
}

/** `params`: w, b of every layer in order, then the statistics' w if there are any. Returns `[G, B, d]` before the layer norm. */
export function encode(
  k: Kernels,
  plan: EncoderPlan,
  params: readonly Tensor[],
  { patches: inputPatches, statistics }: EncoderInput,
): { readonly embedding: Tensor; readonly tape: EncoderTape } {
  const layers: { patches: Tensor; output: Tensor }[] = [];
  let x = inputPatches;
  for (const [i, layer] of plan.layers.entries()) {
    const patches = i === 0 ? x : gatherPatches(k, plan, layer, x);
    x = k.relu(linear(k, patches, params, i));
    layers.push({ patches, output: x });
  }
  const sequence = k.reshape(x, plan.pooling);
  const maximum = k.maxPool(sequence, plan.length);
  const average = k.averagePool(sequence, plan.length);
  const features = k.reshape(k.concat([average, maximum], plan.axis3), plan.features);
  const pooled = linear(k, features, params, plan.layers.length);
  const embedding = statistics === null ? pooled : k.add(pooled, k.matMul(statistics, params.at(-1) as Tensor));
  return { embedding, tape: { layers, sequence, maximum, features, statistics } };
}

/** Gradients of `params`, in their order, given the gradient `[G, B, d]` of the embedding. */
export function encodeBackward(
  k: Kernels,
  plan: EncoderPlan,
  params: readonly Tensor[],
  tape: EncoderTape,
  gradient: Tensor,
): Tensor[] {
  const gradients: Tensor[] = [k.matMulLeftTransposed(tape.features, gradient), k.sumRows(gradient, plan.axis1)];
  if (tape.statistics !== null) gradients.push(k.matMulLeftTransposed(tape.statistics, gradient));
  let g = poolBackward(k, plan, tape, k.matMulRightTransposed(gradient, params[2 * plan.layers.length] as Tensor));
  for (let i = plan.layers.length - 1; i >= 0; i--) {
    const layer = plan.layers[i] as ConvPlan;
    const { patches, output } = tape.layers[i] as EncoderTape['layers'][number];
    g = k.reluGradient(g, output); // [G, B·L', C_out]
    gradients.unshift(k.matMulLeftTransposed(patches, g), k.sumRows(g, plan.axis1));
    if (i === 0) break; // nobody asks for the gradient of the sensor's samples
    const slices = k.reshape(k.matMulRightTransposed(g, params[2 * i] as Tensor), layer.slices); // [G·B·L', k, C_in]
    g = k.reshape(k.scatterRows(slices, layer.taps, layer.inputRows), layer.input); // [G, B·L, C_in]
  }
  return gradients;
}

function poolBackward(k: Kernels, plan: EncoderPlan, tape: EncoderTape, gradient: Tensor): Tensor {
  const [ofAverage, ofMaximum] = k.split(k.reshape(gradient, plan.pooled), 2, plan.axis3) as [Tensor, Tensor];
  const average = k.averagePoolGradient(plan.pooling, ofAverage, plan.length);
  const maximum = k.maxPoolGradient(tape.sequence, tape.maximum, ofMaximum, plan.length);
  return k.reshape(k.add(average, maximum), plan.rows);
}

function gatherPatches(k: Kernels, plan: EncoderPlan, layer: ConvPlan, x: Tensor): Tensor {
  return k.reshape(k.gatherRows(k.reshape(x, layer.flat), layer.taps, plan.axis0), layer.patches);
}

/** x · w_i + b_i */
function linear(k: Kernels, x: Tensor, params: readonly Tensor[], i: number): Tensor {
  return k.add(k.matMul(x, params[2 * i] as Tensor), params[2 * i + 1] as Tensor);
}

/** Row of `[size·input, C]` under tap t of output step o of window b: b·input + o·stride + t. */
function tapRows(size: number, input: number, output: number, kernel: number, stride: number): Int32Array {
  const rows = new Int32Array(size * output * kernel);
  let i = 0;
  for (let b = 0; b < size; b++) {
    for (let o = 0; o < output; o++) {
      for (let t = 0; t < kernel; t++) rows[i++] = b * input + o * stride + t;
    }
  }
  return rows;
}
