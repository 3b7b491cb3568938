/**
 * Everything a board keeps: the raw stream, its windows, the learner's checkpoint, the updates on their way.
 * Each method that writes is one transaction; killed anywhere, the file holds a state from between two calls.
 * The acquisition process and the learner process may each open the same file. All failures are AppError 'storage-failed'.
 */
import { type Log, silentLog } from '../../core/base/log.ts';
import type { SampleBlock } from '../../core/stream/event.ts';
import type { Receipt } from '../../core/wire/downlink.ts';
import { type Checkpoint, checkpointTable, type WindowUse } from './checkpoint.ts';
import { chunkTable } from './chunks.ts';
import { openDb, withStorageErrors } from './db.ts';
import { type OutboxKey, type OutboxRow, type OutboxTable, type OutgoingUpdate, outboxTable } from './outbox.ts';
import { type Db, transaction } from './transaction.ts';
import { type MeasuredWindow, type StoredWindow, type WindowQuery, windowTable } from './windows.ts';

export type { Checkpoint, MeasuredWindow, OutboxRow, StoredWindow, WindowQuery };

/** Where the windower and the sensor resume after a restart. */
export interface IngestPosition {
  /** Index of the next window to be cut. */
  readonly nextIndex: number;
  /** The stream is wanted from here on, microseconds. */
  readonly resumeAtUs: number;
  /** The stream has ended for good (replays only). */
  readonly streamEnded: boolean;
}

export interface IngestBatch {
  /** In order of time within a modality. Samples at or before the modality's last stored time are skipped. */
  readonly blocks: readonly SampleBlock[];
  /** Ignored where a window of that index is stored already. */
  readonly windows: readonly MeasuredWindow[];
  readonly position: IngestPosition;
  /** Small state that must not run ahead of the stream or behind it. */
  readonly state?: Readonly<Record<string, Uint8Array>>;
}

export interface AgentStore {
  /** All of the batch in one transaction. About once a second on a board. */
  ingest(batch: IngestBatch): void;
  /** Null before the first `ingest`. */
  ingestPosition(): IngestPosition | null;
  /** The first `limit` windows that the query describes, ascending index. */
  nextWindows(query: WindowQuery & { readonly limit: number }): StoredWindow[];
  countWindows(query: WindowQuery): number;
  /** Raw stream from `fromUs` on, in order of each chunk's first sample. */
  readStream(fromUs: number): IterableIterator<SampleBlock>;

  /** Null before the first `commitTraining`. */
  checkpoint(): Checkpoint | null;
  /** Checkpoint, outbox row and the use of the windows (their indices) in one transaction. Fails when a window was used before. */
  commitTraining(checkpoint: Checkpoint, update: OutgoingUpdate, usedWindows: readonly number[]): void;
  /** Which window went into which update, ascending index. */
  windowUses(): WindowUse[];

  /** Updates whose fate is open, ascending (round, seq). */
  pending(): OutboxRow[];
  recordAttempt(key: OutboxKey): void;
  recordReceipt(receipt: Receipt): void;
  /** Takes the update out of the outbox and counts it; false when it was settled before. */
  settle: OutboxTable['settle'];
  settled: OutboxTable['settled'];

  /** A copy of the bytes kept under `key`, or null. */
  state(key: string): Uint8Array | null;
  close(): void;
}

export interface AgentStoreOptions {
  /** Default `normal`. */
  readonly durability?: 'normal' | 'full';
  /** False in the learner process: a damaged file is an error there, not its to replace. Default true. */
  readonly owner?: boolean;
  readonly log?: Log;
}

/** Opens or creates the board's database. */
export function openAgentStore(path: string, options: AgentStoreOptions = {}): AgentStore {
  const { durability = 'normal', owner = true, log = silentLog } = options;
  return createAgentStore(openDb(path, { durability, owner, log }), path);
}

/** Reserved key of `state`: position and last stored time per modality, JSON. */
const INGEST_KEY = 'ingest';

interface IngestState extends IngestPosition {
  readonly lastUs: (number | null)[];
}

/** The store over an open, migrated database. */
export function createAgentStore(db: Db, path: string): AgentStore {
  const chunks = chunkTable(db);
  const windows = windowTable(db);
  const checkpoints = checkpointTable(db);
  const outbox = outboxTable(db);
  const readState = db.prepare<[string], Buffer>('SELECT value FROM state WHERE key = ?').pluck();
  const writeState = db.prepare(
    'INSERT INTO state (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value WHERE value <> excluded.value',
  );
  const ingestState = (): IngestState | null => {
    const bytes = readState.get(INGEST_KEY);
    return bytes === undefined ? null : (JSON.parse(bytes.toString()) as IngestState);
  };
  return withStorageErrors<AgentStore>(path, {
    ingest: ({ blocks, windows: cut, position, state = {} }) =>
      transaction(db, () => {
        const lastUs = (ingestState()?.lastUs ?? []).map((t) => t ?? Number.NEGATIVE_INFINITY);
        chunks.append(blocks, lastUs);
        windows.insert(cut);
        for (const [key, bytes] of Object.entries(state)) writeState.run(userKey(key), bytes);
        writeState.run(INGEST_KEY, Buffer.from(JSON.stringify({ ...position, lastUs })));
      }),
    ingestPosition() {
      const known = ingestState();
      if (known === null) return null;
      return { nextIndex: known.nextIndex, resumeAtUs: known.resumeAtUs, streamEnded: known.streamEnded };
    },
    nextWindows: windows.next,
    countWindows: windows.count,
    readStream: chunks.read,
    checkpoint: checkpoints.read,
    commitTraining: (checkpoint, update, usedWindows) =>
      transaction(db, () => {
        checkpoints.logUse(usedWindows, update);
        checkpoints.write(checkpoint);
        outbox.insert(update);
      }),
    windowUses: checkpoints.uses,
    pending: outbox.pending,
    recordAttempt: outbox.recordAttempt,
    recordReceipt: outbox.recordReceipt,
    settle: outbox.settle,
    settled: outbox.settled,
    state(key) {
      const bytes = readState.get(userKey(key));
      return bytes === undefined ? null : new Uint8Array(bytes);
    },
    close: () => void db.close(),
  });
}

function userKey(key: string): string {
  return `user/${key}`;
}
