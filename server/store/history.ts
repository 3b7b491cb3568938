/**
 * What has been, for people who look: closed rounds, boards and curves, read by a connection of its own while the aggregator writes.
 * Invariant: every query is bounded, by its limit or by the span of rounds that it may read, however long the fleet has run.
 */
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import type { BoardReport, RoundRecord } from '../record.ts';
import { KEPT_REPORT_ROUNDS } from './report-tables.ts';
import { readSeries, type Series, type SeriesQuery } from './series.ts';
import { TAKEN } from './taken.ts';

/** A closed round in a line. */
export interface RoundFacts {
  readonly round: number;
  readonly kind: RoundRecord['kind'];
  /** Of the model that it produced. */
  readonly version: number;
  /** Wall time, milliseconds since 1970; null when it was closed by an earlier version of the program. */
  readonly closedMs: number | null;
  readonly durationMs: number;
  readonly boards: number;
  /** Refusals while it was open. */
  readonly refused: number;
  readonly bytes: RoundRecord['bytes'];
  readonly online: { readonly accuracy: number; readonly loss: number } | null;
  /** Accuracy on held-out windows, null when it was not evaluated. */
  readonly clean: number | null;
}

/** A board over all of its rounds. */
export interface BoardTotals {
  readonly device: string;
  readonly lastRound: number;
  /** Updates counted and their bytes. */
  readonly counted: number;
  readonly bytes: number;
  /** Wall time at which `lastRound` closed. */
  readonly countedMs: number | null;
}

/** A counted update of a closed round; without a report when that is older than reports are kept, or the program. */
export interface CountedUpdate {
  readonly round: number;
  readonly device: string;
  readonly seq: number;
  readonly bytes: number;
  readonly report: Omit<BoardReport, 'device'> | null;
}

export interface History {
  lastRound(): number | null;
  /** Sums over all closed rounds. */
  totals(): { readonly rounds: number; readonly payloadBytes: number; readonly fp32Bytes: number };
  /** Newest first, those below `before`. */
  rounds(before: number, limit: number): readonly RoundFacts[];
  /** Of one that is not remembered any more (`round-retention.ts`) only the facts are left. */
  round(round: number): { readonly facts: RoundFacts; readonly record: RoundRecord | null } | null;
  /** Those that a closed round counted, late ones of earlier rounds included, sorted by device. */
  updates(round: number): readonly CountedUpdate[];
  /** Of one board, newest first, in rounds below `before`; looks back as far as reports are kept. */
  updatesOf(device: string, before: number, limit: number): readonly CountedUpdate[];
  /** Of all boards in the rounds from … to. */
  reports(from: number, to: number): readonly (BoardReport & { readonly round: number })[];
  /** Sorted by device. */
  boards(): readonly BoardTotals[];
  /** Per round with refusals in from … to, newest first: counts by reason. */
  rejections(from: number, to: number): readonly { round: number; reasons: Readonly<Record<string, number>> }[];
  series(query: SeriesQuery): Series;
  dispose(): void;
}

interface FactsRow {
  readonly round: number;
  readonly closed_ms: number | null;
  readonly kind: RoundRecord['kind'];
  readonly version: number;
  readonly duration_ms: number;
  readonly boards: number;
  readonly refused: number;
  readonly payload_bytes: number;
  readonly fp32_bytes: number;
  readonly model_bytes: number;
  readonly prototype_bytes: number;
  readonly online_accuracy: number | null;
  readonly online_loss: number | null;
  readonly clean: number | null;
}

interface ReportRow {
  readonly round: number;
  readonly device: string;
  readonly arrived_ms: number | null;
  readonly windows: number;
  readonly backlog: number;
  readonly correct: number;
  readonly predicted: number;
  readonly loss_sum: number;
  readonly modalities: string;
}

type UpdateRow = { readonly round: number; readonly device: string; readonly seq: number; readonly bytes: number } & {
  readonly [Key in Exclude<keyof ReportRow, 'round' | 'device'>]: ReportRow[Key] | null;
};

const REPORT_COLUMNS = 'arrived_ms, windows, backlog, correct, predicted, loss_sum, modalities';
const FACTS = `SELECT f.*, v.value AS clean FROM round_facts f LEFT JOIN round_values v ON v.round = f.round AND v.name = 'clean'`;

/** @param path of a store that its aggregator has opened. @throws AppError `storage-failed`, as every call does */
export function openHistory(path: string): History {
  const within = <T>(action: () => T): T => guarded(path, action);
  const db = within(() => new Database(path, { readonly: true, fileMustExist: true }));
  const sql = within(() => statements(db));
  const totals = runningTotals(sql);
  return {
    lastRound: () => within(() => sql.lastRound.get() ?? null),
    totals: () => within(totals),
    rounds: (before, limit) => within(() => sql.rounds.all(before, limit).map(factsOf)),
    round: (round) =>
      within(() => {
        const [row, body] = [sql.facts.get(round), sql.body.get(round)];
        return row === undefined ? null : { facts: factsOf(row), record: body === undefined ? null : JSON.parse(body) };
      }),
    updates: (round) => within(() => sql.updates.all({ taken: round }).map(updateOf)),
    updatesOf: (device, before, limit) =>
      within(() => {
        const end = Math.min(before, (sql.lastRound.get() ?? -1) + 1);
        return sql.updatesOf.all(end, end - KEPT_REPORT_ROUNDS, device, limit).map(updateOf);
      }),
    reports: (from, to) =>
      within(() =>
        sql.reports.all(from, to).map((row) => ({ round: row.round, device: row.device, ...reportOf(row) })),
      ),
    boards: () => within(() => sql.boards.all()),
    rejections: (from, to) => within(() => byRound(sql.rejections.all(from, to))),
    series: (query) => within(() => readSeries(db, query)),
    dispose: () => void db.close(),
  };
}

function statements(db: Database.Database) {
  return {
    lastRound: db.prepare<[], number | null>('SELECT max(round) FROM round_facts').pluck(),
    totalsSince: db.prepare<[number], ReturnType<History['totals']> & { readonly last: number | null }>(
      `SELECT count(*) AS rounds, coalesce(sum(payload_bytes), 0) AS payloadBytes, coalesce(sum(fp32_bytes), 0) AS fp32Bytes,
         max(round) AS last FROM round_facts WHERE round > ?`,
    ),
    rounds: db.prepare<[number, number], FactsRow>(`${FACTS} WHERE f.round < ? ORDER BY f.round DESC LIMIT ?`),
    facts: db.prepare<[number], FactsRow>(`${FACTS} WHERE f.round = ?`),
    body: db.prepare<[number], string>('SELECT body FROM records WHERE round = ?').pluck(),
    updates: db.prepare<[{ taken: number }], UpdateRow>(
      `SELECT round, device, seq, bytes, ${REPORT_COLUMNS} FROM updates LEFT JOIN reports USING (round, device)
       WHERE ${TAKEN} ORDER BY device, round`,
    ),
    // One look into the primary key per round: CROSS JOIN keeps the rounds outermost.
    updatesOf: db.prepare<[number, number, string, number], UpdateRow>(
      `SELECT u.round, u.device, u.seq, u.bytes, ${REPORT_COLUMNS} FROM round_facts f CROSS JOIN updates u ON u.round = f.round
       LEFT JOIN reports r ON r.round = u.round AND r.device = u.device
       WHERE f.round < ? AND f.round >= ? AND u.device = ? ORDER BY f.round DESC LIMIT ?`,
    ),
    reports: db.prepare<[number, number], ReportRow>(
      `SELECT round, device, ${REPORT_COLUMNS} FROM reports WHERE round BETWEEN ? AND ?`,
    ),
    boards: db.prepare<[], BoardTotals>(
      `SELECT device, last_round AS lastRound, counted, bytes, counted_ms AS countedMs FROM board_totals ORDER BY device`,
    ),
    rejections: db.prepare<[number, number], { round: number; reason: string; count: number }>(
      'SELECT round, reason, count FROM rejections WHERE round BETWEEN ? AND ? ORDER BY round DESC, reason',
    ),
  };
}

/** A closed round stays as it is: only those since the last call are added up. */
function runningTotals({ totalsSince }: ReturnType<typeof statements>): History['totals'] {
  let until = -1;
  let totals = { rounds: 0, payloadBytes: 0, fp32Bytes: 0 };
  return () => {
    const more = totalsSince.get(until);
    if (more === undefined || more.last === null) return totals;
    until = more.last;
    totals = {
      rounds: totals.rounds + more.rounds,
      payloadBytes: totals.payloadBytes + more.payloadBytes,
      fp32Bytes: totals.fp32Bytes + more.fp32Bytes,
    };
    return totals;
  };
}

function factsOf(row: FactsRow): RoundFacts {
  const { round, kind, version, closed_ms, duration_ms, boards, refused, online_accuracy, online_loss, clean } = row;
  const { payload_bytes: payload, fp32_bytes: fp32, model_bytes: model, prototype_bytes: prototypes } = row;
  const isScored = online_accuracy !== null && online_loss !== null;
  return {
    ...{ round, kind, version, closedMs: closed_ms, durationMs: duration_ms, boards, refused, clean },
    bytes: { payload, fp32, model, prototypes },
    online: isScored ? { accuracy: online_accuracy, loss: online_loss } : null,
  };
}

function reportOf(row: Omit<ReportRow, 'round' | 'device'>): Omit<BoardReport, 'device'> {
  const { arrived_ms, windows, backlog, correct, predicted, loss_sum, modalities } = row;
  const online = { correct, count: predicted, lossSum: loss_sum };
  return { arrivedMs: arrived_ms, windows, backlog, online, modalities: JSON.parse(modalities) };
}

function updateOf({ round, device, seq, bytes, ...report }: UpdateRow): CountedUpdate {
  const isKept = report.modalities !== null;
  return { round, device, seq, bytes, report: isKept ? reportOf(report as Omit<ReportRow, 'round' | 'device'>) : null };
}

function byRound(rows: readonly { round: number; reason: string; count: number }[]) {
  const rounds = new Map<number, Record<string, number>>();
  for (const { round, reason, count } of rows) rounds.set(round, { ...rounds.get(round), [reason]: count });
  return [...rounds].map(([round, reasons]) => ({ round, reasons }));
}

function guarded<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new AppError('storage-failed', 'the round store cannot be read', { where: path, cause });
  }
}
