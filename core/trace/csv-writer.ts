/**
 * Writes a recording as a trace file. Reading it back gives the same recording: times to the microsecond, values bit for bit.
 * The file appears whole or not at all. Format: docs/trace-format.md.
 */
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { AppError } from '../base/errors.ts';
import type { RecordedModality, Recording } from './recording.ts';
import { TIME_LIMIT_US } from './row-parser.ts';
import { unitNamed } from './units.ts';

/** Characters that are handed to the file at a time. */
const CHUNK = 65_536;

/**
 * Writes `recording` to `path`, gzipped when the name ends in `.gz`. Labels that repeat the one before are left out.
 * Fails with `output-failed`, or with `internal` when the recording breaks its contract (units, order of time, finite values).
 */
export async function writeRecording(recording: Recording, path: string): Promise<void> {
  const text = Readable.from(chunksOf(recording), { objectMode: false });
  // The callback has nothing to do: an error of either stream surfaces where the last one is read.
  const bytes = path.endsWith('.gz') ? pipeline(text, createGzip(), () => undefined) : text;
  await writeFileAtomic(path, bytes).finally(() => bytes.destroy());
}

function* chunksOf(recording: Recording): Generator<string> {
  let chunk = headOf(recording);
  for (const row of rowsOf(recording)) {
    chunk += `${row}\n`;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  yield chunk;
}

function headOf({ subject, modalities, labels }: Recording): string {
  if (/[\r\n]/.test(subject)) throw broken('the subject holds a line break');
  const rates = modalities.map((modality) => `${modality.name}=${modality.sampleRateHz}`);
  const columns = modalities.flatMap(({ name, channels, unit }) => {
    if (unitNamed(unit)?.unit !== unit)
      throw broken(`modality '${name}' has the unit '${unit}', which is none of a recording`);
    return channels.map((channel) => `${name}_${channel}_${unit}`);
  });
  const names = ['t_s', ...columns, ...(labels.length > 0 ? ['label'] : [])];
  return `# subject: ${subject}\n# rate_hz: ${rates.join(' ')}\n${names.join(',')}\n`;
}

/** One row for every instant at which there is a sample or a change of label. */
function* rowsOf({ modalities, labels }: Recording): Generator<string> {
  const next = modalities.map(() => 0);
  const empty = modalities.map(({ channels }) => ','.repeat(channels.length));
  let nextLabel = 0;
  let labelCell = labels.length > 0 ? ',' : '';
  let lastUs = -Infinity;
  for (;;) {
    let tUs = labels[nextLabel]?.tUs ?? Infinity;
    for (const [m, modality] of modalities.entries()) tUs = Math.min(tUs, modality.tUs[next[m] as number] ?? Infinity);
    if (tUs === Infinity) return;
    if (!isTime(tUs) || tUs <= lastUs) throw broken(`time ${tUs} µs is not an integer after ${lastUs} µs`);
    lastUs = tUs;
    const change = labels[nextLabel];
    if (change?.tUs === tUs) {
      labelCell = `,${labelText(change.label)}`;
      nextLabel++;
    }
    let row = secondsText(tUs);
    for (const [m, modality] of modalities.entries()) {
      const sample = next[m] as number;
      const hasSample = modality.tUs[sample] === tUs;
      row += hasSample ? cellsOf(modality, sample) : empty[m];
      if (hasSample) next[m] = sample + 1;
    }
    yield row + labelCell;
  }
}

function cellsOf({ name, values, channels }: RecordedModality, sample: number): string {
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
function float32Text(value: number): string {
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
