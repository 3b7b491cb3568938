/**
 * What a board's round comes to, as pure functions around the network's one call: windows and broadcast → what to train on →
 * what to send and keep. The trainer runs it board by board, a simulated fleet all boards at once.
 */
import { AppError } from '../../core/base/errors.ts';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { type Batch, type BatchWindow, makeBatch } from '../../core/model/batch.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { TrainInput, TrainOutput } from '../../core/model/network.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { channelSums } from '../../core/qqr/normalization.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { localPrototypes } from '../../core/qqr/prototype.ts';
import { quantize } from '../../core/quant/affine.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { DEFAULT_LIMITS, MAX_VALUE, WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import type { ModalityReport, QuantizedPrototypes, Update } from '../../core/wire/update.ts';
import type { Checkpoint } from '../store/agent-store.ts';
import { compressDelta } from './delta.ts';
import { rehearsals } from './rehearse.ts';

/** A window with its modalities in the spec's order. */
export interface LabelledWindow {
  readonly label: string;
  readonly values: readonly (Float32Array | null)[];
  readonly quality: readonly number[];
}

/** The parts of a round's update that follow from its windows, and what is kept for the next round. */
export type RoundWork = Pick<Update, 'online' | 'modalities' | 'model' | 'coded'> &
  Pick<Checkpoint, 'params' | 'residual'>;

/** What a board keeps between rounds before its first one. */
export function initialCheckpoint(global: GlobalState): Checkpoint {
  return {
    round: -1,
    cursor: -1,
    seq: 0,
    modelVersion: 0,
    params: global.params,
    residual: new Float32Array(global.params.length),
  };
}

/** The work of the statistics round: sums of the samples, nothing trained. */
export function statisticsWork(
  windows: readonly LabelledWindow[],
  spec: ModelSpec,
  global: GlobalState,
  { residual }: Checkpoint,
): RoundWork {
  const modalities = spec.modalities.map((modality, m) => {
    const present = windows.flatMap((window) => window.values[m] ?? []);
    const sums = present.length === 0 ? null : channelSums(present, modality.channels.length);
    const meanQuality = meanQualityOf(windows, m);
    return { windowsPresent: present.length, meanQuality, weight: 0, prototypes: null, sums };
  });
  return {
    online: { correct: 0, count: 0, lossSum: 0 },
    modalities,
    model: [],
    coded: null,
    params: global.params,
    residual,
  };
}

/** What the network is asked to train on. */
export function trainingInput(
  windows: readonly LabelledWindow[],
  { round, spec, settings }: RoundPlan,
  global: GlobalState,
  before: Checkpoint,
  device: string,
): TrainInput {
  if (global.normalization === null)
    throw new AppError('internal', `model version ${global.version} has no normalization`);
  const labelled = windows.map((window) => ({ ...window, label: spec.classes.indexOf(window.label) }));
  const { normalization } = global;
  const toBatch = (some: readonly BatchWindow[]) => {
    const batch = makeBatch(some, spec, normalization);
    return settings.dropIncomplete ? withoutIncomplete(batch) : batch;
  };
  const rng = createRng(`rehearsal/${device}/${round}`);
  const params = settings.shareModel ? global.params : before.params;
  return {
    params,
    prototypes: global.prototypes,
    batch: toBatch(labelled),
    settings,
    rehearsals: rehearsals(labelled, spec, settings, toBatch, rng),
  };
}

/** Windows that lack a modality lose their label, which is what teaches. */
function withoutIncomplete(batch: Batch): Batch {
  const modalities = batch.inputs.length;
  const isComplete = (i: number) => !batch.present.subarray(i * modalities, (i + 1) * modalities).includes(0);
  return { ...batch, labels: batch.labels.map((label, i) => (isComplete(i) ? label : -1)) };
}

/** From what the network came to, what is sent and what is kept. `rounding`: see `roundingOf`. */
export function finishTraining(
  windows: readonly LabelledWindow[],
  { round, spec, settings }: RoundPlan,
  before: Checkpoint,
  { params: start, batch }: TrainInput,
  out: TrainOutput,
  rounding: Rng,
): RoundWork {
  const weights = settings.qualityWeights ? batch.quality : batch.present; // [B, M]
  const prototypes = localPrototypes(out.embeddings, batch.labels, weights, spec.classes.length);
  const modalities = spec.modalities.map((_, m): ModalityReport => {
    const windowsPresent = windows.filter((window) => window.values[m] !== null).length;
    return {
      windowsPresent,
      meanQuality: meanQualityOf(windows, m),
      weight: toUnits(columnSum(weights, m, batch.size)),
      prototypes: settings.sendPrototypes ? quantizePrototypes(prototypes, m, settings, rounding) : null,
      sums: null,
    };
  });
  const online = onlineScore(out, windows, spec);
  const kept = { online, modalities, model: [], coded: null, residual: before.residual };
  // A step that diverged is dropped whole: sent, it would be refused; kept, it would poison the residual for good.
  if (!isSendable(out.params, start)) return { ...kept, params: start };
  if (!settings.shareModel || batch.labels.every((label) => label < 0)) return { ...kept, params: out.params };
  // More owed than is taken in one piece is forgotten: else every later round would be refused too.
  const isPayable = isSendable(out.params, start, before.residual);
  const delta = compressDelta({
    layout: paramLayout(spec),
    trained: out.params,
    broadcast: start,
    residual: isPayable ? before.residual : new Float32Array(start.length),
    ...{ settings, round },
    takesPart: groupsThatTravel(settings, modalities),
    random: rounding.fork('model').next,
  });
  return { ...kept, ...delta, params: out.params };
}

function groupsThatTravel(
  { modalityWeights }: TrainSettings,
  modalities: readonly ModalityReport[],
): (group: number) => boolean {
  return (group) => group < 0 || !modalityWeights || (modalities[group]?.windowsPresent ?? 0) > 0;
}

/** Whether a step, with what is owed from before, is within what the aggregator takes: finite, |Δ| ≤ MAX_VALUE, and not too long a step. */
function isSendable(trained: Float32Array, broadcast: Float32Array, residual?: Float32Array): boolean {
  let squares = 0;
  for (let i = 0; i < trained.length; i++) {
    const owed = (trained[i] as number) - (broadcast[i] as number) + (residual?.[i] ?? 0);
    if (!(Math.abs(owed) <= MAX_VALUE)) return false;
    squares += owed * owed;
  }
  return Math.sqrt(squares) <= DEFAULT_LIMITS.maxDeltaNorm;
}

function quantizePrototypes(
  set: PrototypeSet,
  m: number,
  { prototypeBits, prototypeCode }: TrainSettings,
  rounding: Rng,
): QuantizedPrototypes | null {
  const { classes, dim } = set;
  const units = Array.from({ length: classes }, (_, c) => toUnits(set.weight[m * classes + c] as number));
  const seen = units.flatMap((weight, c) => (weight > 0 ? [c] : []));
  if (seen.length === 0) return null;
  const values = new Float32Array(seen.length * dim); // [k, d]
  seen.forEach((c, k) => {
    const start = (m * classes + c) * dim;
    values.set(set.values.subarray(start, start + dim), k * dim);
  });
  const mode = prototypeCode === 'stochastic' ? { stochastic: rounding.fork(`prototypes/${m}`).next } : undefined;
  return { classes: seen, weights: seen.map((c) => units[c] as number), values: quantize(values, prototypeBits, mode) };
}

/** Predict-then-train: right predictions and summed cross-entropy over the round's windows, taught from or not. */
function onlineScore(out: TrainOutput, windows: readonly LabelledWindow[], spec: ModelSpec): Update['online'] {
  const classes = spec.classes.length;
  let correct = 0;
  let lossSum = 0;
  for (const [i, { label }] of windows.entries()) {
    const row = out.probabilities.subarray(i * classes, (i + 1) * classes); // [C]
    const truth = spec.classes.indexOf(label);
    if (row.indexOf(Math.max(...row)) === truth) correct++;
    lossSum -= Math.log(Math.max(row[truth] as number, 1e-7));
  }
  return { correct, count: windows.length, lossSum };
}

function meanQualityOf(windows: readonly LabelledWindow[], m: number): number {
  const present = windows.filter((window) => window.values[m] !== null);
  if (present.length === 0) return 0;
  return present.reduce((sum, window) => sum + (window.quality[m] as number), 0) / present.length;
}

function columnSum(table: Float32Array, column: number, rows: number): number {
  const columns = table.length / rows;
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += table[i * columns + column] as number;
  return sum;
}

function toUnits(weight: number): number {
  return Math.round(weight * WEIGHT_PER_WINDOW);
}
