/**
 * Updates on their way: a row from the commit of a training slice until the aggregator's verdict on it is final.
 * At-least-once is made here, exactly-once by the aggregator's key (round, device, seq).
 * Invariant: a row leaves by `settle` or `setAside` alone, once, and is counted as it leaves: rows here and counts together are the
 * updates that the board has committed.
 */
import type { Receipt } from '../../core/wire/downlink.ts';
import type { Epoch } from '../../core/wire/epoch.ts';
import { type QuarantinedUpdate, quarantineTable } from './quarantine.ts';
import { type Db, transaction } from './transaction.ts';

export interface OutboxKey {
  readonly round: number;
  readonly seq: number;
}

export interface OutgoingUpdate extends OutboxKey {
  /** The encoded update, as it travels. */
  readonly payload: Uint8Array;
  /** That it says it is of; left out: it does not say. Not stored: what waits is of the epoch that the board is in. */
  readonly epoch?: Epoch | undefined;
}

/** An update in the outbox, without what it says. */
export interface OutboxEntry extends OutboxKey {
  /** Times that sending was tried, over all runs of the program. */
  readonly attempts: number;
  /** The last receipt, not final yet; null while there is none. */
  readonly receipt: Receipt | null;
  /** Length of the payload. */
  readonly bytes: number;
}

export interface OutboxRow extends Omit<OutboxEntry, 'bytes'>, Pick<OutgoingUpdate, 'payload'> {}

/** `set-aside`: the board has given up on it. What the aggregator says of it afterwards is counted instead. */
export type Outcome = 'counted' | 'rejected' | 'set-aside';

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
  /** The same without payloads, which may be megabytes. */
  entries(): OutboxEntry[];
  /** Null when there is no such row (any more). */
  payload(key: OutboxKey): Uint8Array | null;
  recordAttempt(key: OutboxKey): void;
  recordReceipt(receipt: Receipt): void;
  /** Deletes the row and counts it; false when there is none (any more). A row that was set aside is counted anew. */
  settle(key: OutboxKey, outcome: 'counted' | 'rejected', reason?: string): boolean;
  /** The same for a row that is kept in the quarantine, to be looked at. */
  setAside(key: OutboxKey, outcome: 'rejected' | 'set-aside', reason: string): boolean;
  /** The same for all rows; their keys, ascending. Call inside a transaction. */
  setAllAside(reason: string): OutboxKey[];
  settled(): SettledCount[];
  /** The newest updates that were set aside. */
  quarantined(): QuarantinedUpdate[];
}

interface Row extends OutboxKey {
  readonly attempts: number;
  readonly receipt: string | null;
}
type WholeRow = Row & { readonly payload: Buffer };

export function outboxTable(db: Db): OutboxTable {
  const quarantine = quarantineTable(db);
  const settled = settledTable(db);
  const insert = db.prepare('INSERT INTO outbox (round, seq, payload) VALUES (?, ?, ?)');
  const select = db.prepare<[], WholeRow>(
    'SELECT round, seq, payload, attempts, receipt FROM outbox ORDER BY round, seq',
  );
  const list = db.prepare<[], Row & { bytes: number }>(
    'SELECT round, seq, length(payload) AS bytes, attempts, receipt FROM outbox ORDER BY round, seq',
  );
  const payloadOf = db
    .prepare<[number, number], Buffer>('SELECT payload FROM outbox WHERE round = ? AND seq = ?')
    .pluck();
  const attempt = db.prepare('UPDATE outbox SET attempts = attempts + 1 WHERE round = ? AND seq = ?');
  const receive = db.prepare('UPDATE outbox SET receipt = ? WHERE round = ? AND seq = ?');
  const remove = db.prepare<[number, number], WholeRow>(
    'DELETE FROM outbox WHERE round = ? AND seq = ? RETURNING round, seq, payload, attempts, receipt',
  );
  const moveAside: OutboxTable['setAside'] = (key, outcome, reason) => {
    const row = remove.get(key.round, key.seq);
    if (row === undefined) return false;
    quarantine.insert({ ...wholeRow(row), bytes: row.payload.length, outcome, reason });
    settled.count(outcome, reason);
    return true;
  };
  return {
    insert: ({ round, seq, payload }) => void insert.run(round, seq, payload),
    pending: () => select.all().map(wholeRow),
    entries: () => list.all().map(({ receipt, ...row }) => ({ ...row, receipt: parsed(receipt) })),
    payload({ round, seq }) {
      const payload = payloadOf.get(round, seq);
      return payload === undefined ? null : new Uint8Array(payload);
    },
    recordAttempt: ({ round, seq }) => void attempt.run(round, seq),
    recordReceipt: (receipt) => void receive.run(JSON.stringify(receipt), receipt.round, receipt.seq),
    settle: (key, outcome, reason = '') =>
      transaction(db, () => {
        if (remove.get(key.round, key.seq) === undefined) {
          const why = quarantine.takeBack(key);
          if (why === null) return false;
          settled.discount('set-aside', why);
        }
        settled.count(outcome, reason);
        return true;
      }),
    setAside: (key, outcome, reason) => transaction(db, () => moveAside(key, outcome, reason)),
    setAllAside(reason) {
      const keys = list.all().map(({ round, seq }) => ({ round, seq }));
      for (const key of keys) moveAside(key, 'set-aside', reason);
      return keys;
    },
    settled: settled.all,
    quarantined: quarantine.all,
  };
}

/** How many updates have left, and how. */
function settledTable(db: Db) {
  const add = db.prepare(
    'INSERT INTO settled (outcome, reason, count) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1',
  );
  const subtract = db.prepare('UPDATE settled SET count = count - 1 WHERE outcome = ? AND reason = ?');
  const drop = db.prepare('DELETE FROM settled WHERE count = 0');
  const totals = db.prepare<[], SettledCount>('SELECT outcome, reason, count FROM settled ORDER BY outcome, reason');
  return {
    count: (outcome: Outcome, reason: string) => void add.run(outcome, reason),
    discount(outcome: Outcome, reason: string) {
      subtract.run(outcome, reason);
      drop.run();
    },
    all: () => totals.all(),
  };
}

function wholeRow({ receipt, payload, ...row }: WholeRow): OutboxRow {
  return { ...row, payload: new Uint8Array(payload), receipt: parsed(receipt) };
}

function parsed(receipt: string | null): Receipt | null {
  return receipt === null ? null : (JSON.parse(receipt) as Receipt);
}
