/**
 * Updates on their way: a row from the commit of a training slice until the aggregator's verdict on it is final.
 * At-least-once is made here, exactly-once by the aggregator's key (round, device, seq).
 * Invariant: a row leaves by `settle` alone, once, and is counted as it leaves.
 */
import type { Receipt } from '../../core/wire/downlink.ts';
import { type Db, transaction } from './transaction.ts';

export interface OutboxKey {
  readonly round: number;
  readonly seq: number;
}

export interface OutgoingUpdate extends OutboxKey {
  /** The encoded update, as it travels. */
  readonly payload: Uint8Array;
}

export interface OutboxRow extends OutgoingUpdate {
  /** Times that sending was tried, over all runs of the program. */
  readonly attempts: number;
  /** The last receipt, not final yet; null while there is none. */
  readonly receipt: Receipt | null;
}

export type Outcome = 'counted' | 'rejected';

export interface SettledCount {
  readonly outcome: Outcome;
  /** '' when counted. */
  readonly reason: string;
  readonly count: number;
}

export interface OutboxTable {
  /** Call inside the transaction of the checkpoint. */
  insert(update: OutgoingUpdate): void;
  /** Ascending (round, seq). */
  pending(): OutboxRow[];
  recordAttempt(key: OutboxKey): void;
  recordReceipt(receipt: Receipt): void;
  /** Deletes the row and counts it; false when there is none (any more). */
  settle(key: OutboxKey, outcome: Outcome, reason?: string): boolean;
  settled(): SettledCount[];
}

interface Row {
  readonly round: number;
  readonly seq: number;
  readonly payload: Buffer;
  readonly attempts: number;
  readonly receipt: string | null;
}

export function outboxTable(db: Db): OutboxTable {
  const insert = db.prepare('INSERT INTO outbox (round, seq, payload) VALUES (?, ?, ?)');
  const select = db.prepare<[], Row>('SELECT round, seq, payload, attempts, receipt FROM outbox ORDER BY round, seq');
  const attempt = db.prepare('UPDATE outbox SET attempts = attempts + 1 WHERE round = ? AND seq = ?');
  const receive = db.prepare('UPDATE outbox SET receipt = ? WHERE round = ? AND seq = ?');
  const remove = db.prepare('DELETE FROM outbox WHERE round = ? AND seq = ?');
  const count = db.prepare(
    'INSERT INTO settled (outcome, reason, count) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
  );
  const totals = db.prepare<[], SettledCount>('SELECT outcome, reason, count FROM settled ORDER BY outcome, reason');
  return {
    insert: ({ round, seq, payload }) => void insert.run(round, seq, payload),
    pending: () => select.all().map(fromRow),
    recordAttempt: ({ round, seq }) => void attempt.run(round, seq),
    recordReceipt: (receipt) => void receive.run(JSON.stringify(receipt), receipt.round, receipt.seq),
    settle: ({ round, seq }, outcome, reason = '') =>
      transaction(db, () => {
        if (remove.run(round, seq).changes === 0) return false;
        count.run(outcome, reason);
        return true;
      }),
    settled: () => totals.all(),
  };
}

function fromRow({ receipt, payload, ...row }: Row): OutboxRow {
  return {
    ...row,
    payload: new Uint8Array(payload),
    receipt: receipt === null ? null : (JSON.parse(receipt) as Receipt),
  };
}
