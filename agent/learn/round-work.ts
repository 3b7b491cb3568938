/**
 * What a board's round comes to, as pure functions around the network's one call: windows and broadcast → what to train on →
 * what to send and keep. The trainer runs it board by board, a simulated fleet all boards at once.
 */
import { AppError } from '../../core/base/errors.ts';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { type Batch, type BatchWindow, makeBatch } from '../../core/model/batch.ts';
import { overconfidenceOf } from '../../core/model/calibration.ts';
import { mostProbable } from '../../core/model/evaluate.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { TrainInput, TrainOutput } from '../../core/model/network.ts';
import { paramLayout } from '../../core/model/params.ts';
import { concluded } from '../../core/model/predict.ts';
import type { TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { addToHistory, boardNormalization } from '../../core/qqr/board-normalization.ts';
import { channelSums, type Normalization } from '../../core/qqr/normalization.ts';
import { addOwn, personalPrototypes } from '../../core/qqr/personal.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { localPrototypes } from '../../core/qqr/prototype.ts';
import type { Why } from '../../core/qqr/quality.ts';
import { quantize } from '../../core/quant/affine.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { CONFIDENCE_UNITS, DEFAULT_LIMITS, MAX_VALUE, WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import type { ModalityReport, QuantizedPrototypes, Update } from '../../core/wire/update.ts';
import type { Checkpoint } from '../store/agent-store.ts';
import { compressDelta } from './delta.ts';
import { meanQualityOf, reasonOf } from './modality-quality.ts';
import { rehearsals } from './rehearse.ts';

/** A window with its modalities in the spec's order. */
export interface LabelledWindow {
  /** Empty where unknown. */
  readonly label: string;
  /** Class index that a window without a label is taught as. */
  readonly guess?: number;
  readonly values: readonly (Float32Array | null)[];
  readonly quality: readonly number[];
  /** Per modality what pulled the quality down most; left out where nobody said. */
  readonly why?: readonly (Why | null)[];
}

/** The parts of a round's update that follow from its windows, and what is kept for the next round. */
export type RoundWork = Pick<Update, 'online' | 'modalities' | 'model' | 'coded'> &
  Pick<Checkpoint, 'params' | 'residual' | 'own' | 'history'>;

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

/**
 * What is kept, where the fleet's network has become another one since: of parameters and debts of that one nothing fits, so
 * the board begins with what is broadcast and owes nothing. Its counters go on. Null: nothing is kept yet.
 */
export function fittingCheckpoint(kept: Checkpoint | null, global: GlobalState): Checkpoint {
  const first = initialCheckpoint(global);
  if (kept === null) return first;
  const { length } = global.params;
  return {
    ...kept,
    params: kept.params.length === length ? kept.params : first.params,
    residual: kept.residual.length === length ? kept.residual : first.residual,
  };
}

/** The work of the statistics round: sums of the samples, nothing trained. */
export function statisticsWork(
  windows: readonly LabelledWindow[],
  spec: ModelSpec,
  global: GlobalState,
  { residual, own, history }: Checkpoint,
): RoundWork {
  const modalities = spec.modalities.map((modality, m) => {
    const present = windows.flatMap((window) => window.values[m] ?? []);
    const sums = present.length === 0 ? null : channelSums(present, modality.channels.length);
    const meanQuality = meanQualityOf(windows, m);
    const why = reasonOf(windows, m);
    return { windowsPresent: present.length, meanQuality, weight: 0, prototypes: null, sums, why };
  });
  return {
    online: { correct: 0, count: 0, lossSum: 0, overconfidence: 0 },
    modalities,
    model: [],
    coded: null,
    params: global.params,
    residual,
    own,
    history,
  };
}

/** What the network is asked to train on, and the T that confidences are reported at. */
export interface RoundInput extends TrainInput {
  readonly temperature: number;
}

export function trainingInput(
  windows: readonly LabelledWindow[],
  { round, spec, settings }: RoundPlan,
  global: GlobalState,
  before: Checkpoint,
  device: string,
): RoundInput {
  const labelled = windows.map((window) => {
    const label = spec.classes.indexOf(window.label);
    return { ...window, label: label < 0 ? (window.guess ?? -1) : label };
  });
  const normalization = normalizationFor(windows, spec, settings, global, before);
  const toBatch = (some: readonly BatchWindow[]) => {
    const batch = makeBatch(some, spec, normalization);
    return settings.dropIncomplete ? withoutIncomplete(batch) : batch;
  };
  const rng = createRng(`rehearsal/${device}/${round}`);
  return {
    params: startParams(settings, global, before),
    prototypes: global.prototypes,
    temperature: global.temperature,
    batch: toBatch(labelled),
    settings,
    rehearsals: rehearsals(labelled, spec, settings, toBatch, rng),
  };
}

/** The scale of a round's windows: the fleet's, or drawn to what the board has seen, these windows included. */
export function normalizationFor(
  windows: readonly LabelledWindow[],
  spec: ModelSpec,
  { scalePrior }: TrainSettings,
  { normalization, version }: GlobalState,
  before: Checkpoint,
): Normalization {
  if (normalization === null) throw new AppError('internal', `model version ${version} has no normalization`);
  if (scalePrior === 0) return normalization;
  return boardNormalization(normalization, historyAfter(windows, spec, before), scalePrior);
}

function historyAfter(windows: readonly LabelledWindow[], { modalities }: ModelSpec, before: Checkpoint): Float32Array {
  const channels = modalities.map((modality) => modality.channels.length);
  return addToHistory(before.history, windows, channels);
}

/** What a round starts from: the broadcast, or what the board has when boards keep their own. */
export function startParams({ shareModel }: TrainSettings, global: GlobalState, before: Checkpoint): Float32Array {
  return shareModel ? global.params : before.params;
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
  input: RoundInput,
  out: TrainOutput,
  rounding: Rng,
): RoundWork {
  const { params: start, batch } = input;
  const weights = settings.qualityWeights ? batch.quality : batch.present; // [B, M]
  const isTaught = Array.from(batch.labels, (label) => label >= 0);
  const trueLabels = batch.labels.map((label, i) => (windows[i]?.guess === undefined ? label : -1));
  const prototypes = localPrototypes(out.embeddings, trueLabels, weights, spec.classes.length);
  const own = settings.personalPrior > 0 ? addOwn(before.own, prototypes) : undefined;
  const history = settings.scalePrior > 0 ? historyAfter(windows, spec, before) : undefined;
  const modalities = spec.modalities.map((_, m): ModalityReport => {
    const windowsPresent = windows.filter((window) => window.values[m] !== null).length;
    return {
      windowsPresent,
      meanQuality: meanQualityOf(windows, m),
      weight: toUnits(columnSum(weights, m, isTaught)),
      prototypes: settings.sendPrototypes ? quantizePrototypes(prototypes, m, settings, rounding) : null,
      sums: null,
      why: reasonOf(windows, m),
    };
  });
  const online = onlineScore(out, windows, spec, input, before.own);
  const kept = { online, modalities, model: [], coded: null, residual: before.residual, own, history };
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
    settings,
    round,
    takesPart: groupsThatTravel(settings, modalities),
    random: rounding.fork('model').next,
  });
  return { ...kept, ...delta, params: out.params };
}

function groupsThatTravel(
  { modalityWeights }: TrainSettings,
  modalities: readonly ModalityReport[],
): (group: number) => boolean {
  return (group) => group < 0 || !modalityWeights || (modalities[group]?.weight ?? 0) > 0;
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

/** Predict-then-train: right predictions and summed cross-entropy over the round's labelled windows, taught from or not. */
function onlineScore(
  out: TrainOutput,
  windows: readonly LabelledWindow[],
  spec: ModelSpec,
  input: RoundInput,
  own: Checkpoint['own'],
): Update['online'] {
  const classes = spec.classes.length;
  const truths = Int32Array.from(windows, ({ label }) => spec.classes.indexOf(label));
  const probabilities = personalized(out, input, own);
  let correct = 0;
  let count = 0;
  let lossSum = 0;
  for (const [i, truth] of truths.entries()) {
    if (truth < 0) continue;
    count++;
    if (mostProbable(probabilities, i, classes) === truth) correct++;
    lossSum -= Math.log(Math.max(probabilities[i * classes + truth] as number, 1e-7));
  }
  const excess = overconfidenceOf(concluded(out, input), truths, classes);
  return { correct, count, lossSum, overconfidence: Math.round(excess * CONFIDENCE_UNITS) };
}

/** What the board says of its own stream: the head alone, or with prototypes of its own the head and their evidence. */
function personalized(out: TrainOutput, input: RoundInput, own: Checkpoint['own']): Float32Array {
  const { personalPrior } = input.settings;
  if (personalPrior === 0) return out.probabilities;
  const prototypes = personalPrototypes(input.prototypes, own, personalPrior);
  return concluded(out, { ...input, prototypes, temperature: 1 });
}

function columnSum(table: Float32Array, column: number, isCounted: readonly boolean[]): number {
  const columns = table.length / isCounted.length;
  return isCounted.reduce((sum, counts, i) => sum + (counts ? (table[i * columns + column] as number) : 0), 0);
}

function toUnits(weight: number): number {
  return Math.round(weight * WEIGHT_PER_WINDOW);
}
