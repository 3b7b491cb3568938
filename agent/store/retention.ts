/**
 * How the database stays below its cap, and above a full disk: the oldest makes room for the newest, a bounded number of rows at each
 * ingest. What goes first is `drop-order.ts`. Pages that become free are used again, so the file stays as large as it is; it is never
 * compacted while the board samples.
 */
import { WAL_BYTES } from './db.ts';
import { createDropOrder, type DropOrder, type DroppableTables, type Removal, sumOf } from './drop-order.ts';
import type { Db } from './transaction.ts';

export interface StoreBounds {
  /** The file with its write-ahead log is kept below this, bytes, from 8 · 10⁶. */
  readonly capBytes: number;
  /** Stream and windows that are older than this against the newest sample go, microseconds. */
  readonly maxAgeUs: number;
  /** At the cap: make room, or store nothing new. */
  readonly policy: 'drop-oldest' | 'stop';
}

export interface RoomRequest {
  /** About what the batch takes in the file, bytes. */
  readonly bytes: number;
  readonly rows: number;
  /** Time of the newest sample, microseconds. */
  readonly newestUs: number;
  /** What the disk has left, bytes. */
  readonly freeBytes: number;
}

export interface Room extends Removal {
  /** Why the batch must not be stored; null when it may. */
  readonly refused: 'stop' | 'cap' | 'disk-full' | null;
  /** What bounds the file while it is nearly as full as it may be; null while there is room. */
  readonly pressure: 'cap' | 'disk-full' | null;
}

export interface Retention {
  /** Call inside the transaction that then writes the batch. */
  makeRoom(request: RoomRequest): Room;
  /** The file is larger than the cap allows, and would not be if it were compacted: the cap has been lowered. */
  isCompactable(): boolean;
}

/** Age removes a minute's worth at a time, since a page that two removals touch is written twice. */
const AGE_STRIDE_US = 60e6;
/** Above this share of what is allowed people are told that the store is full. */
const NEARLY_FULL = 15 / 16;
/** Rows that an ingest removes at most, beside twice those that it brings: some milliseconds of work. */
const MOST_ROWS = 256;
/** Beside the stream the file holds the learner's checkpoint and the outbox, which may grow between two ingests. */
const MARGIN_BYTES = 524_288;
/** Left free on the disk: for the write-ahead log, and for what is in it but not yet in the file. */
const RESERVE_BYTES = 2 * WAL_BYTES;

export function createRetention(db: Db, tables: DroppableTables, bounds: StoreBounds): Retention {
  const order = createDropOrder(tables);
  const space = spaceOf(db, bounds.capBytes);
  return {
    makeRoom({ bytes, rows, newestUs, freeBytes }) {
      const mostRows = MOST_ROWS + 2 * rows;
      const { most, cause } = space.limit(freeBytes);
      const wanted = () => space.used() + bytes;
      let removed = dropAged(order, newestUs, newestUs - bounds.maxAgeUs, mostRows);
      let fits = wanted() <= most;
      if (!fits && bounds.policy === 'drop-oldest') {
        const isAbove = (sum: Removal) => sum.rows < mostRows && wanted() > most;
        removed = repeat(removed, () => order.leastMissed(cause, newestUs), isAbove);
        fits = wanted() <= most || removed.rows >= mostRows; // a cap that was lowered is reached over many ingests
      }
      if (removed.rows > 0) order.companions(newestUs);
      const refused = fits ? null : cause === 'cap' && bounds.policy === 'stop' ? 'stop' : cause;
      return { ...removed, refused, pressure: wanted() > NEARLY_FULL * most ? cause : null };
    },
    isCompactable: space.isCompactable,
  };
}

function spaceOf(db: Db, capBytes: number) {
  const pages = db.prepare<[], number>('PRAGMA page_count').pluck();
  const freePages = db.prepare<[], number>('PRAGMA freelist_count').pluck();
  const pageBytes = Number(db.pragma('page_size', { simple: true }));
  const file = () => (pages.get() ?? 0) * pageBytes;
  const used = () => file() - (freePages.get() ?? 0) * pageBytes;
  const cap = capBytes - WAL_BYTES - MARGIN_BYTES;
  const reserve = Math.min(RESERVE_BYTES, capBytes / 8);
  return {
    /** Bytes in use. */
    used,
    /** The most that may be in use, and what sets it. For the disk's sake at most half of what there is is given up. */
    limit(freeBytes: number): { readonly most: number; readonly cause: 'cap' | 'disk-full' } {
      const onDisk = Math.max(file() / 2, file() + freeBytes - reserve);
      return onDisk < cap ? { most: onDisk, cause: 'disk-full' } : { most: cap, cause: 'cap' };
    },
    isCompactable: () => file() > cap && used() <= cap,
  };
}

function dropAged(order: DropOrder, newestUs: number, cutoffUs: number, mostRows: number): Removal {
  const nothing: Removal = { rows: 0, losses: {} };
  if (Math.min(order.oldestUs(), newestUs) >= cutoffUs - AGE_STRIDE_US) return nothing;
  return repeat(
    nothing,
    () => order.aged(cutoffUs),
    ({ rows }) => rows < mostRows,
  );
}

/** Adds steps to `sum` while it may go on and a step finds something. */
function repeat(sum: Removal, step: () => Removal, mayGoOn: (sum: Removal) => boolean): Removal {
  while (mayGoOn(sum)) {
    const found = step();
    if (found.rows === 0) break;
    sum = sumOf(sum, found);
  }
  return sum;
}
