/**
 * The same network in float64 and plain loops, written from the equations (docs/algorithm.md §2, §4, §5) and nothing else:
 * slow, without TensorFlow, without a backward pass. Its loss, differentiated numerically, is the oracle of the real one.
 */
import type { Batch } from '../../core/model/batch.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';

type Vector = readonly number[];

export interface PlainInput {
  readonly spec: ModelSpec;
  readonly params: ArrayLike<number>;
  readonly batch: Batch;
  readonly prototypes: PrototypeSet;
  readonly settings: TrainSettings;
}

export interface PlainOutput {
  readonly loss: number;
  /** [window][modality] */
  readonly embeddings: Vector[][];
  readonly fillings: Vector[][];
  readonly probabilities: Vector[];
}

/** With `fillings`, these stand in for missing modalities: constants, as in the real network's gradient. */
export function plainForward(input: PlainInput, fillings?: Vector[][]): PlainOutput {
  const { spec, batch, prototypes, settings } = input;
  const count = spec.modalities.length;
  const out: PlainOutput = { loss: 0, embeddings: [], fillings: [], probabilities: [] };
  let loss = 0;
  for (let b = 0; b < batch.size; b++) {
    const z = spec.modalities.map((_, m) => embed(input, m, b));
    const present = spec.modalities.map((_, m) => batch.present[b * count + m] as number);
    const quality = spec.modalities.map((_, m) => batch.quality[b * count + m] as number);
    const filled = z.map((own, m): Vector => {
      if (present[m] === 1 || settings.fill === 'zero-input') return own;
      if (fillings !== undefined) return fillings[b]?.[m] as Vector;
      if (settings.fill === 'zero-embedding') return own.map(() => 0);
      return plainFilling(z, present, quality, m, prototypes, settings.fillTemperature);
    });
    const logits = head(input, filled.flat());
    const label = batch.labels[b] as number;
    loss += crossEntropy(logits, label);
    for (const [m, own] of z.entries()) {
      if (present[m] === 0 || !isKnown(prototypes, m, label)) continue;
      loss += settings.alignWeight * plainAlignment(own, m, label, prototypes, settings.alignTemperature);
    }
    out.embeddings.push(z);
    out.fillings.push(filled);
    out.probabilities.push(softmax(logits));
  }
  return { ...out, loss: loss / batch.size };
}

/** ẑ_m of one window, docs/algorithm.md §4. */
export function plainFilling(
  z: readonly Vector[],
  present: Vector,
  quality: Vector,
  missing: number,
  prototypes: PrototypeSet,
  temperature: number,
): Vector {
  const { classes, dim } = prototypes;
  const logits: number[] = [];
  for (let c = 0; c < classes; c++) {
    let sum = 0;
    let weights = 0;
    for (const [j, own] of z.entries()) {
      if (present[j] === 0 || !isKnown(prototypes, j, c)) continue;
      const weight = Math.max(quality[j] as number, 0.01);
      sum += weight * meanSquare(own, prototypeOf(prototypes, j, c));
      weights += weight;
    }
    logits.push(
      weights > 0 && isKnown(prototypes, missing, c) ? -sum / weights / temperature : Number.NEGATIVE_INFINITY,
    );
  }
  const filling = new Array<number>(dim).fill(0);
  if (!logits.some(Number.isFinite)) return filling;
  for (const [c, weight] of softmax(logits).entries()) {
    if (weight > 0)
      for (const [i, value] of prototypeOf(prototypes, missing, c).entries())
        filling[i] = (filling[i] ?? 0) + weight * value;
  }
  return filling;
}

/** CE(softmax_c(−‖z − P[m,c]‖²/(d·τ)), label) over known classes, docs/algorithm.md §5. */
function plainAlignment(z: Vector, m: number, label: number, prototypes: PrototypeSet, temperature: number): number {
  const logits = Array.from({ length: prototypes.classes }, (_, c) =>
    isKnown(prototypes, m, c) ? -meanSquare(z, prototypeOf(prototypes, m, c)) / temperature : -1e4,
  );
  return crossEntropy(logits, label);
}

/** Layer-normalized embedding of window `b`, modality `m`. */
function embed({ spec, params, batch }: PlainInput, m: number, b: number): Vector {
  const { samples, channels } = spec.modalities[m] as ModelSpec['modalities'][number];
  const each = samples * channels.length;
  const values = Array.from((batch.inputs[m] as Float32Array).subarray(b * each, (b + 1) * each));
  let rows: Vector[] = Array.from({ length: samples }, (_, t) =>
    values.slice(t * channels.length, (t + 1) * channels.length),
  );
  const tensor = tensorsOf(spec, params, m);
  for (const [layer, { kernel, stride }] of spec.conv.entries()) {
    const next: Vector[] = [];
    for (let start = 0; start + kernel <= rows.length; start += stride) {
      const patch = rows.slice(start, start + kernel).flat();
      next.push(dense(patch, tensor(`c${layer}w`), tensor(`c${layer}b`)).map((v) => Math.max(v, 0)));
    }
    rows = next;
  }
  const columns = (rows[0] as Vector).map((_, c) => rows.map((row) => row[c] as number));
  const features = [...columns.map(mean), ...columns.map((column) => Math.max(...column))];
  const pooled = dense(features, tensor('fw'), tensor('fb'));
  const raw = spec.windowStatistics ? dense(statistics(values, channels.length), tensor('sw'), pooled) : pooled;
  const center = mean(raw);
  const scale = 1 / Math.sqrt(mean(raw.map((v) => (v - center) ** 2)) + 1e-5);
  return raw.map((v) => (v - center) * scale);
}

/** Mean and log power of each channel, `core/model/window-statistics.ts`. */
function statistics(values: readonly number[], channels: number): Vector {
  const columns = Array.from({ length: channels }, (_, c) => values.filter((_v, i) => i % channels === c));
  const powers = columns.map((column) => mean(column.map((v) => (v - mean(column)) ** 2)));
  return [
    ...columns.map((column) => Math.max(-4, Math.min(4, mean(column)))),
    ...powers.map((power) => 0.4 * Math.log(power + 1e-3) + 0.5),
  ];
}

function head({ spec, params }: PlainInput, joined: Vector): Vector {
  const tensor = tensorsOf(spec, params, -1);
  const hidden = dense(joined, tensor('h1w'), tensor('h1b')).map((v) => Math.max(v, 0));
  return dense(hidden, tensor('h2w'), tensor('h2b'));
}

function tensorsOf(spec: ModelSpec, params: ArrayLike<number>, group: number): (name: string) => Vector {
  const tensors = paramLayout(spec).groups.find((g) => g.group === group)?.tensors ?? [];
  return (name) => {
    const slot = tensors.find((t) => t.name === name);
    if (slot === undefined) throw new Error(`no tensor ${name}`);
    return Array.from({ length: slot.size }, (_, i) => params[slot.offset + i] as number);
  };
}

/** x · W + b, W row-major. */
function dense(x: Vector, weights: Vector, bias: Vector): Vector {
  return bias.map((start, o) => x.reduce((sum, v, i) => sum + v * (weights[i * bias.length + o] as number), start));
}

function isKnown(prototypes: PrototypeSet, m: number, c: number): boolean {
  return (prototypes.weight[m * prototypes.classes + c] as number) > 0;
}

function prototypeOf({ values, classes, dim }: PrototypeSet, m: number, c: number): Vector {
  return Array.from(values.subarray((m * classes + c) * dim, (m * classes + c + 1) * dim));
}

function meanSquare(a: Vector, b: Vector): number {
  return mean(a.map((v, i) => (v - (b[i] as number)) ** 2));
}

function mean(values: Vector): number {
  return values.reduce((a, b) => a + b, 0) / values.length;
}

function softmax(logits: Vector): Vector {
  const top = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp(logit - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

function crossEntropy(logits: Vector, label: number): number {
  const top = Math.max(...logits);
  return top + Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0)) - (logits[label] as number);
}
