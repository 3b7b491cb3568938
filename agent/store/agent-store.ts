/**
 * Everything a board keeps: the raw stream, its windows, the learner's checkpoint, the updates on their way.
 * Each method that writes is one transaction; killed anywhere, the file holds a state from between two calls.
 * The acquisition process and the learner process may each open the same file.
 * All failures are AppError `storage-failed`, or `storage-full` when the disk is: then the same call may succeed later.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Log, silentLog } from '../../core/base/log.ts';
import type { SampleBlock, StreamEvent } from '../../core/stream/event.ts';
import type { Receipt } from '../../core/wire/downlink.ts';
import type { Epoch } from '../../core/wire/epoch.ts';
import { type Checkpoint, checkpointTable, type WindowUse } from './checkpoint.ts';
import { chunkTable } from './chunks.ts';
import { compact, openDb, openDbReadOnly, withStorageErrors } from './db.ts';
import { type Adoption, type EpochTable, epochTable } from './epochs.ts';
import { faultTable, type StoredFault } from './faults.ts';
import {
  createIngest,
  type Ingest,
  type IngestBatch,
  type IngestLimits,
  type IngestOutcome,
  type IngestPosition,
  type IngestTables,
  type StoredHeader,
  userKey,
} from './ingest.ts';
import { labelTable } from './labels.ts';
import type { LossCount } from './losses.ts';
import {
  type OutboxEntry,
  type OutboxKey,
  type OutboxRow,
  type OutboxTable,
  type OutgoingUpdate,
  outboxTable,
  type SettledCount,
} from './outbox.ts';
import { withLabels } from './recorded-stream.ts';
import type { StoreBounds } from './retention.ts';
import { stateTable } from './state.ts';
import { type Db, isFull, transaction } from './transaction.ts';
import { type MeasuredWindow, type StoredWindow, type WindowQuery, windowTable } from './windows.ts';

export type {
  Checkpoint,
  IngestBatch,
  IngestOutcome,
  IngestPosition,
  LossCount,
  MeasuredWindow,
  OutboxEntry,
  OutboxRow,
  SettledCount,
  StoreBounds,
  StoredFault,
  StoredWindow,
  WindowQuery,
};

export interface AgentStore {
  /** All of the batch in one transaction. About once a second on a board. */
  ingest(batch: IngestBatch): IngestOutcome;
  /** Null before the first `ingest`. */
  ingestPosition(): IngestPosition | null;
  /** Time of the newest sample that was stored, or refused at the cap, microseconds; null before the first. Stream time goes on after it. */
  lastStoredUs(): number | null;
  /** The first `limit` windows that the query describes, ascending index. */
  nextWindows(query: WindowQuery & { readonly limit: number }): StoredWindow[];
  countWindows(query: WindowQuery): number;
  /** The window that was cut last; null before the first. */
  newestWindow(): StoredWindow | null;
  /** Raw stream from `fromUs` on, in order of each chunk's first sample, up to the newest when reading begins. */
  readStream(fromUs: number): IterableIterator<SampleBlock>;
  /** The same with the changes of label, as a sensor would give it (`core/stream/event.ts`); from `recordingHeader().sinceUs` on at the earliest. */
  readRecording(fromUs: number): IterableIterator<StreamEvent>;
  /** What the stream is of; null when no ingest said so. */
  recordingHeader(): StoredHeader | null;
  /** The newest `limit` faults, oldest first. */
  faults(limit: number): StoredFault[];
  /** What was not stored or not kept, over all runs of the program. */
  losses(): LossCount[];

  /** Null before the first `commitTraining`. */
  checkpoint(): Checkpoint | null;
  /**
   * Checkpoint, outbox row and the use of the windows (their indices) in one transaction. Fails when a window was used before.
   * `other-epoch`: nothing is written, because the update is of one that the board has left since it was begun, or has not entered.
   */
  commitTraining(
    checkpoint: Checkpoint,
    update: OutgoingUpdate,
    usedWindows: readonly number[],
  ): 'committed' | 'other-epoch';
  /** The aggregator's life that checkpoint and outbox belong to; null before one was heard of. */
  epoch(): Epoch | null;
  /** Enters it, in one transaction, unless it was left before. Null on a full disk: nothing has changed. */
  adoptEpoch(epoch: Epoch): Adoption | null;
  /** Which window went into which update, ascending index, from the oldest window that is kept on. */
  windowUses(): WindowUse[];

  /** Updates whose fate is open, ascending (round, seq). */
  pending(): OutboxRow[];
  /** The same without what they say. */
  outgoing(): OutboxEntry[];
  /** What the update says; null when it has left the outbox. */
  payloadOf: OutboxTable['payload'];
  /** On a full disk the attempt is not counted. */
  recordAttempt(key: OutboxKey): void;
  /** On a full disk the receipt is forgotten: the update is sent again. */
  recordReceipt(receipt: Receipt): void;
  /** Takes the update out of the outbox and counts it; false when it was settled before, or the disk is full and it stays. */
  settle: OutboxTable['settle'];
  /** Takes the update out of the outbox's way and keeps it to be looked at; false as above. */
  setAside: OutboxTable['setAside'];
  settled: OutboxTable['settled'];
  quarantined: OutboxTable['quarantined'];

  /** A copy of the bytes kept under `key`, or null. */
  state(key: string): Uint8Array | null;
  close(): void;
}

/** What another program may see of the store, beside a running agent or without one. */
export type AgentReader = Pick<
  AgentStore,
  | 'ingestPosition'
  | 'readRecording'
  | 'recordingHeader'
  | 'faults'
  | 'losses'
  | 'countWindows'
  | 'checkpoint'
  | 'pending'
  | 'settled'
  | 'quarantined'
  | 'close'
>;

export interface AgentStoreOptions {
  /** Default `normal`. */
  readonly durability?: 'normal' | 'full';
  /** False in the learner process: a damaged file is an error there, not its to replace. Default true. */
  readonly owner?: boolean;
  /** How much is kept by whoever ingests. Default: everything, and a full disk is an error. */
  readonly bounds?: StoreBounds;
  readonly log?: Log;
}

/** Opens or creates the board's database, and brings it within the bounds. */
export function openAgentStore(path: string, options: AgentStoreOptions = {}): AgentStore {
  const { durability = 'normal', owner = true, bounds, log = silentLog } = options;
  const db = openDb(path, { durability, owner, log });
  const tables = tablesOf(db);
  const limits = bounds === undefined ? null : { bounds, freeBytes: () => freeBytesAt(path), log };
  const ingest = createIngest(db, tables, limits);
  if (owner && unlessFull(false, ingest.fit)) compact(db, log);
  return storeOver(db, path, tables, ingest);
}

/** Opens an existing database to read it. @throws AppError `storage-failed` when it is not there, or of another version of the program */
export function openAgentReader(path: string): AgentReader {
  return createAgentStore(openDbReadOnly(path), path);
}

/** The store over an open, migrated database. */
export function createAgentStore(db: Db, path: string, limits: IngestLimits | null = null): AgentStore {
  const tables = tablesOf(db);
  return storeOver(db, path, tables, createIngest(db, tables, limits));
}

interface AgentTables extends IngestTables {
  readonly outbox: OutboxTable;
  readonly epochs: EpochTable;
}

function tablesOf(db: Db): AgentTables {
  const kept = { checkpoints: checkpointTable(db), outbox: outboxTable(db), state: stateTable(db) };
  return {
    chunks: chunkTable(db),
    windows: windowTable(db),
    labels: labelTable(db),
    faults: faultTable(db),
    ...kept,
    epochs: epochTable(db, kept),
  };
}

function storeOver(db: Db, path: string, tables: AgentTables, ingest: Ingest): AgentStore {
  const { chunks, windows, labels, faults, checkpoints, outbox, epochs, state } = tables;
  return withStorageErrors<AgentStore>(path, {
    ingest: ingest.write,
    ingestPosition: ingest.position,
    lastStoredUs: ingest.lastStoredUs,
    nextWindows: windows.next,
    countWindows: windows.count,
    newestWindow: windows.newest,
    readStream: chunks.read,
    readRecording(fromUs) {
      const startUs = Math.max(fromUs, ingest.header()?.sinceUs ?? 0);
      return withLabels(chunks.read(startUs), labels.read(startUs));
    },
    recordingHeader: ingest.header,
    faults: faults.newest,
    losses: ingest.losses,
    checkpoint: checkpoints.read,
    commitTraining: (checkpoint, update, usedWindows) =>
      transaction(db, () => {
        if (update.epoch !== undefined && update.epoch !== epochs.current()) return 'other-epoch';
        checkpoints.logUse(usedWindows, update);
        checkpoints.write(checkpoint);
        outbox.insert(update);
        return 'committed';
      }),
    epoch: epochs.current,
    adoptEpoch: (epoch) => unlessFull(null, () => epochs.adopt(epoch)),
    windowUses: checkpoints.uses,
    pending: outbox.pending,
    outgoing: outbox.entries,
    payloadOf: outbox.payload,
    recordAttempt: (key) => unlessFull(undefined, () => outbox.recordAttempt(key)),
    recordReceipt: (receipt) => unlessFull(undefined, () => outbox.recordReceipt(receipt)),
    settle: (...verdict) => unlessFull(false, () => outbox.settle(...verdict)),
    setAside: (...verdict) => unlessFull(false, () => outbox.setAside(...verdict)),
    settled: outbox.settled,
    quarantined: outbox.quarantined,
    state(key) {
      const bytes = state.read(userKey(key));
      return bytes === null ? null : new Uint8Array(bytes);
    },
    close: () => void db.close(),
  });
}

/** For what may as well be done later: on a full disk nothing is done. */
function unlessFull<T>(otherwise: T, body: () => T): T {
  try {
    return body();
  } catch (error) {
    if (isFull(error)) return otherwise;
    throw error;
  }
}

/** What the disk of the database has left for users that are not root, bytes. */
function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(dirname(path));
  return bavail * bsize;
}
