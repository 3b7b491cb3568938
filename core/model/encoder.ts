/**
 * One modality's encoder and its gradient: strided valid convolutions with ReLU, mean ⊕ max over time, linear to d
 * (docs/algorithm.md §2). The layer norm that follows is in `fusion.ts`, for all modalities at once.
 * A convolution is a matrix product over patches: rows of the input gathered tap by tap, `[B·L', k·C_in] · [k·C_in, C_out]`.
 * Shapes: B windows, L steps, C channels, k taps; activations are matrices `[B·L, C]`, window by window.
 */
import type { Kernels, Tensor } from './backend.ts';
import { convolvedLengths } from './params.ts';
import type { ModalitySpec, ModelSpec } from './spec.ts';

/** Constants of one modality at one batch size. */
export interface EncoderPlan {
  readonly layers: readonly ConvPlan[];
  /** L after the last convolution. */
  readonly length: number;
  /** `[B, 1, L, C]` */
  readonly pooling: Tensor;
  /** `[B·L, C]` */
  readonly rows: Tensor;
  /** `[B, 2C]` and `[B, 1, 1, 2C]` */
  readonly features: Tensor;
  readonly pooled: Tensor;
  readonly axis0: Tensor;
  readonly axis1: Tensor;
  readonly axis3: Tensor;
}

interface ConvPlan {
  /** `[B·L', k]` input row under every tap. */
  readonly taps: Tensor;
  /** The shape `[B·L', k·C_in]` */
  readonly patches: Tensor;
  /** The shape `[B·L', k, C_in]` */
  readonly slices: Tensor;
  /** B·L, rows of the input. */
  readonly inputRows: Tensor;
}

/** What the backward pass needs of a forward pass. */
export interface EncoderTape {
  readonly layers: readonly { readonly patches: Tensor; readonly output: Tensor }[];
  /** `[B, 1, L, C]` the last layer's output, and its maximum over time `[B, 1, 1, C]`. */
  readonly sequence: Tensor;
  readonly maximum: Tensor;
  /** `[B, 2C]` */
  readonly features: Tensor;
}

export function planEncoder(k: Kernels, modality: ModalitySpec, spec: ModelSpec, size: number): EncoderPlan {
  const lengths = convolvedLengths(modality, spec.conv);
  let channels = modality.channels.length;
  const layers = spec.conv.map(({ filters, kernel, stride }, i): ConvPlan => {
    const [input, output] = [lengths[i] as number, lengths[i + 1] as number];
    const taps = tapRows(size, input, output, kernel, stride);
    const plan = {
      taps: k.integers(taps, [size * output, kernel]),
      patches: k.integers([size * output, kernel * channels], [2]),
      slices: k.integers([size * output, kernel, channels], [3]),
      inputRows: k.integers([size * input], []),
    };
    channels = filters;
    return plan;
  });
  const length = lengths.at(-1) as number;
  return {
    layers,
    length,
    pooling: k.integers([size, 1, length, channels], [4]),
    rows: k.integers([size * length, channels], [2]),
    features: k.integers([size, 2 * channels], [2]),
    pooled: k.integers([size, 1, 1, 2 * channels], [4]),
    axis0: k.integers([0], []),
    axis1: k.integers([1], []),
    axis3: k.integers([3], []),
  };
}

/** Patches of the input `[B·T, C]`: they depend on no parameter, so E steps share them. */
export function inputPatches(k: Kernels, plan: EncoderPlan, input: Tensor): Tensor {
  const [first] = plan.layers;
  return first === undefined ? input : gatherPatches(k, plan, first, input);
}

/** `params`: w, b of every layer in order. Returns `[B, d]` before the layer norm. */
export function encode(
  k: Kernels,
  plan: EncoderPlan,
  params: readonly Tensor[],
  input: Tensor,
): { readonly embedding: Tensor; readonly tape: EncoderTape } {
  const layers: { patches: Tensor; output: Tensor }[] = [];
  let x = input;
  for (const [i, layer] of plan.layers.entries()) {
    const patches = i === 0 ? x : gatherPatches(k, plan, layer, x);
    x = k.relu(linear(k, patches, params, i));
    layers.push({ patches, output: x });
  }
  const sequence = k.reshape(x, plan.pooling);
  const maximum = k.maxPool(sequence, plan.length);
  const average = k.averagePool(sequence, plan.length);
  const features = k.reshape(k.concat([average, maximum], plan.axis3), plan.features);
  const embedding = linear(k, features, params, plan.layers.length);
  return { embedding, tape: { layers, sequence, maximum, features } };
}

/** Gradients of `params`, in their order, given the gradient `[B, d]` of the embedding. */
export function encodeBackward(
  k: Kernels,
  plan: EncoderPlan,
  params: readonly Tensor[],
  tape: EncoderTape,
  gradient: Tensor,
): Tensor[] {
  const gradients: Tensor[] = [k.matMulLeftTransposed(tape.features, gradient), k.biasGradient(gradient)];
  let g = poolBackward(k, plan, tape, k.matMulRightTransposed(gradient, params[2 * plan.layers.length] as Tensor));
  for (let i = plan.layers.length - 1; i >= 0; i--) {
    const layer = plan.layers[i] as ConvPlan;
    const { patches, output } = tape.layers[i] as EncoderTape['layers'][number];
    g = k.reluGradient(g, output); // [B·L', C_out]
    gradients.unshift(k.matMulLeftTransposed(patches, g), k.biasGradient(g));
    if (i === 0) break; // nobody asks for the gradient of the sensor's samples
    const slices = k.reshape(k.matMulRightTransposed(g, params[2 * i] as Tensor), layer.slices); // [B·L', k, C_in]
    g = k.scatterRows(slices, layer.taps, layer.inputRows); // [B·L, C_in]
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
  return k.reshape(k.gatherRows(x, layer.taps, plan.axis0), layer.patches);
}

/** x · w_i + b_i */
function linear(k: Kernels, x: Tensor, params: readonly Tensor[], i: number): Tensor {
  return k.biasAdd(k.matMul(x, params[2 * i] as Tensor), params[2 * i + 1] as Tensor);
}

/** Row of `[B·input, C]` under tap t of output step o of window b: b·input + o·stride + t. */
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
