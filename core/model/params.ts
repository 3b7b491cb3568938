/**
 * Where every tensor of the network lives in the flat parameter vector, and how it is initialized.
 * Order: encoder 0 (c0w c0b c1w c1b … fw fb, with window statistics sw), encoder 1, …, head (h1w h1b h2w h2b), each row-major. A group is contiguous,
 * because encoders are averaged and sent separately (docs/algorithm.md §4, modality-weighted aggregation). No TensorFlow here.
 */
import { AppError } from '../base/errors.ts';
import { createRng } from '../math/rng.ts';
import type { ConvLayer, ModalitySpec, ModelSpec } from './spec.ts';

export interface TensorSlot {
  /** Unique in its group: `c0w`, `c0b`, …, `fw`, `fb`, `sw`; in the head `h1w`, `h1b`, `h2w`, `h2b`. */
  readonly name: string;
  /** Weights `[inputs, outputs]`, a convolution's inputs in the order tap · C_in + channel; biases `[outputs]`. */
  readonly shape: readonly number[];
  /** Place in the whole flat vector. */
  readonly offset: number;
  readonly size: number;
  /** Standard deviation at the start; 0 for biases. */
  readonly deviation: number;
}

export interface ParamGroup {
  /** Modality index of an encoder, −1 for the head. */
  readonly group: number;
  readonly offset: number;
  readonly size: number;
  readonly tensors: readonly TensorSlot[];
}

export interface ParamLayout {
  readonly total: number;
  /** One per modality in order, then the head. */
  readonly groups: readonly ParamGroup[];
}

/** The layout for `spec`. @throws AppError `config-invalid` when a window is too short for the convolutions. */
export function paramLayout(spec: ModelSpec): ParamLayout {
  const groups: ParamGroup[] = [];
  let end = 0;
  const addGroup = (group: number, layers: readonly DenseShape[]) => {
    const offset = end;
    const tensors: TensorSlot[] = [];
    const addTensor = (name: string, shape: readonly number[], deviation: number) => {
      const size = shape.reduce((product, length) => product * length, 1);
      tensors.push({ name, shape, offset: end, size, deviation });
      end += size;
    };
    for (const { name, inputs, outputs, fan, hasBias } of layers) {
      addTensor(`${name}w`, [inputs, outputs], Math.sqrt(2 / fan));
      if (hasBias) addTensor(`${name}b`, [outputs], 0);
    }
    groups.push({ group, offset, size: end - offset, tensors });
  };
  for (const [index, modality] of spec.modalities.entries()) {
    convolvedLengths(modality, spec.conv);
    addGroup(index, encoderShapes(modality.channels.length, spec));
  }
  addGroup(-1, headShapes(spec));
  return { total: end, groups };
}

/** He-normal weights, zero biases. Each tensor draws from its own stream, so that another modality changes no other tensor. */
export function initParams(spec: ModelSpec, seed: number): Float32Array {
  const layout = paramLayout(spec);
  const params = new Float32Array(layout.total);
  const root = createRng(seed);
  for (const { group, tensors } of layout.groups) {
    const owner = spec.modalities[group]?.name ?? 'head';
    for (const tensor of tensors) {
      if (tensor.deviation === 0) continue;
      const rng = root.fork(`params/${owner}/${tensor.name}`);
      for (let i = 0; i < tensor.size; i++) params[tensor.offset + i] = rng.normal() * tensor.deviation;
    }
  }
  return params;
}

/**
 * Time steps before and after each convolution: `[T, L_1, …, L_n]`, L' = ⌊(L − kernel) / stride⌋ + 1.
 * @throws AppError `config-invalid` when one of them would be less than 1.
 */
export function convolvedLengths(modality: ModalitySpec, conv: readonly ConvLayer[]): readonly number[] {
  const lengths = [modality.samples];
  let length = modality.samples;
  for (const [layer, { kernel, stride }] of conv.entries()) {
    if (length < kernel) {
      throw new AppError('config-invalid', `a window of ${modality.samples} samples is too short for the network`, {
        where: `modality '${modality.name}', convolution ${layer + 1}: ${length} of ${kernel} steps`,
        hint: 'Use a longer window or a higher sample rate, or a network with smaller kernels and strides.',
      });
    }
    length = Math.floor((length - kernel) / stride) + 1;
    lengths.push(length);
  }
  return lengths;
}

interface DenseShape {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Divides the variance at the start: 2 / fan. */
  readonly fan: number;
  readonly hasBias: boolean;
}

function encoderShapes(channels: number, spec: ModelSpec): DenseShape[] {
  let inputs = channels;
  const shapes = spec.conv.map(({ filters, kernel }, layer): DenseShape => {
    const shape = { name: `c${layer}`, inputs: kernel * inputs, outputs: filters, fan: kernel * inputs, hasBias: true };
    inputs = filters;
    return shape;
  });
  // Mean ⊕ max over time gives 2 · inputs features; no ReLU follows, hence twice the fan.
  const pooled = { name: 'f', inputs: 2 * inputs, outputs: spec.embedding, fan: 4 * inputs, hasBias: true };
  // Added to what the pooled features give, so they share its bias.
  const statistics = { name: 's', inputs: 2 * channels, outputs: spec.embedding, fan: 4 * inputs, hasBias: false };
  return [...shapes, pooled, ...(spec.windowStatistics ? [statistics] : [])];
}

function headShapes({ modalities, embedding, hidden, classes }: ModelSpec): DenseShape[] {
  const joined = modalities.length * embedding;
  return [
    { name: 'h1', inputs: joined, outputs: hidden, fan: joined, hasBias: true },
    { name: 'h2', inputs: hidden, outputs: classes.length, fan: 2 * hidden, hasBias: true },
  ];
}
