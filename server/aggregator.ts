/**
 * The aggregator as one thing that starts and stops: subscribes, then conducts rounds (`round.ts`) in the background.
 * Invariant: a round that was open when the process died is open for intake again before the first message is taken.
 */
import type { Clock } from '../core/base/clock.ts';
import { createCountedWarning } from '../core/base/counted-warning.ts';
import { AppError } from '../core/base/errors.ts';
import type { Lifecycle } from '../core/base/lifecycle.ts';
import type { Log } from '../core/base/log.ts';
import type { Message, Transport } from '../core/link/transport.ts';
import { createRng } from '../core/math/rng.ts';
import { paramLayout } from '../core/model/params.ts';
import { type ModelSpec, shapeHash } from '../core/model/spec.ts';
import { decodeBoardState } from '../core/wire/board-state.ts';
import { decodeStatus } from '../core/wire/decode-downlink.ts';
import { groupShapes } from '../core/wire/model-values.ts';
import type { Topics } from '../core/wire/topics.ts';
import { type BoardsAhead, createBoardsAhead } from './boards-ahead.ts';
import { createBroadcast } from './broadcast.ts';
import type { FleetState } from './fleet-state.ts';
import { createFleetWatch, type FleetView } from './fleet-watch.ts';
import { createGate } from './gate.ts';
import type { Holdout } from './holdout.ts';
import { createIntake } from './intake.ts';
import { createKnownBoards, type KnownBoards } from './known-boards.ts';
import { firstGlobal } from './next-global.ts';
import { createOperator, type Operator } from './operator.ts';
import { createPulse } from './pulse.ts';
import type { RoundRecord } from './record.ts';
import { createRefusalTally } from './refusal-tally.ts';
import { createRoster } from './roster.ts';
import { type RoundParts, runRounds } from './round.ts';
import { createRoundControl } from './round-control.ts';
import type { RoundSettings } from './round-settings.ts';
import type { RoundStore } from './store/round-store.ts';
import type { Strategy } from './strategies/strategy.ts';

export interface AggregatorOptions {
  readonly config: RoundSettings;
  readonly spec: ModelSpec;
  readonly strategy: Strategy;
  /** Disposed of by the caller, after `stop`. */
  readonly store: RoundStore;
  /** Started and stopped by the caller. */
  readonly transport: Transport;
  readonly topics: Topics;
  readonly holdout: Holdout | null;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each closed round, when it is persisted. */
  readonly onRound?: (record: RoundRecord) => void;
}

export interface Outcome {
  /** Version of the last global model. */
  readonly version: number;
  /** Rounds closed, round 0 included. */
  readonly rounds: number;
  /** False when it was stopped before its end. */
  readonly complete: boolean;
}

export interface Aggregator extends Lifecycle {
  /** Once started: resolves after the last round has closed, or after `stop`; rejects with AppError when the store fails. */
  readonly finished: Promise<Outcome>;
  currentGlobal(): FleetState;
  /** What people may see of it and do to it, once started. */
  view(): FleetView;
  operator(): Operator;
  /** Resolves when no board is online any more that could still take part; rejects when stopped. */
  farewell(): Promise<void>;
}

export function createAggregator(options: AggregatorOptions): Aggregator {
  const { config, spec, store, transport, topics, log } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  let parts: RoundParts | null = null;
  let global: FleetState | null = null;
  let conducted: Promise<unknown> = Promise.resolve();
  let conclude: (outcome: Promise<Outcome>) => void;
  const finished = new Promise<Outcome>((resolve) => {
    conclude = resolve;
  });
  finished.catch(() => undefined); // whoever awaits it is told; nobody has to

  const currentGlobal = () => global ?? store.global() ?? firstGlobal(spec, config.seed);
  const onRound = (record: RoundRecord, next: FleetState) => {
    global = next;
    options.onRound?.(record);
  };
  const running = () => {
    if (parts === null) throw new AppError('internal', 'the aggregator has not been started');
    return parts;
  };
  const conduct = async (started: RoundParts): Promise<Outcome> => {
    const complete = await runRounds(started, currentGlobal(), signal).then(
      () => true,
      (error) => {
        if (signal.aborted) return false;
        log.error({ error: String(error) }, 'aggregation failed');
        throw error;
      },
    );
    return { version: currentGlobal().version, rounds: (store.lastRecord()?.round ?? -1) + 1, complete };
  };
  return {
    finished,
    currentGlobal,
    view: () => running().watch,
    operator: () => createOperator({ ...running(), ...options }),
    async farewell() {
      while (parts !== null && parts.roster.availableCount() > 0) await parts.pulse.next(signal);
    },
    async start(outer) {
      outer.addEventListener('abort', () => stopping.abort(outer.reason), { once: true });
      global = store.global();
      if (global === null) {
        global = currentGlobal();
        store.begin(global);
      }
      const started = connectParts(options, onRound);
      parts = started;
      const { intake, broadcast, watch } = started;
      const open = store.openRound();
      if (open !== null) intake.open(open);
      watch.link(true); // the caller has started the transport
      transport.onState((connected) => {
        watch.link(connected);
        if (connected) broadcast.again(signal).catch(() => undefined); // rejects only when stopping
      });
      const takeStatus = createStatusTaker(options, started, signal);
      await transport.subscribe(topics.statusFilter, takeStatus);
      await transport.subscribe(topics.stateFilter, (message) => takeState(message, options, started));
      await transport.subscribe(topics.upFilter, (message) => intake.handle(message));
      const outcome = conduct(started);
      conclude(outcome);
      conducted = outcome.catch(() => undefined); // told through `finished`
    },
    async stop() {
      stopping.abort();
      await conducted;
    },
  };
}

/** What a board says of itself is for those who look: nothing follows from it. */
function takeState(
  { topic, payload }: Message,
  { topics, log }: AggregatorOptions,
  { boards, watch }: Pick<RoundParts, 'watch'> & { readonly boards: KnownBoards },
): void {
  const device = topics.deviceOf(topic);
  const state = decodeBoardState(payload);
  if (device === null || !state.ok) log.debug({ topic }, 'state not understood');
  else if (boards.remember(device)) watch.told(device, state.value);
}

/** Who cannot be understood, or has no place, could be anybody: of these a log has a line a minute. */
function createStatusTaker(
  { topics, clock, log }: AggregatorOptions,
  { roster, boards, ahead, intake, watch, pulse }: ConnectedParts,
  signal: AbortSignal,
): (message: Message) => void {
  const warnUnread = createCountedWarning({ message: 'status not understood', clock, log, signal });
  const warnTooMany = createCountedWarning({ message: 'status of one board too many', clock, log, signal });
  return ({ topic, payload, retained }) => {
    if (payload.length === 0) return; // a forgotten board's
    const status = decodeStatus(payload, topics.deviceOf(topic) ?? '');
    if (!status.ok) return warnUnread({ topic, detail: status.detail });
    const { device } = status.value;
    if (!boards.remember(device)) return warnTooMany({ device });
    log.debug(status.value, 'board status');
    ahead.said(status.value, !retained, intake.round());
    roster.heard(status.value, retained);
    watch.heard(status.value, retained);
    pulse.beat();
  };
}

interface ConnectedParts extends RoundParts {
  readonly boards: KnownBoards;
  readonly ahead: BoardsAhead;
}

function connectParts(options: AggregatorOptions, onRound: RoundParts['onRound']): ConnectedParts {
  const { config, spec, strategy, store, transport, topics, holdout, clock, log } = options;
  const pulse = createPulse();
  const control = createRoundControl(pulse);
  const watch = createFleetWatch(clock, store.lastRecord());
  const known = store.devices();
  const roster = createRoster(known, store.ended());
  const boards = createKnownBoards({
    clock,
    maxBoards: config.maxBoards,
    updatesPerMinute: config.updatesPerMinute,
    proven: known,
    hasLeft: (device) => !roster.isOnline(device),
    onForgotten(device) {
      roster.forget(device);
      watch.forgotten(device);
    },
  });
  const hash = shapeHash(spec);
  const random = createRng(`${config.seed}/broadcast`).next;
  const epoch = store.epoch();
  const broadcast = createBroadcast({ transport, topics, shapeHash: hash, epoch, clock, random, log });
  const ahead = createBoardsAhead(epoch, log);
  const intake = createIntake({
    store,
    topics,
    gate: createGate({ boards, tally: createRefusalTally(store), onHeard: roster.sawSign }),
    frame: {
      epoch,
      shapeHash: hash,
      spec,
      layout: groupShapes(paramLayout(spec)),
      limits: config.limits,
      maxWindows: strategy.settings.windowsPerRound,
    },
    reply: broadcast.receipt,
    lateRounds: config.lateRounds,
    onCounted(update, bytes, isLate) {
      const { device, ended } = update;
      // A late update knows nothing of what came after it: that its board had not ended then says nothing now.
      if (ended || !isLate) roster.counted(device, ended);
      watch.counted(update, bytes);
      pulse.beat();
    },
    onRefused: watch.refused,
    onAhead: (device, round) => ahead.said({ device, round }, true, intake.round()),
    log,
  });
  const told = { ahead, control, watch, onRound };
  return { config, spec, strategy, store, roster, boards, intake, pulse, broadcast, holdout, clock, log, ...told };
}
