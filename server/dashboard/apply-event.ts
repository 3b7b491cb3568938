/** What an event (docs/http-api.md) changes: pure functions from what was known to what is known. */
import type { BoardLine, ModalityLine } from '../http/board-list.ts';
import type { FleetAnswer } from './api.ts';
import { BAD_QUALITY } from './trouble.ts';

/** Rounds of history that a list shows and `badRounds` reaches. */
export const HISTORY = 30;

export interface FleetNow {
  readonly fleet: FleetAnswer;
  /** What every modality's history is of, ascending; the open round is the last. */
  readonly rounds: readonly number[];
  readonly openRound: number | null;
}

type Data = Readonly<Record<string, unknown>>;

export function fleetAfter(now: FleetNow, type: string, data: Data): FleetNow {
  const { fleet } = now;
  const put = (change: Partial<FleetAnswer>): FleetNow => ({ ...now, fleet: { ...fleet, ...change } });
  if (type === 'link') return put({ isLinkUp: data['isUp'] === true });
  if (type === 'rounds-paused') return put({ isPaused: data['isPaused'] === true });
  if (type === 'round-opened') {
    const { round, kind, asked, atMs } = data as { round: number; kind: string; asked: number; atMs: number };
    const deadlineMs = fleet.round?.deadlineMs ?? 0;
    return put({ round: { round, kind, openedMs: atMs, deadlineMs, asked, counted: 0 } });
  }
  if (type === 'update-counted' && fleet.round !== null) {
    return put({ round: { ...fleet.round, counted: fleet.round.counted + 1 } });
  }
  if (type === 'round-closed') {
    const { round, version, bytes } = data as { round: number; version: number; bytes: Record<string, number> };
    const { rounds, payloadBytes, fp32Bytes } = fleet.totals;
    const sums = { payloadBytes: payloadBytes + (bytes['payload'] ?? 0), fp32Bytes: fp32Bytes + (bytes['fp32'] ?? 0) };
    const model = { ...fleet.model, version };
    return put({ round: null, lastRound: round, model, totals: { rounds: rounds + 1, ...sums } });
  }
  return now;
}

/** A round that is newer than the histories becomes their last place. */
export function roundsAfter(now: FleetNow, round: number): FleetNow {
  const isNew = (now.rounds.at(-1) ?? -1) < round;
  return { ...now, rounds: [...now.rounds, ...(isNew ? [round] : [])].slice(-HISTORY), openRound: round };
}

/** A board when a round has opened. @param isNew the histories got a place for it */
export function boardInRound(board: BoardLine, isNew: boolean): BoardLine {
  const withPlace = (line: ModalityLine) => ({ ...line, history: [...line.history, null].slice(-HISTORY) });
  const modalities = isNew ? board.modalities.map(withPlace) : board.modalities;
  return { ...board, modalities, hasAnswered: false, isAsked: board.state === 'online' };
}

/** Null: the board is forgotten. */
export function boardAfter(
  before: BoardLine | undefined,
  device: string,
  type: string,
  data: Data,
  now: FleetNow,
): BoardLine | null {
  if (type === 'board-forgotten') return null;
  const board = before ?? unheard(device);
  const atMs = Number(data['atMs']);
  if (type === 'board') {
    const state = data['state'] as BoardLine['state'];
    return { ...board, state, ...(state !== 'offline' && { lastSeenMs: atMs }) };
  }
  if (type === 'update-refused') {
    const reason = String(data['reason']);
    const refused = { ...board.refused, [reason]: (board.refused[reason] ?? 0) + 1 };
    return { ...board, refused, lastSeenMs: atMs };
  }
  return type === 'update-counted' ? counted(board, data as unknown as Counted, now) : board;
}

interface Counted {
  readonly atMs: number;
  readonly round: number;
  readonly bytes: number;
  readonly windows: number;
  readonly backlog: number;
  readonly accuracy: number | null;
  readonly modalities: readonly Pick<ModalityLine, 'windowsPresent' | 'quality' | 'why'>[];
}

function counted(board: BoardLine, said: Counted, { fleet, rounds }: FleetNow): BoardLine {
  const { round, windows, backlog, accuracy } = said;
  const isAgain = board.lastRound !== null && round <= board.lastRound; // read already, before the events began
  if (isAgain) return { ...board, lastSeenMs: said.atMs };
  const place = rounds.indexOf(round);
  const names = fleet.spec.modalities.map(({ name }) => name);
  const modalities = names.map((modality, m): ModalityLine => {
    const old = board.modalities[m];
    const { windowsPresent, quality, why } = said.modalities[m] ?? { windowsPresent: 0, quality: null, why: null };
    const isBad = quality === null || quality < BAD_QUALITY;
    const history = old === undefined ? rounds.map(() => null as number | null) : [...old.history];
    if (place >= 0) history[place] = quality;
    const badRounds = isBad ? (old?.badRounds ?? 0) + 1 : 0;
    return { modality, windowsPresent, quality, why, badRounds, history };
  });
  const absent = modalities.filter(({ windowsPresent }) => windowsPresent === 0).map(({ modality }) => modality);
  return {
    ...board,
    ...{ bytes: board.bytes + said.bytes, counted: board.counted + 1, lastSeenMs: said.atMs, lastRound: round },
    ...{ windows, backlog, accuracy, modalities, missing: absent, isAsked: true, hasAnswered: true },
  };
}

function unheard(device: string): BoardLine {
  return {
    device,
    ...{
      state: 'unknown',
      lastSeenMs: null,
      lastRound: null,
      isAsked: false,
      hasAnswered: false,
      counted: 0,
      bytes: 0,
    },
    ...{ windows: null, backlog: null, accuracy: null, modalities: [], missing: [], refused: {} },
  };
}
