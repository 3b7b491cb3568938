/**
 * Rows of an app's export, as they come, into a recording that keeps its promises: times in whole microseconds from the first
 * sample, strictly increasing; finite values; a gap where nothing was measured. Nothing is invented or averaged: rows that came
 * late are put into their place, of rows with one time the first counts, a row with a value missing is no sample.
 */
import { AppError } from '../../base/errors.ts';
import { nominalRateHz } from '../nominal-rate.ts';
import type { RecordedModality, Recording } from '../recording.ts';

/** Longer than any recording; times beyond are a wrong unit. */
const MAX_SECONDS = 10 * 366 * 86_400;
const NAMES = ['x', 'y', 'z'];

export interface Collector {
  readonly name: string;
  readonly unit: string;
  readonly channels: readonly string[];
  /** Rows taken. */
  rows(): number;
  /** @param tS seconds on the source's clock @param values in the modality's unit; NaN: not there */
  add(tS: number, values: readonly number[]): void;
  /** Sorted by time, on the source's clock, each time once. */
  samples(): Samples;
}

export interface Samples {
  /** `[n]` seconds, strictly increasing in whole microseconds. */
  readonly tS: Float64Array;
  /** `[n, channels]` */
  readonly values: Float32Array;
  readonly late: number;
  readonly repeated: number;
  readonly incomplete: number;
}

export function createCollector(name: string, unit: string, channels: readonly string[] = NAMES): Collector {
  const width = channels.length;
  let tS = new Float64Array(1024);
  let values = new Float32Array(1024 * width);
  let count = 0;
  let incomplete = 0;
  return {
    name,
    unit,
    channels,
    rows: () => count + incomplete,
    add(at, row) {
      if (Number.isNaN(at) || row.some((value) => !Number.isFinite(Math.fround(value)))) {
        incomplete++;
        return;
      }
      if (count === tS.length) {
        tS = grown(tS, new Float64Array(2 * count));
        values = grown(values, new Float32Array(2 * count * width));
      }
      tS[count] = at;
      for (let c = 0; c < width; c++) values[count * width + c] = row[c] as number;
      count++;
    },
    samples: () => ({ ...ordered(tS.subarray(0, count), values, width), incomplete }),
  };
}

function ordered(tS: Float64Array, values: Float32Array, width: number): Omit<Samples, 'incomplete'> {
  const exact = tS.map((at) => Math.round(at * 1e6) / 1e6);
  let late = 0;
  let isInOrder = true;
  let newest = Number.NEGATIVE_INFINITY;
  for (const at of exact) {
    if (at < newest) late++;
    if (at <= newest) isInOrder = false;
    newest = Math.max(newest, at);
  }
  if (isInOrder) return { tS: exact, values: values.slice(0, exact.length * width), late: 0, repeated: 0 };
  const order = Uint32Array.from(exact, (_, i) => i).sort(
    (a, b) => (exact[a] as number) - (exact[b] as number) || a - b,
  );
  const kept = order.filter(
    (i, place) => place === 0 || (exact[i] as number) > (exact[order[place - 1] as number] as number),
  );
  const keptValues = new Float32Array(kept.length * width);
  kept.forEach((i, place) => {
    keptValues.set(values.subarray(i * width, (i + 1) * width), place * width);
  });
  const keptTimes = Float64Array.from(kept, (i) => exact[i] as number);
  return { tS: keptTimes, values: keptValues, late, repeated: order.length - kept.length };
}

export interface Gathered {
  readonly subject: string;
  readonly collectors: readonly Collector[];
  /** On the same clock as the samples. */
  readonly labels: readonly { readonly tS: number; readonly label: string | null }[];
  /** For errors and notes. */
  readonly where: string;
  readonly note: (text: string) => void;
}

/** The recording, from time 0 at its first sample. Fails with `data-format` when there is nothing in it. */
export function recordingFrom({ subject, collectors, labels, where, note }: Gathered): Recording {
  const parts = collectors.map((collector) => ({ collector, samples: collector.samples() }));
  const usable = parts.filter(({ collector, samples }) => {
    tellOf(collector.name, samples, where, note);
    if (samples.tS.length > 1) return true;
    note(`${where}: ${collector.name} has ${samples.tS.length} samples and is left out`);
    return false;
  });
  if (usable.length === 0) {
    throw new AppError('data-format', 'the recording holds no samples of a motion sensor', {
      where,
      hint: 'record with the accelerometer, the gyroscope or both switched on',
    });
  }
  const startS = Math.min(...usable.map(({ samples }) => samples.tS[0] as number));
  const modalities = usable.map(({ collector: { name, unit, channels }, samples: { tS, values } }) => {
    const tUs = tS.map((at) => Math.round((at - startS) * 1e6));
    if ((tUs.at(-1) as number) > MAX_SECONDS * 1e6) {
      throw new AppError('data-format', `the times of ${name} span more than ten years`, { where });
    }
    return { name, unit, channels, sampleRateHz: nominalRateHz(tUs) as number, tUs, values } satisfies RecordedModality;
  });
  return { subject, modalities, labels: labelsFrom(labels, startS) };
}

/** In order of time, from 0, without repeats; what was set before the first sample begins with it. */
function labelsFrom(labels: Gathered['labels'], startS: number): { tUs: number; label: string | null }[] {
  const sorted = labels.map(({ tS, label }) => ({ tUs: Math.max(0, Math.round((tS - startS) * 1e6)), label }));
  sorted.sort((a, b) => a.tUs - b.tUs);
  const last = sorted.filter(({ tUs }, i) => tUs !== sorted[i + 1]?.tUs);
  return last.filter(({ label }, i) => label !== (last[i - 1]?.label ?? null));
}

function tellOf(name: string, { late, repeated, incomplete }: Samples, where: string, note: (text: string) => void) {
  const rows = (count: number, one: string, many: string) => `${count} ${count === 1 ? `row ${one}` : `rows ${many}`}`;
  if (late > 0) note(`${where}: ${name}: ${rows(late, 'came', 'came')} out of order, put into place`);
  if (repeated > 0) note(`${where}: ${name}: ${rows(repeated, 'repeats', 'repeat')} a time, the first counts`);
  if (incomplete > 0) note(`${where}: ${name}: ${rows(incomplete, 'lacks', 'lack')} a number and are a gap`);
}

function grown<A extends Float32Array | Float64Array>(from: A, into: A): A {
  into.set(from);
  return into;
}
