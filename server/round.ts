/**
 * THE SPINE of the aggregator: wait for boards → open a round → collect → aggregate → evaluate → persist → broadcast → next.
 * Round 0 agrees on the fleet's normalization, every later one trains. What is broadcast has been persisted, so a crash at any
 * point repeats nothing and loses nothing (ARCHITECTURE §3).
 */
import type { Clock } from '../core/base/clock.ts';
import type { Log } from '../core/base/log.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import type { RoundPlan } from '../core/wire/downlink.ts';
import type { Update } from '../core/wire/update.ts';
import { assemble } from './assemble.ts';
import type { Broadcast } from './broadcast.ts';
import { collect } from './collect.ts';
import type { TakenChange } from './combine.ts';
import { describeReports } from './describe-reports.ts';
import { describeRound } from './describe-round.ts';
import type { FleetState } from './fleet-state.ts';
import type { FleetWatch } from './fleet-watch.ts';
import type { Holdout } from './holdout.ts';
import type { Intake } from './intake.ts';
import { nextGlobal } from './next-global.ts';
import type { Pulse } from './pulse.ts';
import type { RoundRecord } from './record.ts';
import type { Roster } from './roster.ts';
import type { RoundControl } from './round-control.ts';
import type { RoundSettings } from './round-settings.ts';
import type { CountedBoard, OpenRound, RoundStore } from './store/round-store.ts';
import type { Strategy } from './strategies/strategy.ts';

/** What the spine conducts. */
export interface RoundParts {
  readonly config: RoundSettings;
  readonly spec: ModelSpec;
  readonly strategy: Strategy;
  readonly store: RoundStore;
  readonly roster: Roster;
  readonly intake: Intake;
  /** Beats when roster or intake have changed. */
  readonly pulse: Pulse;
  readonly broadcast: Broadcast;
  readonly holdout: Holdout | null;
  readonly control: RoundControl;
  /** Told of what happens. */
  readonly watch: FleetWatch;
  readonly clock: Clock;
  readonly log: Log;
  /** Called after each closed round, when it is persisted. */
  readonly onRound: (record: RoundRecord, global: FleetState) => void;
}

/**
 * Runs rounds until the last one has closed. Rejects with the signal's reason when it aborts, with AppError when the store fails.
 * @param current the state to start from, as the store has it
 */
export async function runRounds(parts: RoundParts, current: FleetState, signal: AbortSignal): Promise<void> {
  const { store, intake, broadcast, watch, log } = parts;
  let global = current;
  await broadcast.global(global, store.lastRecord()?.round ?? 0, signal);
  await tellClosed(parts, signal); // again: a crash may have come between persisting and telling
  for (;;) {
    const round = store.openRound() ?? (await openRound(parts, global.version, signal));
    if (round === null) break;
    const openedMs = parts.clock.nowMs();
    intake.open(round);
    watch.opened(round, intake.devices());
    await broadcast.plan(planOf(round, parts), signal);
    const cause = await collect(round, parts, signal);
    if (cause === 'nobody') {
      if ((await askAgain(round, parts, signal)) === null) break;
      continue;
    }
    const updates = intake.close();
    for (const { device, ended } of updates) if (ended) parts.roster.counted(device, true); // of one counted before a restart it has not heard
    const next = nextGlobal(round.kind, global, updates, parts.spec, parts.strategy);
    global = next.global;
    const record = recordOf(round, next, updates, parts.clock.nowMs() - openedMs, parts);
    const boards = boardsOf(updates, next.taken, parts.roster);
    const reports = describeReports(round.round, updates, watch.round()?.arrivals);
    store.close({ record, global, boards, reports, closedAtMs: parts.clock.wallMs() });
    watch.closed(record);
    log.info({ round: round.round, cause, devices: updates.length, version: global.version }, 'round closed');
    parts.onRound(record, global);
    await tellClosed(parts, signal);
    await broadcast.global(global, round.round, signal);
  }
  const last = { round: store.lastRecord()?.round ?? 0, kind: 'finished', modelVersion: global.version } as const;
  await broadcast.plan(planOf(last, parts), signal);
}

/** The next round, opened with the boards that are there; null when there is none to come. */
async function openRound(parts: RoundParts, modelVersion: number, signal: AbortSignal): Promise<OpenRound | null> {
  const number = (parts.store.lastRecord()?.round ?? -1) + 1;
  if (isBeyondLast(number, parts.config)) return null;
  return askAgain({ round: number, kind: number === 0 ? 'statistics' : 'training', modelVersion }, parts, signal);
}

/** (Re)opens the round with the boards that are there, not while the operator wants none; null when nothing more will come from any. */
async function askAgain(
  round: Omit<OpenRound, 'asked'>,
  parts: RoundParts,
  signal: AbortSignal,
): Promise<OpenRound | null> {
  let asked: readonly string[] | null;
  do {
    await parts.control.whileRunning(signal);
    asked = await assemble(parts, round.round, signal);
  } while (parts.control.isPaused());
  if (asked === null) return null;
  const opened = { ...round, asked };
  parts.store.open(opened);
  return opened;
}

/** What the store keeps of each update's board; of a late one, whether it has ended is what the roster knows. */
function boardsOf(updates: readonly Update[], taken: readonly TakenChange[], roster: Roster): CountedBoard[] {
  return updates.map(({ device, ended }, i) => ({
    ...(taken[i] as TakenChange),
    ended: ended || roster.hasEnded(device),
  }));
}

function recordOf(
  open: OpenRound,
  { global, taken }: ReturnType<typeof nextGlobal>,
  updates: readonly Update[],
  durationMs: number,
  { config, spec, store, roster, holdout }: RoundParts,
): RoundRecord {
  const isLast = isBeyondLast(open.round + 1, config) || hasEveryBoardEnded(roster, config);
  const isDue = open.kind === 'training' && (isLast || open.round % config.evaluateEvery === 0);
  const evaluation = isDue && holdout !== null ? holdout.evaluate(global) : null;
  const rejected = store.rejections(open.round);
  return describeRound({ open, version: global.version, updates, taken, rejected, durationMs, evaluation }, spec);
}

/** Tells who was counted in the newest closed round. */
async function tellClosed({ store, broadcast }: RoundParts, signal: AbortSignal): Promise<void> {
  const record = store.lastRecord();
  if (record === null) return;
  const accepted = store.counted(record.round).map(({ device, seq, round }) => {
    const lateBy = record.round - round;
    return { device, seq, ...(lateBy > 0 && { lateBy }) };
  });
  await broadcast.closed({ round: record.round, accepted }, signal);
}

function planOf(
  about: Pick<RoundPlan, 'round' | 'kind' | 'modelVersion'>,
  { config, spec, strategy }: RoundParts,
): RoundPlan {
  const { round, kind, modelVersion } = about;
  const { deadlineMs, lateRounds, limits } = config;
  const terms = { maxUpdateBytes: limits.maxPayloadBytes, ...(lateRounds > 0 && { lateRounds }) };
  return { round, kind, modelVersion, deadlineMs, spec, settings: strategy.settings, ...terms };
}

function isBeyondLast(round: number, { maxRounds }: RoundSettings): boolean {
  return maxRounds > 0 && round > maxRounds;
}

function hasEveryBoardEnded(roster: Roster, { minBoards }: RoundSettings): boolean {
  return roster.available().length === 0 && roster.endedCount() >= minBoards;
}
