/**
 * The raw stream on disk: per modality one blob of about a second, float32 values and compact times.
 * Times: the second differences of the sample times as zigzag varints (LEB128); a regular stream costs one byte a sample.
 * Invariant: a modality's stored times strictly increase, so a replay that resumes earlier stores nothing twice.
 */
import type { SampleBlock } from '../../core/stream/event.ts';
import { bytesOf, floatsOf } from './float-blob.ts';
import type { Db } from './transaction.ts';

/** A chunk closes when it spans this long. */
export const CHUNK_US = 1_000_000;
/** Modalities that fit in a chunk's id. */
export const MAX_MODALITIES = 16;
const PER_TIME = BigInt(MAX_MODALITIES);

/** Chunks that are read at a time: no snapshot is held between, or the write-ahead log would grow with a reader's patience. */
const READ_AT_ONCE = 64;

export interface ChunkTable {
  /** Call inside a transaction, as the next. */
  insert(runs: readonly SampleRun[]): void;
  /** Removes the oldest chunks, at most `limit`, of those that begin before `beforeUs`. */
  dropOldest(limit: number, beforeUs: number): { readonly chunks: number; readonly samples: number };
  /** First time of the oldest chunk, null when there is none. */
  oldestUs(): number | null;
  /**
   * Chunks in order of their first sample, from the first at or after `fromUs` to the newest when reading begins. Owned by the
   * caller. What retention removes meanwhile is left out.
   */
  read(fromUs: number): IterableIterator<SampleBlock>;
}

/** The new samples of one modality. */
export type SampleRun = Omit<SampleBlock, 'kind'>;

interface ChunkRow {
  readonly id: bigint;
  readonly samples: bigint;
  readonly channels: bigint;
  readonly times: Buffer;
  readonly values: Buffer;
}

export function chunkTable(db: Db): ChunkTable {
  const insert = db.prepare('INSERT INTO chunks (id, samples, channels, times, "values") VALUES (?, ?, ?, ?, ?)');
  const select = db
    .prepare<[bigint, bigint], ChunkRow>(
      `SELECT * FROM chunks WHERE id >= ? AND id <= ? ORDER BY id LIMIT ${READ_AT_ONCE}`,
    )
    .safeIntegers(true);
  const ends = db
    .prepare<[], { oldest: bigint | null; newest: bigint | null }>(
      'SELECT (SELECT min(id) FROM chunks) AS oldest, (SELECT max(id) FROM chunks) AS newest',
    )
    .safeIntegers(true);
  const victims = db
    .prepare<[limit: number, before: bigint], { last: bigint | null; chunks: bigint; samples: bigint | null }>(
      `SELECT max(id) AS last, count(*) AS chunks, sum(samples) AS samples
       FROM (SELECT id, samples FROM chunks ORDER BY id LIMIT ?) WHERE id < ?`,
    )
    .safeIntegers(true);
  const remove = db.prepare<[bigint]>('DELETE FROM chunks WHERE id <= ?');
  return {
    insert(runs) {
      for (const { modality, tUs, values } of runs) {
        const channels = values.length / Math.max(1, tUs.length);
        for (let from = 0; from < tUs.length; ) {
          const to = chunkEnd(tUs, from);
          const part = values.subarray(from * channels, to * channels);
          insert.run(
            idOf(Number(tUs[from]), modality),
            to - from,
            channels,
            packTimes(tUs.subarray(from, to)),
            bytesOf(part),
          );
          from = to;
        }
      }
    },
    dropOldest(limit, beforeUs) {
      const before = beforeUs === Number.POSITIVE_INFINITY ? GREATEST_ID : idOf(Math.floor(beforeUs), 0);
      const found = victims.get(limit, before);
      if (found === undefined || found.last === null) return { chunks: 0, samples: 0 };
      remove.run(found.last);
      return { chunks: Number(found.chunks), samples: Number(found.samples) };
    },
    oldestUs() {
      const { oldest = null } = ends.get() ?? {};
      return oldest === null ? null : Number(oldest / PER_TIME);
    },
    *read(fromUs) {
      const end = ends.get()?.newest ?? null;
      let from = idOf(Math.floor(fromUs), 0);
      while (end !== null && from <= end) {
        const rows = select.all(from, end);
        for (const row of rows) yield blockOf(row);
        from = (rows.at(-1)?.id ?? end) + 1n;
      }
    },
  };
}

function blockOf(row: ChunkRow): SampleBlock {
  const modality = Number(row.id % PER_TIME);
  const tUs = unpackTimes(row.times, Number(row.id / PER_TIME), Number(row.samples));
  return { kind: 'samples', modality, tUs, values: floatsOf(row.values) };
}

const GREATEST_ID = 2n ** 63n - 1n;

/** In 64 bits: a time since 1970 in microseconds, times 16, is beyond what a number holds exactly. */
function idOf(tUs: number, modality: number): bigint {
  return BigInt(tUs) * PER_TIME + BigInt(modality);
}

/** What of `blocks` is later than `lastUs[modality]`, one run per modality. Moves those times forward in place. */
export function newSamples(blocks: readonly SampleBlock[], lastUs: number[]): SampleRun[] {
  const runs: SampleRun[] = [];
  for (const modality of new Set(blocks.map((block) => block.modality))) {
    const run = mergeNew(blocks, modality, lastUs[modality] ?? Number.NEGATIVE_INFINITY);
    if (run.tUs.length === 0) continue;
    runs.push({ modality, ...run });
    lastUs[modality] = Number(run.tUs.at(-1));
  }
  return runs;
}

/** The blocks of one modality as one run, without the samples at or before `lastUs`. */
function mergeNew(
  blocks: readonly SampleBlock[],
  modality: number,
  lastUs: number,
): Pick<SampleBlock, 'tUs' | 'values'> {
  const parts: Pick<SampleBlock, 'tUs' | 'values'>[] = [];
  let samples = 0;
  let floats = 0;
  for (const block of blocks) {
    if (block.modality !== modality) continue;
    let skip = 0;
    while (skip < block.tUs.length && Number(block.tUs[skip]) <= lastUs) skip++;
    if (skip === block.tUs.length) continue;
    const channels = block.values.length / block.tUs.length;
    const part = { tUs: block.tUs.subarray(skip), values: block.values.subarray(skip * channels) };
    parts.push(part);
    samples += part.tUs.length;
    floats += part.values.length;
    lastUs = Number(block.tUs.at(-1));
  }
  const tUs = new Float64Array(samples);
  const values = new Float32Array(floats);
  let atTime = 0;
  let atValue = 0;
  for (const part of parts) {
    tUs.set(part.tUs, atTime);
    values.set(part.values, atValue);
    atTime += part.tUs.length;
    atValue += part.values.length;
  }
  return { tUs, values };
}

function chunkEnd(tUs: Float64Array, from: number): number {
  const limit = Number(tUs[from]) + CHUNK_US;
  let to = from + 1;
  while (to < tUs.length && Number(tUs[to]) < limit) to++;
  return to;
}

/** Second differences after the first time, which the row's id holds. `tUs` are integers. */
export function packTimes(tUs: Float64Array): Uint8Array {
  const out: number[] = [];
  let lastDelta = 0;
  for (let i = 1; i < tUs.length; i++) {
    const delta = Number(tUs[i]) - Number(tUs[i - 1]);
    const change = delta - lastDelta;
    let code = change < 0 ? -2 * change - 1 : 2 * change;
    while (code >= 128) {
      out.push((code % 128) + 128);
      code = Math.floor(code / 128);
    }
    out.push(code);
    lastDelta = delta;
  }
  return Uint8Array.from(out);
}

/** Inverse of `packTimes`: `samples` times from `firstUs` on. */
export function unpackTimes(packed: Uint8Array, firstUs: number, samples: number): Float64Array {
  const tUs = new Float64Array(samples);
  let at = 0;
  let delta = 0;
  let time = firstUs;
  for (let i = 0; i < samples; i++) {
    if (i > 0) {
      let code = 0;
      let scale = 1;
      let byte = Number(packed[at++]);
      for (; byte >= 128; byte = Number(packed[at++]), scale *= 128) code += (byte - 128) * scale;
      code += byte * scale;
      delta += code % 2 === 1 ? -(code + 1) / 2 : code / 2;
      time += delta;
    }
    tUs[i] = time;
  }
  return tUs;
}
