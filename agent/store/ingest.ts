/**
 * One second of stream into the file: room first, then samples, windows, labels, faults and position, all in one transaction.
 * Within bounds a full disk or a full buffer is no error: what cannot be stored is counted, and sampling goes on.
 * Without bounds (replays, which must not lose anything) it is one.
 */
import type { Log } from '../../core/base/log.ts';
import type { LabelChange, SampleBlock, StreamHeader } from '../../core/stream/event.ts';
import { CHUNK_US, newSamples, type SampleRun } from './chunks.ts';
import { createAnnouncer } from './condition.ts';
import type { DroppableTables } from './drop-order.ts';
import type { FaultTable, StoredFault } from './faults.ts';
import { addLosses, type LossCause, type LossCount, type Losses, lossCounts, withLost } from './losses.ts';
import { createRetention, type Retention, type Room, type StoreBounds } from './retention.ts';
import type { StateTable } from './state.ts';
import { type Db, isFull, transaction } from './transaction.ts';
import type { MeasuredWindow } from './windows.ts';

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
  /** What `blocks` are of; without it the stream cannot be played again. */
  readonly header?: StreamHeader;
  /** Changes of label, at whatever times of the stream. */
  readonly labels?: readonly LabelChange[];
  readonly faults?: readonly StoredFault[];
}

/** Or why samples and windows were not stored: at the cap with the policy `stop`, a cap too small for anything, a full disk. */
export type IngestOutcome = 'stored' | 'stop' | 'cap' | 'disk-full';

export interface IngestTables extends DroppableTables {
  readonly faults: FaultTable;
  readonly state: StateTable;
}

export interface IngestLimits {
  readonly bounds: StoreBounds;
  /** What the disk has left, bytes. */
  readonly freeBytes: () => number;
  readonly log: Log;
}

export interface Ingest {
  /** All of the batch in one transaction. */
  write(batch: IngestBatch): IngestOutcome;
  /** Removes all that the bounds no longer allow, however long it takes. True when the file could then be compacted below the cap. */
  fit(): boolean;
  position(): IngestPosition | null;
  lastStoredUs(): number | null;
  header(): StoredHeader | null;
  losses(): LossCount[];
}

export interface StoredHeader {
  readonly header: StreamHeader;
  /** The stream is of this header from here on, microseconds. */
  readonly sinceUs: number;
}

interface IngestState extends IngestPosition {
  readonly lastUs: (number | null)[];
}

/** Keys of `state`. The position holds the last stored time per modality, too. */
const POSITION = 'ingest';
const HEADER = 'header';
const LOSSES = 'losses';
/** Faults that wait in memory for a full disk to have room. */
const MOST_CARRIED = 64;
/** What a row costs beside its contents: its share of a page that is not full, and its key, bytes. */
const ROW_BYTES = 700;

/** What waits in memory for a full disk to have room: without the label the stream would go on under a wrong one. */
interface Carried {
  readonly labels: readonly LabelChange[];
  readonly faults: readonly StoredFault[];
  readonly losses: Losses;
}

const NOTHING_CARRIED: Carried = { labels: [], faults: [], losses: {} };
const UNBOUNDED: Room = { refused: null, pressure: null, rows: 0, losses: {} };
const DISK_FULL: Room = { ...UNBOUNDED, refused: 'disk-full', pressure: 'disk-full' };

export function createIngest(db: Db, tables: IngestTables, limits: IngestLimits | null): Ingest {
  const { state } = tables;
  const retention = limits === null ? null : createRetention(db, tables, limits.bounds);
  const announce = limits === null ? () => undefined : createAnnouncer(limits.bounds.policy, limits.log);
  const writeOnce = writer(db, tables, retention);
  let carried = NOTHING_CARRIED;

  function write(batch: IngestBatch): IngestOutcome {
    if (limits === null) return outcomeOf(writeOnce(batch, carried, Number.POSITIVE_INFINITY));
    const attempts = [limits.freeBytes, ...(limits.bounds.policy === 'drop-oldest' ? [() => 0] : [])];
    for (const freeBytes of attempts) {
      try {
        const room = writeOnce(batch, carried, freeBytes());
        carried = NOTHING_CARRIED;
        announce(room);
        return outcomeOf(room);
      } catch (error) {
        if (!isFull(error)) throw error;
      }
    }
    carried = carriedOn(carried, batch, lossOf('disk-full', newSamples(batch.blocks, lastTimes(state)), batch.windows));
    announce(DISK_FULL);
    return 'disk-full';
  }

  return {
    write,
    fit() {
      if (retention === null) return false;
      const request = { bytes: 0, rows: 0, newestUs: newestOf(lastTimes(state)), freeBytes: Number.POSITIVE_INFINITY };
      const step = () => {
        const { rows, losses } = retention.makeRoom(request);
        keepLosses(state, losses);
        return rows;
      };
      while (transaction(db, step) > 0);
      return retention.isCompactable();
    },
    position() {
      const kept = state.readJson<IngestState>(POSITION);
      if (kept === null) return null;
      return { nextIndex: kept.nextIndex, resumeAtUs: kept.resumeAtUs, streamEnded: kept.streamEnded };
    },
    lastStoredUs() {
      const times = lastTimes(state).filter(Number.isFinite);
      return times.length === 0 ? null : Math.max(...times);
    },
    header: () => state.readJson(HEADER),
    losses: () => lossCounts(addLosses(state.readJson<Losses>(LOSSES) ?? {}, carried.losses)),
  };
}

/** One transaction; throws what the database throws, and then nothing is written. */
function writer(db: Db, tables: IngestTables, retention: Retention | null) {
  const { chunks, windows, labels, faults, state } = tables;
  return (batch: IngestBatch, carried: Carried, freeBytes: number): Room =>
    transaction(db, () => {
      const lastUs = lastTimes(state);
      const runs = newSamples(batch.blocks, lastUs);
      const newestUs = newestOf(lastUs);
      const room = retention?.makeRoom({ ...sizeOf(runs, batch.windows), newestUs, freeBytes }) ?? UNBOUNDED;
      if (room.refused === null) {
        chunks.insert(runs);
        windows.insert(batch.windows);
      }
      labels.insert([...carried.labels, ...(batch.labels ?? [])]);
      faults.insert([...carried.faults, ...(batch.faults ?? [])]);
      for (const [key, bytes] of Object.entries(batch.state ?? {})) state.write(userKey(key), bytes);
      if (batch.header !== undefined) keepHeader(state, batch.header, runs);
      const position: IngestState = { ...batch.position, lastUs };
      state.writeJson(POSITION, position);
      const refused = room.refused === null ? {} : lossOf(room.refused, runs, batch.windows);
      keepLosses(state, [room.losses, carried.losses, refused].reduce(addLosses));
      return room;
    });
}

function outcomeOf({ refused }: Room): IngestOutcome {
  return refused === null ? 'stored' : refused;
}

/** Last stored time per modality. */
function lastTimes(state: StateTable): number[] {
  return (state.readJson<IngestState>(POSITION)?.lastUs ?? []).map((t) => t ?? Number.NEGATIVE_INFINITY);
}

function newestOf(lastUs: readonly number[]): number {
  return Math.max(0, ...lastUs);
}

function sizeOf(runs: readonly SampleRun[], windows: readonly MeasuredWindow[]) {
  let bytes = 0;
  let rows = 0;
  for (const { tUs, values } of runs) {
    const chunks = 1 + Math.floor((Number(tUs.at(-1)) - Number(tUs[0])) / CHUNK_US);
    bytes += values.byteLength + 2 * tUs.length + chunks * ROW_BYTES;
    rows += chunks;
  }
  for (const { values } of windows) {
    bytes += values.reduce((sum, own) => sum + (own?.byteLength ?? 0), 2 * ROW_BYTES);
    rows += 2;
  }
  return { bytes, rows };
}

function lossOf(cause: LossCause, runs: readonly SampleRun[], windows: readonly MeasuredWindow[]): Losses {
  const samples = runs.reduce((sum, { tUs }) => sum + tUs.length, 0);
  return withLost({}, cause, { samples, 'unused-windows': windows.length });
}

function keepLosses(state: StateTable, losses: Losses): void {
  if (Object.keys(losses).length === 0) return;
  state.writeJson(LOSSES, addLosses(state.readJson<Losses>(LOSSES) ?? {}, losses));
}

/** Of the labels only the last one matters: no sample is stored between them. */
function carriedOn(carried: Carried, { labels = [], faults = [] }: IngestBatch, losses: Losses): Carried {
  return {
    labels: [...carried.labels, ...labels].slice(-1),
    faults: [...carried.faults, ...faults].slice(-MOST_CARRIED),
    losses: addLosses(carried.losses, losses),
  };
}

function keepHeader(state: StateTable, header: StreamHeader, runs: readonly SampleRun[]): void {
  const known = state.readJson<StoredHeader>(HEADER);
  const named = plain(header);
  if (known !== null && JSON.stringify(plain(known.header)) === JSON.stringify(named)) return;
  if (known !== null && runs.length === 0) return; // told again with the first samples
  const sinceUs = known === null ? 0 : Math.min(...runs.map(({ tUs }) => Number(tUs[0])));
  state.writeJson(HEADER, { header: named, sinceUs });
}

/** What a header says, and nothing else that the object may hold: a recording is a header too, with all of its samples. */
function plain({ modalities }: StreamHeader): StreamHeader {
  return {
    modalities: modalities.map(({ name, unit, channels, sampleRateHz }) => ({ name, unit, channels, sampleRateHz })),
  };
}

export function userKey(key: string): string {
  return `user/${key}`;
}
