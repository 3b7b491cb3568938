/**
 * One seed of a replay without broker, disk and clock: every board's round is the same pure work as on a board, and all boards
 * train as one batched computation. What comes out is what `runFleet` comes to, up to rounding of float32 (ARCHITECTURE §9), several
 * times sooner. For experiments; what a board in the field runs is `fleet.ts`.
 */
import { roundingOf } from '../../agent/learn/delta.ts';
import { withGuesses } from '../../agent/learn/guesses.ts';
import {
  finishTraining,
  initialCheckpoint,
  type LabelledWindow,
  type RoundWork,
  statisticsWork,
  trainingInput,
} from '../../agent/learn/round-work.ts';
import type { Checkpoint } from '../../agent/store/agent-store.ts';
import { createJudge } from '../../agent/stream/judge.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Network } from '../../core/model/network.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import { paramLayout } from '../../core/model/params.ts';
import { shapeHash } from '../../core/model/spec.ts';
import { checkValues } from '../../core/wire/check-values.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import type { UpdateLimits } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { groupShapes } from '../../core/wire/model-values.ts';
import { topics } from '../../core/wire/topics.ts';
import type { Update } from '../../core/wire/update.ts';
import { roundSettingsFrom, specFrom, strategyFrom } from '../../server/config.ts';
import { describeRound } from '../../server/describe-round.ts';
import { averagedParams, type FleetState } from '../../server/fleet-state.ts';
import { createHoldout, type Holdout } from '../../server/holdout.ts';
import { firstGlobal, nextGlobal } from '../../server/next-global.ts';
import type { Evaluation, RoundRecord } from '../../server/record.ts';
import { type FleetOutcome, fleetConfig } from './fleet.ts';
import { createHostility, type Hostility } from './hostile.ts';
import type { ReplayOptions } from './options.ts';
import type { BoardPlan, FleetPlan } from './plan.ts';

/** A board between rounds. */
interface SimulatedBoard {
  readonly device: string;
  readonly windows: readonly LabelledWindow[];
  /** Of the next window. */
  next: number;
  checkpoint: Checkpoint;
  /** What it is tested with where boards keep their models: its own, averaged over rounds as the fleet's is. */
  served: Pick<FleetState, 'version' | 'averaged'>;
}

export async function simulateFleet(
  plan: FleetPlan,
  options: ReplayOptions,
  seed: number,
  networkFor: NetworkFor,
  onRound: (record: RoundRecord) => void,
): Promise<FleetOutcome> {
  const config = fleetConfig(plan, options, seed, '');
  const [spec, strategy] = [specFrom(config), strategyFrom(config)];
  const { settings, modelMemory } = strategy;
  const { maxRounds: lastRound, limits } = roundSettingsFrom(config);
  const network = await networkFor(spec);
  const holdout = createHoldout({ network, spec, windows: plan.holdout, settings, conditions: 'all' });
  let global = firstGlobal(spec, seed);
  const names = plan.boards.map(({ device }) => device);
  const hostility = createHostility(options.hostile, names, { spec, classes: plan.classes, limits, seed });
  const boards = plan.boards.map((board) => startBoard(board, plan, settings.pseudoLabels > 0, global, hostility));
  const records: RoundRecord[] = [];
  let sentBytes = 0;

  for (let round = 0; round <= lastRound; round++) {
    const kind = round === 0 ? 'statistics' : 'training';
    const about: RoundPlan = { round, kind, modelVersion: global.version, deadlineMs: 0, spec, settings, epoch: EPOCH };
    const able = boards.filter((board) => isAble(board, about));
    if (able.length === 0) break;
    const works = kind === 'statistics' ? statistics(able, about, global) : train(able, about, global, network);
    const sent = able.map((board, b) => hostility.sent(commit(board, works[b] as RoundWork, about)));
    sent.sort((a, b) => (a.device < b.device ? -1 : 1));
    const { updates, rejected } = admitted(sent, about, limits);
    if (kind === 'training' && !settings.shareModel)
      for (const board of able) board.served = servedNext(board, modelMemory);
    const next = nextGlobal(kind, global, updates, spec, strategy);
    global = next.global;
    const isDue = kind === 'training' && (round === lastRound || round % options.evaluateEvery === 0);
    const evaluation = isDue ? evaluate(holdout, global, boards, settings.shareModel) : null;
    const open = { round, kind, modelVersion: about.modelVersion, asked: able.map(({ device }) => device) } as const;
    const { taken } = next;
    const facts = { open, version: global.version, updates, taken, rejected, durationMs: 0, evaluation };
    const record = describeRound(facts, spec);
    records.push(record);
    sentBytes += sent.reduce((sum, update) => sum + bytesOnSocket(update, config.fleet), 0);
    onRound(record);
  }
  return { global, records, sentBytes };
}

/** Judges the board's windows as its recorder would, in order, and keeps those that a round can use. */
function startBoard(
  { device, windows }: BoardPlan,
  { modalities, classes }: FleetPlan,
  usesUnlabelled: boolean,
  global: FleetState,
  { told }: Hostility,
): SimulatedBoard {
  const judge = createJudge(modalities, null);
  const usable = windows
    .map((window) => judge.judged(window))
    .filter(({ label }) => (label === null ? usesUnlabelled : classes.includes(label)))
    .map(
      ({ label, values, quality, why = [] }): LabelledWindow => ({
        label: label === null ? '' : told(device, label),
        values,
        quality,
        why,
      }),
    );
  const served = { version: 0, averaged: global.averaged };
  return { device, windows: usable, next: 0, checkpoint: initialCheckpoint(global), served };
}

/** As a board decides: a training round takes all its windows, the statistics round makes do with what there is. */
function isAble({ windows, next }: SimulatedBoard, { kind, settings }: RoundPlan): boolean {
  return next + (kind === 'statistics' ? 1 : settings.windowsPerRound) <= windows.length;
}

function statistics(boards: readonly SimulatedBoard[], { spec, settings }: RoundPlan, global: FleetState): RoundWork[] {
  return boards.map(({ windows, checkpoint }) =>
    statisticsWork(windows.slice(0, settings.windowsPerRound), spec, global, checkpoint),
  );
}

function train(boards: readonly SimulatedBoard[], plan: RoundPlan, global: FleetState, network: Network): RoundWork[] {
  const taken = boards.map(({ windows, next, checkpoint }) =>
    withGuesses(windows.slice(next, next + plan.settings.windowsPerRound), plan, global, checkpoint, network),
  );
  const inputs = boards.map(({ checkpoint, device }, b) =>
    trainingInput(taken[b] as LabelledWindow[], plan, global, checkpoint, device),
  );
  return network.trainAll(inputs).map((out, b) => {
    const { device, checkpoint } = boards[b] as SimulatedBoard;
    const input = inputs[b] as (typeof inputs)[number];
    return finishTraining(taken[b] as LabelledWindow[], plan, checkpoint, input, out, roundingOf(device, plan.round));
  });
}

/** What the board sends; its windows count as used from here on. */
function commit(
  board: SimulatedBoard,
  work: RoundWork,
  { round, kind, modelVersion, spec, settings, epoch = EPOCH }: RoundPlan,
): Update {
  const { windowsPerRound } = settings;
  if (kind === 'training') board.next += windowsPerRound;
  const seq = board.checkpoint.seq + 1;
  const { params, residual, own, history, ...sent } = work;
  board.checkpoint = { round, cursor: board.next - 1, seq, modelVersion, params, residual, own, history };
  const backlog = board.windows.length - board.next;
  const windows = kind === 'training' ? windowsPerRound : Math.min(windowsPerRound, board.windows.length);
  return {
    device: board.device,
    round,
    seq,
    modelVersion,
    shapeHash: shapeHash(spec),
    windows,
    backlog,
    ended: backlog < windowsPerRound,
    epoch,
    ...sent,
  };
}

/**
 * What the aggregator counts of it, by the checks that it decodes with, and refusals by reason.
 * @throws AppError `internal` when nothing is left: boards and aggregator would wait for each other for ever
 */
function admitted(sent: readonly Update[], { round, spec }: RoundPlan, limits: UpdateLimits) {
  const layout = groupShapes(paramLayout(spec));
  const rejected: Record<string, number> = {};
  const updates = sent.filter((update) => {
    const refusal = checkValues(update, { layout, limits });
    if (refusal !== null) rejected[refusal.reason] = (rejected[refusal.reason] ?? 0) + 1;
    return refusal === null;
  });
  if (updates.length > 0) return { updates, rejected };
  throw new AppError('internal', `every update of round ${round} is refused: ${Object.keys(rejected).join(', ')}`);
}

function servedNext({ served, checkpoint }: SimulatedBoard, modelMemory: number): SimulatedBoard['served'] {
  return { version: served.version + 1, averaged: averagedParams(served, checkpoint.params, modelMemory) };
}

/** The fleet's model; where boards keep their own, the mean over boards. */
function evaluate(
  holdout: Holdout,
  global: FleetState,
  boards: readonly SimulatedBoard[],
  shareModel: boolean,
): Evaluation {
  if (shareModel) return holdout.evaluate(global);
  return meanEvaluation(boards.map(({ served: { averaged } }) => holdout.evaluate({ ...global, averaged })));
}

function meanEvaluation(all: readonly Evaluation[]): Evaluation {
  const mean = (of: (evaluation: Evaluation) => number) => all.reduce((sum, one) => sum + of(one), 0) / all.length;
  const byName = (part: 'missing' | 'degraded') =>
    Object.fromEntries(
      Object.keys(all[0]?.[part] ?? {}).map((name) => [name, mean((one) => one[part][name] as number)]),
    );
  return {
    clean: mean(({ clean }) => clean),
    missing: byName('missing'),
    degraded: byName('degraded'),
    calibration: {
      untempered: mean(({ calibration }) => calibration?.untempered ?? 0),
      served: mean(({ calibration }) => calibration?.served ?? 0),
    },
  };
}

/** Nothing follows from it; updates have the size that they have in the field. */
const EPOCH = '0000000000000001';

/** Messages that a board is sent in a round at QoS 1: model, prototypes, plan, receipt, who was counted. */
const RECEIVED_PER_ROUND = 5;

/** Bytes that a round's packets take on a board's socket (MQTT 3.1.1 §3.3, §3.4): the update, and an acknowledgement of 4 per message received. */
function bytesOnSocket(update: Update, fleet: string): number {
  const rest = 2 + topics(fleet).up(update.device).length + 2 + encodeUpdate(update).length;
  const lengthBytes = Math.max(1, Math.ceil(Math.log2(rest + 1) / 7));
  return 1 + lengthBytes + rest + 4 * RECEIVED_PER_ROUND;
}
