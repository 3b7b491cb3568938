/**
 * Windows as a table for other tools (docs/traces.md). `samples`: a row per sample, the long format; `windows`: a row per window
 * with completeness, quality and each channel's mean and standard deviation. Rows come in the order of subject, window, modality, time.
 */
import { float32Text } from '../../core/trace/csv-writer.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import { type Cutting, type JudgedWindow, judgedWindows, ownModalities } from './judged-windows.ts';

export type Rows = 'samples' | 'windows';

/** Lines with their ends, the header first. Windows are numbered on through all recordings of a data set. */
export function* windowRows(
  dataSet: DataSet,
  { windowSeconds, overlap }: Omit<Cutting, 'wanted'>,
  rows: Rows,
): Generator<string> {
  const wanted = unionOf(dataSet, windowSeconds);
  const channels = [...new Set(wanted.flatMap((modality) => modality.channels))];
  yield `${header(rows, wanted, channels)}\n`;
  let number = 0;
  for (const [place, recording] of dataSet.recordings.entries()) {
    for (const window of judgedWindows(recording, place, { wanted, windowSeconds, overlap })) {
      if (rows === 'windows') yield `${windowRow(window, number, wanted)}\n`;
      else yield sampleRows(window, number, wanted, channels);
      number++;
    }
  }
}

type Wanted = Cutting['wanted'];

/** Every modality that occurs, as the first recording that has it gives it. */
function unionOf({ recordings }: DataSet, windowSeconds: number): Wanted {
  const found = new Map<string, Wanted[number]>();
  for (const modality of recordings.flatMap((recording) => ownModalities(recording, windowSeconds))) {
    if (!found.has(modality.name)) found.set(modality.name, modality);
  }
  return [...found.values()];
}

function header(rows: Rows, wanted: Wanted, channels: readonly string[]): string {
  if (rows === 'samples') return ['subject', 'window', 't_s', 'label', 'modality', 'unit', ...channels].join();
  const ofModality = wanted.flatMap(({ name, channels: own }) => [
    `${name}_completeness`,
    `${name}_quality`,
    `${name}_why`,
    ...own.flatMap((channel) => [`${name}_${channel}_mean`, `${name}_${channel}_std`]),
  ]);
  return ['subject', 'window', 't_start_s', 'label', ...ofModality].join();
}

/** `t_s` is a sample's place on the window's grid, in the time of its recording. */
function sampleRows(window: JudgedWindow, number: number, wanted: Wanted, channels: readonly string[]): string {
  let text = '';
  const start = `${quoted(window.subject)},${number}`;
  wanted.forEach(({ name, unit, channels: own, sampleRateHz }, m) => {
    const values = window.values[m] ?? null;
    if (values === null) return;
    const places = channels.map((channel) => own.indexOf(channel));
    for (let i = 0; i < values.length / own.length; i++) {
      const cells = places.map((place) => (place < 0 ? '' : float32Text(values[i * own.length + place] as number)));
      const tS = (window.tStartUs + (i * 1e6) / sampleRateHz) / 1e6;
      text += `${start},${decimal(tS)},${quoted(window.label ?? '')},${name},${unit},${cells.join()}\n`;
    }
  });
  return text;
}

function windowRow(window: JudgedWindow, number: number, wanted: Wanted): string {
  const cells = wanted.flatMap(({ channels }, m) => {
    const values = window.values[m] ?? null;
    const quality = [window.completeness[m], window.judgement.quality[m], window.judgement.why[m] ?? ''];
    const moments = channels.flatMap((_, c) => (values === null ? ['', ''] : momentsOf(values, c, channels.length)));
    return [...quality.map((cell) => (typeof cell === 'number' ? decimal(cell) : String(cell))), ...moments];
  });
  return [quoted(window.subject), number, decimal(window.tStartUs / 1e6), quoted(window.label ?? ''), ...cells].join();
}

/** Mean and standard deviation. */
function momentsOf(values: Float32Array, channel: number, width: number): [string, string] {
  const own = values.filter((_, i) => i % width === channel);
  const mean = own.reduce((sum, value) => sum + value, 0) / own.length;
  const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return [decimal(mean), decimal(Math.sqrt(squares / own.length))];
}

function decimal(value: number): string {
  return String(Math.round(value * 1e6) / 1e6);
}

/** A cell after RFC 4180. */
export function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
