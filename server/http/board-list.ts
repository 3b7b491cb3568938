/**
 * Every board in a line: what it said last, how its sensors were over the newest rounds, and since when one is in trouble.
 * What closed rounds say is worked out once a round; what is live is laid over it.
 */
import type { WatchedBoard, WatchedRound } from '../fleet-watch.ts';
import type { BoardReport, ModalityQuality } from '../record.ts';
import type { BoardTotals } from '../store/history.ts';
import type { FleetWindow } from './fleet-window.ts';

/** A modality is in trouble below this, or when no window had it. */
export const BAD_QUALITY = 0.5;

export interface ModalityLine {
  readonly modality: string;
  readonly windowsPresent: number;
  readonly quality: number | null;
  readonly why: string | null;
  /** Newest rounds in a row, as far as `history` reaches, in which it was in trouble. */
  readonly badRounds: number;
  /** Quality in the rounds of the list; null where the board was not counted or no window had it. */
  readonly history: readonly (number | null)[];
}

export interface BoardLine {
  readonly device: string;
  readonly state: WatchedBoard['state'];
  readonly lastSeenMs: number | null;
  /** Newest round that it was counted in, the open one included. */
  readonly lastRound: number | null;
  readonly isAsked: boolean;
  readonly hasAnswered: boolean;
  readonly counted: number;
  readonly bytes: number;
  readonly windows: number | null;
  readonly backlog: number | null;
  /** Of its predictions in its newest update. */
  readonly accuracy: number | null;
  /** Empty until it is counted for the first time. */
  readonly modalities: readonly ModalityLine[];
  /** Modalities of the model that it says it does not have, or that no window of its newest update had. */
  readonly missing: readonly string[];
  /** Refusals since the aggregator started. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface BoardList {
  /** Ascending; what the boards' `history` is of. */
  readonly rounds: readonly number[];
  /** Sorted by device. */
  readonly boards: readonly BoardLine[];
}

interface Past {
  readonly totals: ReadonlyMap<string, BoardTotals>;
  readonly rounds: readonly number[];
  /** By device, one per round; null where it was not counted. */
  readonly reports: ReadonlyMap<string, readonly ((BoardReport & { readonly round: number }) | null)[]>;
}

export interface BoardLines {
  /** All boards with that many rounds of history. */
  all(rounds: number): BoardList;
  /** One of them, read by itself; null when it was never heard of. */
  one(device: string, rounds: number): { readonly rounds: readonly number[]; readonly board: BoardLine } | null;
}

export function createBoardLines(window: FleetWindow): BoardLines {
  let kept: { readonly key: string; readonly past: Past } | null = null;
  const pastOf = (rounds: number): Past => {
    const last = window.history.lastRound() ?? -1;
    const key = `${last} ${rounds} ${window.view.boards().size}`; // a forgotten board is not in the totals any more
    if (kept?.key !== key) kept = { key, past: readPast(window, last, rounds) };
    return kept.past;
  };
  return {
    all(rounds) {
      const past = pastOf(rounds);
      const now = present(window);
      const names = [...new Set([...now.boards.keys(), ...past.totals.keys()])].sort();
      return { rounds: past.rounds, boards: names.map((name) => lineOf(name, past, now, window)) };
    },
    one(device, rounds) {
      const past = readPastOf(device, window, rounds);
      const now = present(window);
      if (!now.boards.has(device) && !past.totals.has(device)) return null;
      return { rounds: past.rounds, board: lineOf(device, past, now, window) };
    },
  };
}

interface Present {
  readonly boards: ReadonlyMap<string, WatchedBoard>;
  readonly open: WatchedRound | null;
  readonly asked: ReadonlySet<string>;
}

function present({ view }: FleetWindow): Present {
  const open = view.round();
  return { boards: view.boards(), open, asked: new Set(open?.asked) };
}

function readPast({ history }: FleetWindow, last: number, rounds: number): Past {
  const totals = new Map(history.boards().map((board) => [board.device, board]));
  const from = Math.max(0, last - rounds + 1);
  const numbers = Array.from({ length: last - from + 1 }, (_, i) => from + i);
  const reports = new Map<string, ((BoardReport & { round: number }) | null)[]>();
  for (const report of history.reports(from, last)) {
    const row = reports.get(report.device) ?? numbers.map(() => null);
    row[report.round - from] = report;
    reports.set(report.device, row);
  }
  return { totals, rounds: numbers, reports };
}

function readPastOf(device: string, { history }: FleetWindow, rounds: number): Past {
  const last = history.lastRound() ?? -1;
  const from = Math.max(0, last - rounds + 1);
  const numbers = Array.from({ length: last - from + 1 }, (_, i) => from + i);
  const row: ((BoardReport & { round: number }) | null)[] = numbers.map(() => null);
  for (const { round, report } of history.updatesOf(device, last + 1, rounds)) {
    if (round >= from && report !== null) row[round - from] = { ...report, device, round };
  }
  const own = history.boards().filter((board) => board.device === device);
  return {
    totals: new Map(own.map((board) => [device, board])),
    rounds: numbers,
    reports: new Map([[device, row]]),
  };
}

function lineOf(device: string, past: Past, { boards, open, asked }: Present, { spec }: FleetWindow): BoardLine {
  const live = boards.get(device);
  const totals = past.totals.get(device);
  const reports = past.reports.get(device) ?? past.rounds.map(() => null);
  const hasAnswered = open?.arrivals.has(device) ?? false;
  const newest = live?.newest ?? reports.findLast((report) => report !== null) ?? null;
  const isAhead = hasAnswered && live?.newest?.round === open?.round; // counted, but in no closed round yet
  const names = spec.modalities.map(({ name }) => name);
  const lacks = (name: string, m: number) =>
    live?.modalities?.includes(name) === false || newest?.modalities[m]?.windowsPresent === 0;
  const counts = newest?.online.count ?? 0;
  return {
    device,
    state: live?.state ?? 'unknown',
    lastSeenMs: live?.heardMs ?? totals?.countedMs ?? null,
    lastRound: newest?.round ?? totals?.lastRound ?? null,
    isAsked: asked.has(device),
    hasAnswered,
    counted: (totals?.counted ?? 0) + (isAhead ? 1 : 0),
    bytes: (totals?.bytes ?? 0) + (isAhead ? (live?.newest?.bytes ?? 0) : 0),
    windows: newest?.windows ?? null,
    backlog: newest?.backlog ?? null,
    accuracy: counts === 0 ? null : (newest?.online.correct ?? 0) / counts,
    modalities: newest === null ? [] : names.map((name, m) => modalityLine(name, m, newest, reports)),
    missing: names.filter(lacks),
    refused: { ...live?.refused },
  };
}

function modalityLine(
  modality: string,
  m: number,
  newest: BoardReport & { readonly round: number },
  reports: readonly ((BoardReport & { readonly round: number }) | null)[],
): ModalityLine {
  const counted = reports.filter((report) => report !== null);
  const rows = counted.at(-1)?.round === newest.round ? counted : [...counted, newest];
  const good = rows.findLastIndex((report) => !isBad(report.modalities[m]));
  const { windowsPresent = 0, quality = null, why = null } = newest.modalities[m] ?? {};
  return {
    ...{ modality, windowsPresent, quality, why },
    badRounds: rows.length - 1 - good,
    history: reports.map((report) => report?.modalities[m]?.quality ?? null),
  };
}

function isBad(report: ModalityQuality | undefined): boolean {
  return report === undefined || report.quality === null || report.quality < BAD_QUALITY;
}
