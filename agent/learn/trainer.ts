/**
 * One round on a board: take the next B windows, predict them and collect prototypes under the broadcast model, train, compress,
 * and commit everything that must not drift apart in one transaction (ARCHITECTURE §2, "one transaction is the truth").
 * Invariant: a window is used by one training round only; a round is trained once, whatever dies in between.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { Batch } from '../../core/model/batch.ts';
import { makeBatch } from '../../core/model/batch.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { Network, TrainOutput } from '../../core/model/network.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import { paramLayout } from '../../core/model/params.ts';
import { type ModelSpec, shapeHash } from '../../core/model/spec.ts';
import { channelSums } from '../../core/qqr/normalization.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { localPrototypes } from '../../core/qqr/prototype.ts';
import { quantize } from '../../core/quant/affine.ts';
import { alignModalities, type WindowModality } from '../../core/stream/align.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { DEFAULT_LIMITS, MAX_VALUE, WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { ModalityReport, QuantizedPrototypes, Update } from '../../core/wire/update.ts';
import type { AgentStore, Checkpoint, StoredWindow } from '../store/agent-store.ts';
import type { RoundTrainer } from '../sync/session.ts';
import { compressDelta } from './delta.ts';

export interface TrainerOptions {
  readonly device: string;
  /** The board's modalities, in the order of its stored windows. */
  readonly modalities: readonly WindowModality[];
  readonly store: AgentStore;
  readonly networkFor: NetworkFor;
  /** Resolves after the next ingest, rejects when the signal aborts. */
  readonly nextArrival: (signal: AbortSignal) => Promise<void>;
  /** The stream ends some day (a recording): then the update tells whether another round is possible. */
  readonly finite: boolean;
  readonly log: Log;
}

export function createTrainer(options: TrainerOptions): RoundTrainer {
  const { store, log } = options;
  return {
    async runRound(plan, global, signal) {
      const before = store.checkpoint() ?? initialCheckpoint(global);
      if (before.round >= plan.round) return 'already-done';
      const boardIndex = matchModalities(plan.spec, options.modalities);
      const windows = await takeWindows(plan, before.cursor, options, signal);
      if (windows.length === 0) return 'no-windows';

      const inOrder = windows.map((window) => inSpecOrder(window, boardIndex));
      const used = plan.kind === 'training' ? windows : [];
      const cursor = used.at(-1)?.index ?? before.cursor;
      const backlog = store.countWindows({ afterIndex: cursor, classes: plan.spec.classes });
      const round = {
        device: options.device,
        round: plan.round,
        seq: before.seq + 1,
        modelVersion: global.version,
        shapeHash: shapeHash(plan.spec),
        windows: windows.length,
        backlog,
        ended: streamEnded(store) && backlog < plan.settings.windowsPerRound,
      };
      const work =
        plan.kind === 'training'
          ? trainOn(inOrder, plan, global, before, await options.networkFor(plan.spec))
          : { ...statisticsOf(inOrder, plan.spec), residual: before.residual, params: global.params };
      const update: Update = { ...round, online: work.online, modalities: work.modalities, model: work.model };
      const checkpoint: Checkpoint = {
        round: plan.round,
        cursor,
        seq: round.seq,
        modelVersion: global.version,
        params: work.params,
        residual: work.residual,
      };
      const row = { round: plan.round, seq: round.seq, payload: encodeUpdate(update) };
      store.commitTraining(
        checkpoint,
        row,
        used.map((window) => window.index),
      );
      log.info({ round: plan.round, windows: windows.length, bytes: row.payload.length }, 'update committed');
      return 'committed';
    },
  };
}

function initialCheckpoint(global: GlobalState): Checkpoint {
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
 * The next B usable windows, waiting for them to arrive. A finite stream is read one round ahead, so that the update can say truthfully
 * whether there will be another; when it has ended with fewer than B left, the statistics round makes do with what there is.
 */
async function takeWindows(
  plan: RoundPlan,
  cursor: number,
  options: TrainerOptions,
  signal: AbortSignal,
): Promise<StoredWindow[]> {
  const size = plan.settings.windowsPerRound;
  const query = { afterIndex: cursor, classes: plan.spec.classes };
  const wanted = options.finite ? 2 * size : size;
  while (options.store.countWindows(query) < wanted && !streamEnded(options.store)) await options.nextArrival(signal);
  const windows = options.store.nextWindows({ ...query, limit: size });
  return windows.length === size || plan.kind === 'statistics' ? windows : [];
}

function streamEnded(store: AgentStore): boolean {
  return store.ingestPosition()?.streamEnded ?? false;
}

/**
 * For each modality of the spec its position on the board, −1 when the board does not have it.
 * @throws AppError `shape-mismatch` when a modality of that name is measured otherwise: it would teach the fleet nonsense
 */
function matchModalities(spec: ModelSpec, board: readonly WindowModality[]): number[] {
  const index = alignModalities(board, spec.modalities);
  spec.modalities.forEach(({ name, samples, sampleRateHz }, m) => {
    const own = board[index[m] as number];
    if (own === undefined || own.samples === samples) return;
    throw new AppError(
      'shape-mismatch',
      `a window of '${name}' has ${own.samples} samples here and ${samples} in the fleet's model`,
      {
        where: name,
        hint: `set window.seconds and the sensor's rate (here ${own.sampleRateHz} Hz, there ${sampleRateHz} Hz) as the aggregator does`,
      },
    );
  });
  return index;
}

interface LabelledWindow {
  readonly label: string;
  readonly values: readonly (Float32Array | null)[];
  readonly quality: readonly number[];
}

function inSpecOrder(window: StoredWindow, boardIndex: readonly number[]): LabelledWindow {
  return {
    label: window.label ?? '',
    values: boardIndex.map((at) => window.values[at] ?? null),
    quality: boardIndex.map((at) => window.quality[at] ?? 0),
  };
}

type RoundWork = Pick<Update, 'online' | 'modalities' | 'model'> & Pick<Checkpoint, 'params' | 'residual'>;

function statisticsOf(
  windows: readonly LabelledWindow[],
  spec: ModelSpec,
): Pick<Update, 'online' | 'modalities' | 'model'> {
  const modalities = spec.modalities.map((modality, m) => {
    const present = windows.flatMap((window) => window.values[m] ?? []);
    const sums = present.length === 0 ? null : channelSums(present, modality.channels.length);
    return {
      windowsPresent: present.length,
      meanQuality: meanQualityOf(windows, m),
      weight: 0,
      prototypes: null,
      sums,
    };
  });
  return { online: { correct: 0, count: 0, lossSum: 0 }, modalities, model: [] };
}

function trainOn(
  windows: readonly LabelledWindow[],
  plan: RoundPlan,
  global: GlobalState,
  before: Checkpoint,
  network: Network,
): RoundWork {
  const { spec, settings } = plan;
  if (global.normalization === null)
    throw new AppError('internal', `model version ${global.version} has no normalization`);
  const labelled = windows.map((window) => ({ ...window, label: spec.classes.indexOf(window.label) }));
  const batch = makeBatch(labelled, spec, global.normalization);
  const out = network.train({ params: global.params, prototypes: global.prototypes, batch, settings });

  const weights = settings.qualityWeights ? batch.quality : batch.present; // [B, M]
  const prototypes = localPrototypes(out.embeddings, batch.labels, weights, spec.classes.length);
  const modalities = spec.modalities.map((_, m): ModalityReport => {
    const windowsPresent = windows.filter((window) => window.values[m] !== null).length;
    return {
      windowsPresent,
      meanQuality: meanQualityOf(windows, m),
      weight: toUnits(columnSum(weights, m, batch.size)),
      prototypes: settings.sendPrototypes ? quantizePrototypes(prototypes, m, settings.prototypeBits) : null,
      sums: null,
    };
  });
  const travels = (group: number) =>
    group < 0 || !settings.modalityWeights || (modalities[group]?.windowsPresent ?? 0) > 0;
  const online = onlineScore(out, batch, spec.classes.length);
  // A step that diverged is dropped whole: sent, it would be refused; kept, it would poison the residual for good.
  if (!isSendable(out.params, global.params, before.residual))
    return { online, modalities, model: [], params: global.params, residual: before.residual };
  const delta = compressDelta(
    paramLayout(spec),
    out.params,
    global.params,
    before.residual,
    settings.modelBits,
    travels,
  );
  return { online, modalities, model: delta.groups, params: out.params, residual: delta.residual };
}

/** Whether what is owed to the aggregator is within what it takes: finite, |Δ| ≤ MAX_VALUE, and not too long a step. */
function isSendable(trained: Float32Array, broadcast: Float32Array, residual: Float32Array): boolean {
  let squares = 0;
  for (let i = 0; i < trained.length; i++) {
    const owed = (trained[i] as number) - (broadcast[i] as number) + (residual[i] as number);
    if (!(Math.abs(owed) <= MAX_VALUE)) return false;
    squares += owed * owed;
  }
  return Math.sqrt(squares) <= DEFAULT_LIMITS.maxDeltaNorm;
}

function quantizePrototypes(set: PrototypeSet, m: number, bits: number): QuantizedPrototypes | null {
  const { classes, dim } = set;
  const units = Array.from({ length: classes }, (_, c) => toUnits(set.weight[m * classes + c] as number));
  const seen = units.flatMap((weight, c) => (weight > 0 ? [c] : []));
  if (seen.length === 0) return null;
  const values = new Float32Array(seen.length * dim); // [k, d]
  seen.forEach((c, k) => {
    const start = (m * classes + c) * dim;
    values.set(set.values.subarray(start, start + dim), k * dim);
  });
  return { classes: seen, weights: seen.map((c) => units[c] as number), values: quantize(values, bits) };
}

/** Predict-then-train: right predictions and summed cross-entropy over the round's windows. */
function onlineScore(out: TrainOutput, batch: Batch, classes: number): Update['online'] {
  let correct = 0;
  let lossSum = 0;
  for (let i = 0; i < batch.size; i++) {
    const row = out.probabilities.subarray(i * classes, (i + 1) * classes); // [C]
    const truth = batch.labels[i] as number;
    if (row.indexOf(Math.max(...row)) === truth) correct++;
    lossSum -= Math.log(Math.max(row[truth] as number, 1e-7));
  }
  return { correct, count: batch.size, lossSum };
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
