/**
 * What people look at beside the records: closed rounds as narrow rows, so that a page or a curve never reads a record whole, and what
 * counted updates said of their boards. Filled when a round closes, in its transaction; records of before are carried over.
 * Invariant: derived. Nothing that rounds are conducted by is read from here.
 */
import type Database from 'better-sqlite3';
import type { ClosedRound } from './round-store.ts';
import { TAKEN } from './taken.ts';

/** Closed rounds whose reports stay: what boards said one by one. Facts, values and totals stay for good. */
export const KEPT_REPORT_ROUNDS = 1000;

/** A step of the store's schema. */
export const REPORT_TABLES = `
  CREATE TABLE round_facts (
    round INTEGER PRIMARY KEY, closed_ms INTEGER, kind TEXT NOT NULL, version INTEGER NOT NULL, duration_ms REAL NOT NULL,
    boards INTEGER NOT NULL, refused INTEGER NOT NULL, payload_bytes INTEGER NOT NULL, fp32_bytes INTEGER NOT NULL,
    model_bytes INTEGER NOT NULL, prototype_bytes INTEGER NOT NULL, online_accuracy REAL, online_loss REAL
  );
  CREATE TABLE round_values (
    round INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (round, name)
  ) WITHOUT ROWID;
  CREATE TABLE reports (
    round INTEGER NOT NULL, device TEXT NOT NULL, arrived_ms REAL, windows INTEGER NOT NULL, backlog INTEGER NOT NULL,
    correct INTEGER NOT NULL, predicted INTEGER NOT NULL, loss_sum REAL NOT NULL, modalities TEXT NOT NULL,
    PRIMARY KEY (round, device)
  ) WITHOUT ROWID;
  CREATE TABLE board_totals (
    device TEXT PRIMARY KEY, last_round INTEGER NOT NULL, counted INTEGER NOT NULL, bytes INTEGER NOT NULL, counted_ms INTEGER
  ) WITHOUT ROWID;
  INSERT INTO round_facts
    SELECT round, NULL, body ->> '$.kind', body ->> '$.version', body ->> '$.durationMs', json_array_length(body, '$.devices'),
      (SELECT coalesce(sum(value), 0) FROM json_each(body, '$.rejected')), body ->> '$.bytes.payload', body ->> '$.bytes.fp32',
      body ->> '$.bytes.model', body ->> '$.bytes.prototypes', body ->> '$.online.accuracy', body ->> '$.online.loss'
    FROM records;
  INSERT INTO round_values SELECT round, 'clean', body ->> '$.evaluation.clean' FROM records WHERE body ->> '$.evaluation.clean' IS NOT NULL;
  INSERT INTO round_values SELECT round, 'missing/' || key, value FROM records, json_each(body, '$.evaluation.missing');
  INSERT INTO round_values SELECT round, 'degraded/' || key, value FROM records, json_each(body, '$.evaluation.degraded');
  INSERT INTO round_values SELECT round, 'quality/' || key, value ->> '$.meanQuality' FROM records, json_each(body, '$.modalities')
    WHERE value ->> '$.meanQuality' IS NOT NULL;
  INSERT INTO round_values SELECT round, 'absent/' || key, value ->> '$.missingShare' FROM records, json_each(body, '$.modalities');
  INSERT INTO board_totals
    SELECT device, max(round), count(*), sum(bytes), NULL FROM updates WHERE round IN (SELECT round FROM records) GROUP BY device;
`;

export interface ReportTables {
  /** Call inside the transaction that closes the round. */
  write(closed: ClosedRound): void;
  forget(device: string): void;
}

export function reportTables(db: Database.Database): ReportTables {
  const addFacts = db.prepare('INSERT INTO round_facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const addValue = db.prepare<[number, string, number]>('INSERT INTO round_values VALUES (?, ?, ?)');
  const addReport = db.prepare('INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  const addTotals = db.prepare<[{ at: number | null; taken: number }]>(
    `INSERT INTO board_totals SELECT device, round, 1, bytes, @at FROM updates WHERE ${TAKEN} ORDER BY device, round
     ON CONFLICT DO UPDATE SET last_round = max(last_round, excluded.last_round), counted = counted + 1, bytes = bytes + excluded.bytes,
       counted_ms = excluded.counted_ms`,
  );
  const dropReports = db.prepare<[number]>('DELETE FROM reports WHERE round <= ?');
  const forget = db.prepare<[string]>('DELETE FROM board_totals WHERE device = ?');
  return {
    write({ record, closedAtMs = null, reports = [] }) {
      const { round, kind, version, durationMs, devices, rejected, bytes, online } = record;
      const refused = Object.values(rejected).reduce((sum, count) => sum + count, 0);
      const facts = [round, closedAtMs, kind, version, durationMs, devices.length, refused];
      const sizes = [bytes.payload, bytes.fp32, bytes.model, bytes.prototypes];
      addFacts.run(...facts, ...sizes, online?.accuracy ?? null, online?.loss ?? null);
      for (const [name, value] of valuesOf(record)) addValue.run(round, name, value);
      for (const { device, arrivedMs, windows, backlog, online: own, modalities } of reports) {
        const scores = [own.correct, own.count, own.lossSum];
        addReport.run(round, device, arrivedMs, windows, backlog, ...scores, JSON.stringify(modalities));
      }
      addTotals.run({ at: closedAtMs, taken: round });
      dropReports.run(round - KEPT_REPORT_ROUNDS);
    },
    forget: (device) => void forget.run(device),
  };
}

/** What is drawn over rounds by name, `what/modality`; a value that is not known has no row. */
function valuesOf({ evaluation, modalities }: ClosedRound['record']): [string, number][] {
  const named = (what: string, values: Readonly<Record<string, number>> = {}) =>
    Object.entries(values).map(([name, value]): [string, number] => [`${what}/${name}`, value]);
  const qualities = Object.entries(modalities).flatMap(([name, { meanQuality, missingShare }]): [string, number][] => [
    ...(meanQuality === null ? [] : [[`quality/${name}`, meanQuality] as [string, number]]),
    [`absent/${name}`, missingShare],
  ]);
  const clean: [string, number][] = evaluation === null ? [] : [['clean', evaluation.clean]];
  return [...clean, ...named('missing', evaluation?.missing), ...named('degraded', evaluation?.degraded), ...qualities];
}
