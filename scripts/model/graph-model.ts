/**
 * The fleet's model as a TensorFlow.js graph: from raw windows in physical units to calibrated class probabilities.
 *   inputs   per modality `[n, samples, channels]`; `present` `[n, M]`, 1 where the window has the modality, 0 where it has not
 *   output   `probabilities` `[n, C]`; zeros for a window without any modality, "don't know"
 * The same as `predict` (`core/model/predict.ts`) but for one thing: the second opinion without sensors that look bad needs a
 * judgement of quality, which looks at a window's past and is no part of the graph. With `fill` 'pnr' or 'label' there is no
 * `present`: what stands in for a missing modality depends on quality too, so all modalities have to be there.
 */
import { convolvedLengths, type ParamGroup, paramLayout } from '../../core/model/params.ts';
import type { ModalitySpec } from '../../core/model/spec.ts';
import { createGraphBuilder, type GraphBuilder, type Node, text } from './graph-builder.ts';
import type { SavedModel } from './saved-model.ts';

/** As in `core/model/window-statistics.ts` and `core/model/fusion.ts`. */
const POWER_FLOOR = 1e-3;
const MOST_LEVEL = 4;
const NORM_EPSILON = 1e-5;
const LEAST_PROBABILITY = 1e-30;
/** Added to the score of a class without a prototype: e^−10000 is 0. */
const UNKNOWN = -1e4;

export function graphModel(saved: SavedModel, version: string): { readonly model: object; readonly weights: Buffer } {
  const { spec, settings } = saved;
  const g = createGraphBuilder();
  const canBeMissing = settings.fill === 'zero-input' || settings.fill === 'zero-embedding';
  const raw = spec.modalities.map(({ name, samples, channels }) => g.input(name, [samples, channels.length]));
  const present = canBeMissing ? g.input('present', [spec.modalities.length]) : null;
  const presence = spec.modalities.map((_, m) => present && columnOf(g, present, m, spec.modalities.length));
  const groups = paramLayout(spec).groups;
  const embeddings = spec.modalities.map((modality, m) => {
    const is = presence[m] ?? null;
    const scaled = normalized(g, saved, modality, m, raw[m] as Node);
    const input = settings.fill === 'zero-input' && is ? g.op('Mul', [scaled, reshaped(g, is, [-1, 1, 1])]) : scaled;
    const embedding = layerNorm(g, encoded(g, saved, modality, groups[m] as ParamGroup, input));
    return settings.fill === 'zero-embedding' && is ? g.op('Mul', [embedding, is]) : embedding;
  });
  const head = groups.at(-1) as ParamGroup;
  const hidden = g.op('Relu', [linear(g, saved, head, 'h1', joined(g, embeddings))]);
  const probabilities = concluded(
    g,
    saved,
    g.op('Softmax', [linear(g, saved, head, 'h2', hidden)]),
    embeddings,
    presence,
  );
  const known = present === null ? probabilities : g.op('Mul', [probabilities, reduced(g, 'Max', present, [1])]);
  g.output('probabilities', known, [spec.classes.length]);
  const { classes, modalities } = spec;
  return g.build({ classes, modalities, windowSeconds: saved.windowSeconds, modelVersion: saved.version }, version);
}

/** `[n, T, C]` z-scored. */
function normalized(
  g: GraphBuilder,
  { normalization }: SavedModel,
  { channels }: ModalitySpec,
  m: number,
  x: Node,
): Node {
  const mean = normalization.mean[m] as Float32Array;
  const scale = (normalization.std[m] as Float32Array).map((std) => 1 / std);
  const centered = g.op('Sub', [x, g.constant(mean, [channels.length])]);
  return g.op('Mul', [centered, g.constant(scale, [channels.length])]);
}

/** `[n, d]` before the layer norm. */
function encoded(g: GraphBuilder, saved: SavedModel, modality: ModalitySpec, group: ParamGroup, input: Node): Node {
  const { conv, windowStatistics } = saved.spec;
  const lengths = convolvedLengths(modality, conv);
  let width = modality.channels.length;
  let x = reshaped(g, input, [-1, 1, lengths[0] as number, width]);
  conv.forEach(({ filters, kernel, stride }, i) => {
    const filter = parameter(g, saved, group, `c${i}w`, [1, kernel, width, filters]);
    const steps = ['1', String(stride), String(stride), '1'];
    const convolved = g.op('Conv2D', [x, filter], {
      strides: { list: { i: steps } },
      dilations: { list: { i: ['1', '1', '1', '1'] } },
      padding: text('VALID'),
      data_format: text('NHWC'),
    });
    x = g.op('Relu', [g.op('AddV2', [convolved, parameter(g, saved, group, `c${i}b`)])]);
    width = filters;
  });
  const pooled = joined(g, [reduced(g, 'Mean', x, [1, 2], false), reduced(g, 'Max', x, [1, 2], false)]);
  const embedding = linear(g, saved, group, 'f', pooled);
  if (!windowStatistics) return embedding;
  const statistics = matMul(g, statisticsOf(g, input, modality.channels.length), parameter(g, saved, group, 'sw'));
  return g.op('AddV2', [embedding, statistics]);
}

/** `[n, 2·channels]` level and power of every channel. */
function statisticsOf(g: GraphBuilder, input: Node, channels: number): Node {
  const mean = reduced(g, 'Mean', input, [1]);
  const deviation = g.op('Sub', [input, mean]);
  const variance = reduced(g, 'Mean', g.op('Mul', [deviation, deviation]), [1]);
  const level = g.op('Maximum', [g.op('Minimum', [mean, scalar(g, MOST_LEVEL)]), scalar(g, -MOST_LEVEL)]);
  const log = g.op('Log', [g.op('AddV2', [variance, scalar(g, POWER_FLOOR)])]);
  const power = g.op('AddV2', [g.op('Mul', [log, scalar(g, 0.4)]), scalar(g, 0.5)]);
  return joined(
    g,
    [level, power].map((node) => reshaped(g, node, [-1, channels])),
  );
}

function layerNorm(g: GraphBuilder, x: Node): Node {
  const centered = g.op('Sub', [x, reduced(g, 'Mean', x, [1])]);
  const variance = reduced(g, 'Mean', g.op('Mul', [centered, centered]), [1]);
  return g.op('Mul', [centered, g.op('Rsqrt', [g.op('AddV2', [variance, scalar(g, NORM_EPSILON)])])]);
}

/** softmax((ln p_head + α Σ_m ln p_m) / T) */
function concluded(
  g: GraphBuilder,
  saved: SavedModel,
  ofHead: Node,
  embeddings: readonly Node[],
  presence: readonly (Node | null)[],
): Node {
  const { settings, temperature } = saved;
  let log = g.op('Log', [g.op('Maximum', [ofHead, scalar(g, LEAST_PROBABILITY)])]);
  if (settings.evidenceWeight > 0) {
    embeddings.forEach((embedding, m) => {
      const evidence = g.op('Mul', [evidenceOf(g, saved, embedding, m), scalar(g, settings.evidenceWeight)]);
      const is = presence[m] ?? null;
      log = g.op('AddV2', [log, is === null ? evidence : g.op('Mul', [evidence, is])]);
    });
  }
  return g.op('Softmax', [g.op('Mul', [log, scalar(g, 1 / temperature)])]);
}

/** `[n, C]` ln p_m(c), and ln 1/C for a class without a prototype (`core/qqr/evidence.ts`). */
function evidenceOf(g: GraphBuilder, { prototypes, settings }: SavedModel, embedding: Node, m: number): Node {
  const { classes, dim, values, weight } = prototypes;
  const isKnown = Array.from({ length: classes }, (_, c) => ((weight[m * classes + c] as number) > 0 ? 1 : 0));
  const table = Float32Array.from(values.subarray(m * classes * dim, (m + 1) * classes * dim), (value, i) =>
    isKnown[Math.floor(i / dim)] === 1 ? value : 0,
  );
  const difference = g.op('Sub', [reshaped(g, embedding, [-1, 1, dim]), g.constant(table, [1, classes, dim])]);
  const squares = reduced(g, 'Sum', g.op('Mul', [difference, difference]), [2], false);
  const near = g.op('Mul', [squares, scalar(g, -1 / (dim * settings.alignTemperature))]);
  const unknown = isKnown.map((known) => (1 - known) * UNKNOWN);
  const log = g.op('LogSoftmax', [g.op('AddV2', [near, g.constant(unknown, [classes])])]);
  const nothing = isKnown.map((known) => (1 - known) * -Math.log(classes));
  return g.op('AddV2', [g.op('Mul', [log, g.constant(isKnown, [classes])]), g.constant(nothing, [classes])]);
}

function linear(g: GraphBuilder, saved: SavedModel, group: ParamGroup, name: string, x: Node): Node {
  return g.op('AddV2', [matMul(g, x, parameter(g, saved, group, `${name}w`)), parameter(g, saved, group, `${name}b`)]);
}

function parameter(
  g: GraphBuilder,
  { params }: SavedModel,
  { tensors }: ParamGroup,
  name: string,
  shape?: number[],
): Node {
  const slot = tensors.find((tensor) => tensor.name === name);
  if (slot === undefined) throw new RangeError(`no tensor ${name}`);
  return g.constant(params.subarray(slot.offset, slot.offset + slot.size), shape ?? slot.shape);
}

function matMul(g: GraphBuilder, a: Node, b: Node): Node {
  return g.op('MatMul', [a, b], { transpose_a: { b: false }, transpose_b: { b: false } });
}

function reduced(g: GraphBuilder, kind: 'Mean' | 'Max' | 'Sum', x: Node, axes: readonly number[], keep = true): Node {
  return g.op(kind, [x, g.integers(axes)], { keep_dims: { b: keep }, Tidx: { type: 'DT_INT32' } });
}

function reshaped(g: GraphBuilder, x: Node, shape: readonly number[]): Node {
  return g.op('Reshape', [x, g.integers(shape)], { Tshape: { type: 'DT_INT32' } });
}

/** Along the last axis of matrices. */
function joined(g: GraphBuilder, parts: readonly Node[]): Node {
  if (parts.length === 1) return parts[0] as Node;
  return g.op('ConcatV2', [...parts, g.integers([1])], { N: { i: String(parts.length) }, Tidx: { type: 'DT_INT32' } });
}

/** `[n, 1]` column `m` of a matrix. */
function columnOf(g: GraphBuilder, x: Node, m: number, width: number): Node {
  const column = Array.from({ length: width }, (_, i) => (i === m ? 1 : 0));
  return matMul(g, x, g.constant(column, [width, 1]));
}

function scalar(g: GraphBuilder, value: number): Node {
  return g.constant([value], []);
}
