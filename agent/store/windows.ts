/**
 * Windows on disk. The samples are stored apart from the small facts (label, quality, completeness, measures).
 * Body: per modality the count of its float32 values as uint32 (ABSENT where the modality is missing), then the values, little-endian.
 * Facts: M, K as two float32, then per modality quality, completeness as float64 and K measures as float32 (NaN where absent), then
 * per modality its reason as one byte: place in WHYS + 1, 0 = none. Where nobody said, the facts end before the reasons.
 * Invariant: a window's index is written once; a replay that cuts the same window again changes nothing.
 */
import { WHYS, type Why } from '../../core/qqr/quality.ts';
import type { Window } from '../../core/stream/window.ts';
import { bytesOf } from './float-blob.ts';
import type { Db } from './transaction.ts';

/** A window as the learner takes it. Arrays are copies of its own. */
export interface StoredWindow extends Window {
  /** Per modality in [0, 1]; 0 where the modality is absent. */
  readonly quality: readonly number[];
  /** Per modality what pulled the quality down most; left out where nobody said. */
  readonly why?: readonly (Why | null)[];
}

/** A window as it is stored: with what the quality was judged from. */
export interface MeasuredWindow extends StoredWindow {
  /** Per modality the signal measures, K of them; null where the modality is absent. */
  readonly measures: readonly (Float32Array | null)[];
}

export interface WindowQuery {
  /** Windows with a greater index; −1 for all. */
  readonly afterIndex: number;
  /** Windows labelled with one of these. */
  readonly classes: readonly string[];
  /** And windows without a label. Default false. */
  readonly unlabelled?: boolean;
}

export interface WindowTable {
  /** Insert or ignore, by index. Call inside a transaction. */
  insert(windows: readonly MeasuredWindow[]): void;
  /** At most `limit` windows, ascending index. */
  next(query: WindowQuery & { readonly limit: number }): MeasuredWindow[];
  count(query: WindowQuery): number;
  /** The window with the greatest index, null when there is none. */
  newest(): MeasuredWindow | null;
  /** Removes the oldest windows, at most `limit`, of those up to index `upTo` that begin before `beforeUs`. */
  dropOldest(limit: number, upTo: number, beforeUs: number): DroppedWindows;
  /** Index and start of the oldest window, null when there is none. */
  oldest(): { readonly index: number; readonly tStartUs: number } | null;
}

export interface DroppedWindows {
  readonly windows: number;
  /** Those of them up to the learner's cursor: it is done with them. */
  readonly used: number;
}

interface WindowRow {
  readonly idx: number;
  readonly t_start_us: number;
  readonly label: string | null;
  readonly facts: Buffer;
  readonly body: Buffer;
}

const ABSENT = 0xffff_ffff;

export function windowTable(db: Db): WindowTable {
  const insertFacts = db.prepare('INSERT OR IGNORE INTO windows (idx, t_start_us, label, facts) VALUES (?, ?, ?, ?)');
  const insertBody = db.prepare('INSERT OR IGNORE INTO window_values (idx, body) VALUES (?, ?)');
  const usable = 'idx > ? AND (label IN (SELECT value FROM json_each(?)) OR (label IS NULL AND ?))';
  type Usable = [afterIndex: number, classes: string, unlabelled: number];
  const bound = ({ afterIndex, classes, unlabelled = false }: WindowQuery): Usable => {
    return [afterIndex, JSON.stringify(classes), unlabelled ? 1 : 0];
  };
  const select = db.prepare<[...Usable, limit: number], WindowRow>(
    `SELECT idx, t_start_us, label, facts, body FROM windows JOIN window_values USING (idx) WHERE ${usable} ORDER BY idx LIMIT ?`,
  );
  const newest = db.prepare<[], WindowRow>(
    'SELECT idx, t_start_us, label, facts, body FROM windows JOIN window_values USING (idx) ORDER BY idx DESC LIMIT 1',
  );
  const oldest = db.prepare<[], { index: number; tStartUs: number }>(
    'SELECT idx AS "index", t_start_us AS tStartUs FROM windows ORDER BY idx LIMIT 1',
  );
  const victims = db.prepare<[limit: number, upTo: number, beforeUs: number], DroppedWindows & { last: number | null }>(
    `SELECT max(idx) AS last, count(*) AS windows, count(*) FILTER (WHERE idx <= (SELECT cursor FROM checkpoint)) AS used
     FROM (SELECT idx, t_start_us FROM windows ORDER BY idx LIMIT ?) WHERE idx <= ? AND t_start_us < ?`,
  );
  const removeFacts = db.prepare<[number]>('DELETE FROM windows WHERE idx <= ?');
  const removeBody = db.prepare<[number]>('DELETE FROM window_values WHERE idx <= ?');
  const count = db.prepare<Usable, number>(`SELECT count(*) FROM windows WHERE ${usable}`).pluck();
  return {
    insert(windows) {
      for (const window of windows) {
        insertFacts.run(window.index, window.tStartUs, window.label, packFacts(window));
        insertBody.run(window.index, packBody(window.values));
      }
    },
    next: ({ limit, ...query }) => select.all(...bound(query), limit).map(fromRow),
    count: (query) => count.get(...bound(query)) ?? 0,
    newest() {
      const row = newest.get();
      return row === undefined ? null : fromRow(row);
    },
    dropOldest(limit, upTo, beforeUs) {
      const { last = null, windows = 0, used = 0 } = victims.get(limit, upTo, beforeUs) ?? {};
      if (last === null) return { windows: 0, used: 0 };
      removeFacts.run(last);
      removeBody.run(last);
      return { windows, used };
    },
    oldest: () => oldest.get() ?? null,
  };
}

function fromRow(row: WindowRow): MeasuredWindow {
  const facts = unpackFacts(row.facts);
  return { index: row.idx, tStartUs: row.t_start_us, label: row.label, values: unpackBody(row.body), ...facts };
}

function packBody(values: Window['values']): Uint8Array {
  const bytes = values.reduce((sum, v) => sum + 4 + (v?.byteLength ?? 0), 0);
  const out = new Uint8Array(bytes);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const array of values) {
    view.setUint32(at, array?.length ?? ABSENT, true);
    at += 4;
    if (array === null) continue;
    out.set(bytesOf(array), at);
    at += array.byteLength;
  }
  return out;
}

function unpackBody(body: Buffer): (Float32Array | null)[] {
  const owned = new Uint8Array(body);
  const view = new DataView(owned.buffer);
  const values: (Float32Array | null)[] = [];
  for (let at = 0; at < owned.length; ) {
    const length = view.getUint32(at, true);
    at += 4;
    values.push(length === ABSENT ? null : new Float32Array(owned.buffer.slice(at, at + 4 * length)));
    if (length !== ABSENT) at += 4 * length;
  }
  return values;
}

function packFacts({ quality, completeness, measures, why }: MeasuredWindow): Uint8Array {
  const perModality = measures.find((m) => m !== null)?.length ?? 0;
  const view = new DataView(new ArrayBuffer(8 + quality.length * (16 + 4 * perModality + (why === undefined ? 0 : 1))));
  view.setFloat32(0, quality.length, true);
  view.setFloat32(4, perModality, true);
  let at = 8;
  for (let m = 0; m < quality.length; m++) {
    view.setFloat64(at, quality[m] ?? 0, true);
    view.setFloat64(at + 8, completeness[m] ?? 0, true);
    at += 16;
    for (let k = 0; k < perModality; k++, at += 4) view.setFloat32(at, measures[m]?.[k] ?? Number.NaN, true);
  }
  why?.forEach((reason, m) => {
    view.setUint8(at + m, reason === null ? 0 : WHYS.indexOf(reason) + 1);
  });
  return new Uint8Array(view.buffer);
}

function unpackFacts(facts: Buffer): Pick<MeasuredWindow, 'quality' | 'completeness' | 'measures' | 'why'> {
  const view = new DataView(facts.buffer, facts.byteOffset, facts.byteLength);
  const modalities = view.getFloat32(0, true);
  const perModality = view.getFloat32(4, true);
  const quality: number[] = [];
  const completeness: number[] = [];
  const measures: (Float32Array | null)[] = [];
  let at = 8;
  for (let m = 0; m < modalities; m++) {
    quality.push(view.getFloat64(at, true));
    completeness.push(view.getFloat64(at + 8, true));
    at += 16;
    const own = new Float32Array(perModality);
    for (let k = 0; k < perModality; k++, at += 4) own[k] = view.getFloat32(at, true);
    measures.push(own.length === 0 || own.every(Number.isNaN) ? null : own);
  }
  const reasons = [...facts.subarray(at)].map((place) => WHYS[place - 1] ?? null);
  return { quality, completeness, measures, ...(reasons.length > 0 && { why: reasons }) };
}
