/**
 * Writes a recording as a trace file. Reading it back gives the same recording: times to the microsecond, values bit for bit.
 * The file appears whole or not at all. Format: docs/trace-format.md.
 */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { AppError } from '../base/errors.ts';
import type { StreamEvent, StreamModality } from '../stream/event.ts';
import type { Recording } from './recording.ts';
import { TIME_LIMIT_US } from './row-parser.ts';
import { unitNamed } from './units.ts';

/** Characters that are handed to the file at a time. */
const CHUNK = 65_536;

/** What the head of a trace file says. */
export interface TraceHead {
  readonly subject: string;
  readonly modalities: readonly StreamModality[];
  /** Whether there is a column for labels. */
  readonly isLabelled: boolean;
}

/**
 * Writes `recording` to `path`, gzipped when the name ends in `.gz`. Labels that repeat the one before are left out.
 * Fails with `output-failed`, or with `internal` when the recording breaks its contract (units, order of time, finite values).
 */
export async function writeRecording(recording: Recording, path: string): Promise<void> {
  const head = { ...recording, isLabelled: recording.labels.length > 0 };
  const rows = rowsOf(head);
  for (const [m, { tUs, values }] of recording.modalities.entries()) rows.waiting[m]?.push({ tUs, values, next: 0 });
  rows.labels.push(...recording.labels);
  await writeText(textOf(head, rowsBefore(rows, Infinity)), path);
}

/**
 * Writes a stream as `writeRecording` writes a recording; whatever its length, memory holds a few blocks.
 * @param events in order of their first instant
 */
export async function writeEvents(head: TraceHead, events: Iterable<StreamEvent>, path: string): Promise<void> {
  await writeText(textOf(head, rowsOfEvents(head, events)), path);
}

async function writeText(chunks: Iterable<string>, path: string): Promise<void> {
  const text = Readable.from(chunks, { objectMode: false });
  // The callback has nothing to do: an error of either stream surfaces where the last one is read.
  const bytes = path.endsWith('.gz') ? pipeline(text, createGzip(), () => undefined) : text;
  await writeFileAtomic(path, bytes).finally(() => bytes.destroy());
}

function* textOf(head: TraceHead, rows: Iterable<string>): Generator<string> {
  let chunk = headText(head);
  for (const row of rows) {
    chunk += `${row}\n`;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function headText({ subject, modalities, isLabelled }: TraceHead): string {
  if (/[\r\n]/.test(subject)) throw broken('the subject holds a line break');
  const rates = modalities.map((modality) => `${modality.name}=${modality.sampleRateHz}`);
  const columns = modalities.flatMap(({ name, channels, unit }) => {
    if (unitNamed(unit)?.unit !== unit)
      throw broken(`modality '${name}' has the unit '${unit}', which is none of a recording`);
    return channels.map((channel) => `${name}_${channel}_${unit}`);
  });
  const names = ['t_s', ...columns, ...(isLabelled ? ['label'] : [])];
  return `# subject: ${subject}\n# rate_hz: ${rates.join(' ')}\n${names.join(',')}\n`;
}

/** What is known of the stream and not written yet. */
interface Rows {
  readonly modalities: readonly StreamModality[];
  /** Per modality its runs of samples in order of time. */
  readonly waiting: readonly Waiting[][];
  readonly labels: { readonly tUs: number; readonly label: string | null }[];
  labelCell: string;
  lastUs: number;
}

/** Samples of one modality, those from `next` on not written yet. */
interface Waiting {
  readonly tUs: Float64Array;
  readonly values: Float32Array;
  next: number;
}

function rowsOf({ modalities, isLabelled }: TraceHead): Rows {
  return {
    modalities,
    waiting: modalities.map(() => []),
    labels: [],
    labelCell: isLabelled ? ',' : '',
    lastUs: -Infinity,
  };
}

/** An event that begins at some time says that all before it is there. */
function* rowsOfEvents(head: TraceHead, events: Iterable<StreamEvent>): Generator<string> {
  const rows = rowsOf(head);
  for (const event of events) {
    if (event.kind === 'label') {
      yield* rowsBefore(rows, event.tUs);
      if (head.isLabelled) rows.labels.push(event);
    } else if (event.tUs.length > 0) {
      yield* rowsBefore(rows, event.tUs[0] as number);
      rows.waiting[event.modality]?.push({ tUs: event.tUs, values: event.values, next: 0 });
    }
  }
  yield* rowsBefore(rows, Infinity);
}

/** One row for every instant before `endUs` at which there is a sample or a change of label. */
function* rowsBefore(rows: Rows, endUs: number): Generator<string> {
  const { modalities, waiting, labels } = rows;
  const empty = modalities.map(({ channels }) => ','.repeat(channels.length));
  for (;;) {
    let tUs = labels[0]?.tUs ?? Infinity;
    for (const [run] of waiting) if (run !== undefined) tUs = Math.min(tUs, run.tUs[run.next] ?? Infinity);
    if (tUs >= endUs) return;
    if (!isTime(tUs) || tUs <= rows.lastUs) throw broken(`time ${tUs} µs is not an integer after ${rows.lastUs} µs`);
    rows.lastUs = tUs;
    if (labels[0]?.tUs === tUs) rows.labelCell = `,${labelText(labels.shift()?.label ?? null)}`;
    let row = secondsText(tUs);
    for (const [m, modality] of modalities.entries()) {
      const runs = waiting[m] as Waiting[];
      const run = runs[0];
      if (run === undefined || run.tUs[run.next] !== tUs) {
        row += empty[m];
        continue;
      }
      row += cellsOf(modality, run.values, run.next++);
      if (run.next === run.tUs.length) runs.shift();
    }
    yield row + rows.labelCell;
  }
}

function cellsOf({ name, channels }: StreamModality, values: Float32Array, sample: number): string {
  let cells = '';
  for (let i = sample * channels.length; i < (sample + 1) * channels.length; i++) {
    const value = values[i];
    if (value === undefined || !Number.isFinite(value))
      throw broken(`modality '${name}' has ${value} in sample ${sample}`);
    cells += `,${float32Text(value)}`;
  }
  return cells;
}

/** The shortest of 7, 8 or 9 significant digits that reads back as the same float32 (9 always do: IEEE 754). */
export function float32Text(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = 7; digits < 9; digits++) {
    const decimal = Number(value.toPrecision(digits));
    if (Math.fround(decimal) === value) return String(decimal);
  }
  return String(Number(value.toPrecision(9)));
}

function isTime(tUs: number): boolean {
  return Number.isInteger(tUs) && tUs >= 0 && tUs < TIME_LIMIT_US;
}

function secondsText(tUs: number): string {
  const micros = tUs % 1e6;
  const fraction = micros === 0 ? '' : `.${String(micros).padStart(6, '0').replace(/0+$/, '')}`;
  return `${Math.floor(tUs / 1e6)}${fraction}`;
}

function labelText(label: string | null): string {
  if (label === null) return '';
  if (label !== label.trim() || label === '' || /[\r\n]/.test(label)) {
    throw broken(`the label ${JSON.stringify(label)} is empty, begins or ends with a blank, or holds a line break`);
  }
  return /[",]/.test(label) ? `"${label.replaceAll('"', '""')}"` : label;
}

function broken(what: string): AppError {
  return new AppError('internal', `the recording cannot be written: ${what}`);
}
