/**
 * The fleet as it is now, for people who look: who is there, what each board said last, how far the open round is, what was refused.
 * The aggregator tells it, the HTTP API reads it. Invariant: no decision is made by it, and it holds no board that the aggregator has
 * forgotten (`known-boards.ts` bounds how many there are).
 */
import type { Clock } from '../core/base/clock.ts';
import type { BoardState as SaidState } from '../core/wire/board-state.ts';
import type { DeviceStatus } from '../core/wire/downlink.ts';
import type { RejectReason, Update } from '../core/wire/update.ts';
import { reportOf } from './describe-reports.ts';
import { type BoardState, createEventRing, type EventRing } from './event-ring.ts';
import type { BoardReport, RoundRecord } from './record.ts';
import type { OpenRound } from './store/round-store.ts';

export interface WatchedBoard {
  readonly state: BoardState;
  /** Modalities that it says it has; null when it has not said. */
  readonly modalities: readonly string[] | null;
  /** Wall time of the last message from the board itself; null since the start. */
  readonly heardMs: number | null;
  /** What it said last of itself, and when by wall time; null since the start. */
  readonly said: (SaidState & { readonly atMs: number }) | null;
  /** Its newest counted update since the start. */
  readonly newest: (BoardReport & { readonly round: number; readonly bytes: number }) | null;
  /** Refusals since the start, by reason. */
  readonly refused: Readonly<Partial<Record<RejectReason, number>>>;
}

export interface WatchedRound extends OpenRound {
  /** Wall time of its opening, or of the start of a program that found it open. */
  readonly openedMs: number;
  readonly openForMs: number;
  /** By device that has answered: milliseconds after the opening; null where that was before a restart. */
  readonly arrivals: ReadonlyMap<string, number | null>;
}

export interface RefusedUpdate {
  readonly atMs: number;
  readonly device: string;
  readonly reason: RejectReason;
}

/** Sums since the start of the process. */
export interface WatchedTotals {
  readonly roundsClosed: number;
  readonly counted: number;
  readonly payloadBytes: number;
  readonly fp32Bytes: number;
  readonly refused: Readonly<Partial<Record<RejectReason, number>>>;
}

export interface FleetView {
  readonly startedMs: number;
  readonly events: EventRing;
  boards(): ReadonlyMap<string, WatchedBoard>;
  round(): WatchedRound | null;
  /** Newest first, at most 200. */
  refusals(): readonly RefusedUpdate[];
  totals(): WatchedTotals;
  lastRecord(): RoundRecord | null;
  isLinkUp(): boolean;
}

export interface FleetWatch extends FleetView {
  /** `isRetained`: the broker told it, not the board. */
  heard(status: DeviceStatus, isRetained: boolean): void;
  /** What a board says of itself. */
  told(device: string, said: SaidState): void;
  /** `counted`: devices that the store had already. */
  opened(round: OpenRound, counted: readonly string[]): void;
  counted(update: Update, bytes: number): void;
  refused(device: string, reason: RejectReason): void;
  closed(record: RoundRecord): void;
  forgotten(device: string): void;
  link(isUp: boolean): void;
}

const KEPT_EVENTS = 4096;
const KEPT_REFUSALS = 200;

const NOTHING_HEARD: WatchedBoard = {
  ...{ state: 'unknown', modalities: null, heardMs: null, said: null, newest: null },
  refused: {},
};

/** @param newest the last record in the store */
export function createFleetWatch(clock: Clock, newest: RoundRecord | null): FleetWatch {
  const events = createEventRing(KEPT_EVENTS, () => clock.wallMs());
  const { boards, update } = createBoardBook();
  const tally = createTally(clock);
  let open: { round: OpenRound; openedMs: number; at: number; arrivals: Map<string, number | null> } | null = null;
  let record = newest;
  let isUp = false;
  const now = () => ({ heardMs: clock.wallMs() });
  return {
    ...{ startedMs: clock.wallMs(), events },
    boards: () => boards,
    round() {
      if (open === null) return null;
      const { round, openedMs, at, arrivals } = open;
      return { ...round, openedMs, openForMs: clock.nowMs() - at, arrivals };
    },
    refusals: tally.refusals,
    totals: tally.totals,
    lastRecord: () => record,
    isLinkUp: () => isUp,

    heard({ device, state, modalities }, isRetained) {
      const isOwn = !isRetained && state !== 'offline'; // `offline` is the broker's word
      const before = boards.get(device)?.state;
      update(device, () => ({ state, modalities, ...(isOwn && now()) }));
      if (before !== state) events.push('board', { device, state });
    },
    told(device, said) {
      const before = boards.get(device)?.said;
      update(device, () => ({ ...now(), said: { ...said, atMs: clock.wallMs() } }));
      if (!isAlike(before, said)) events.push('state', { device, ...said });
    },
    opened(round, counted) {
      const isAgain = open?.round.round === round.round;
      if (open !== null && isAgain) open.round = round;
      else {
        const arrivals = new Map(counted.map((device) => [device, null]));
        open = { round, openedMs: clock.wallMs(), at: clock.nowMs(), arrivals };
      }
      if (!isAgain) events.push('round-opened', { round: round.round, kind: round.kind, asked: round.asked.length });
    },
    counted(counted, bytes) {
      const { device, round } = counted;
      const arrivedMs = open === null ? null : clock.nowMs() - open.at;
      if (open?.round.round === round) open.arrivals.set(device, arrivedMs); // a late update is no answer to this round
      const report = reportOf(counted, arrivedMs);
      update(device, () => ({ ...now(), newest: { ...report, round, bytes } }));
      events.push('update-counted', { round, bytes, ...outlineOf(report) });
      tally.counted();
    },
    refused(device, reason) {
      update(device, (board) => ({ ...now(), refused: oneMore(board.refused, reason) }));
      tally.refused(device, reason);
      events.push('update-refused', { device, reason });
    },
    closed(closed) {
      record = closed;
      open = null;
      tally.closed(closed);
      events.push('round-closed', lineOf(closed));
    },
    forgotten(device) {
      boards.delete(device);
      events.push('board-forgotten', { device });
    },
    link(now) {
      if (now !== isUp) events.push('link', { isUp: now });
      isUp = now;
    },
  };
}

/** Boards by name. */
function createBoardBook() {
  const boards = new Map<string, WatchedBoard>();
  return {
    boards,
    update(device: string, change: (board: WatchedBoard) => Partial<WatchedBoard>): void {
      const board = boards.get(device) ?? NOTHING_HEARD;
      boards.set(device, { ...board, ...change(board) });
    },
  };
}

/** What has been counted and refused since the start. */
function createTally(clock: Clock) {
  const refusals: RefusedUpdate[] = [];
  let totals: WatchedTotals = { roundsClosed: 0, counted: 0, payloadBytes: 0, fp32Bytes: 0, refused: {} };
  return {
    refusals: () => refusals,
    totals: () => totals,
    counted() {
      totals = { ...totals, counted: totals.counted + 1 };
    },
    refused(device: string, reason: RejectReason) {
      totals = { ...totals, refused: oneMore(totals.refused, reason) };
      refusals.unshift({ atMs: clock.wallMs(), device, reason });
      refusals.length = Math.min(refusals.length, KEPT_REFUSALS);
    },
    closed({ bytes: { payload, fp32 } }: RoundRecord) {
      const { roundsClosed, payloadBytes, fp32Bytes } = totals;
      const sums = { payloadBytes: payloadBytes + payload, fp32Bytes: fp32Bytes + fp32 };
      totals = { ...totals, roundsClosed: roundsClosed + 1, ...sums };
    },
  };
}

/** What listeners are told of a counted update. */
function outlineOf({ device, arrivedMs, windows, backlog, online, modalities }: BoardReport) {
  const accuracy = online.count === 0 ? null : online.correct / online.count;
  return { device, arrivedMs, windows, backlog, accuracy, modalities };
}

/** Nothing has changed that somebody would want to be woken for: qualities and confidences change all the time. */
function isAlike(before: SaidState | null | undefined, now: SaidState): boolean {
  if (before === null || before === undefined) return false;
  const { online, activity, faults } = before;
  return online === now.online && activity === now.activity && faults.join() === now.faults.join();
}

function oneMore(of: WatchedTotals['refused'], reason: RejectReason): WatchedTotals['refused'] {
  return { ...of, [reason]: (of[reason] ?? 0) + 1 };
}

function lineOf({ round, version, devices, rejected, durationMs, bytes, online, evaluation }: RoundRecord) {
  const refused = Object.values(rejected).reduce((sum, count) => sum + count, 0);
  const clean = evaluation?.clean ?? null;
  return { round, version, boards: devices.length, refused, durationMs, bytes, online, clean };
}
