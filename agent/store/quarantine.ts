/**
 * Updates that were moved out of the outbox's way, kept to be looked at: what the aggregator cannot take, what cannot be sent, what
 * nobody answers. Bounded: the newest KEPT rows, of each the first KEPT_BYTES. What is forgotten here has been counted in `settled`.
 * Invariant: a row is in the outbox or here, never in both.
 */
import type { Db } from './transaction.ts';

export interface QuarantinedUpdate {
  readonly round: number;
  readonly seq: number;
  /** `rejected`: the aggregator said so. `set-aside`: the board gave up; a verdict that comes later still counts. */
  readonly outcome: 'rejected' | 'set-aside';
  readonly reason: string;
  /** Times that sending was tried. */
  readonly attempts: number;
  /** Length of the whole update, of which `payload` is the beginning. */
  readonly bytes: number;
  readonly payload: Uint8Array;
}

export interface QuarantineTable {
  /** Call inside a transaction. */
  insert(update: QuarantinedUpdate): void;
  /** Forgets an update that was set aside and returns why it was; null when it is not here, or was rejected. Call inside a transaction. */
  takeBack(key: Pick<QuarantinedUpdate, 'round' | 'seq'>): string | null;
  /** Ascending (round, seq). */
  all(): QuarantinedUpdate[];
}

const KEPT = 16;
const KEPT_BYTES = 65_536;

type Row = Omit<QuarantinedUpdate, 'payload'> & { readonly payload: Buffer };

export function quarantineTable(db: Db): QuarantineTable {
  const insert = db.prepare(
    'INSERT OR REPLACE INTO quarantine (round, seq, outcome, reason, attempts, bytes, payload) VALUES (?, ?, ?, ?, ?, ?, ?)',
  );
  const forget = db.prepare(
    'DELETE FROM quarantine WHERE rowid NOT IN (SELECT rowid FROM quarantine ORDER BY rowid DESC LIMIT ?)',
  );
  const take = db
    .prepare<[number, number], string>(
      "DELETE FROM quarantine WHERE round = ? AND seq = ? AND outcome = 'set-aside' RETURNING reason",
    )
    .pluck();
  const select = db.prepare<[], Row>(
    'SELECT round, seq, outcome, reason, attempts, bytes, payload FROM quarantine ORDER BY round, seq',
  );
  return {
    insert({ round, seq, outcome, reason, attempts, bytes, payload }) {
      insert.run(round, seq, outcome, reason, attempts, bytes, payload.subarray(0, KEPT_BYTES));
      forget.run(KEPT);
    },
    takeBack: ({ round, seq }) => take.get(round, seq) ?? null,
    all: () => select.all().map(({ payload, ...row }) => ({ ...row, payload: new Uint8Array(payload) })),
  };
}
