/**
 * "Human Activity Recognition Using Smartphones" (UCI HAR) as published: {train,test}/Inertial Signals/{total_acc,body_gyro}_{x,y,z}_*.txt,
 * a line a window of 128 samples at 50 Hz (g, rad/s), windows of a person in order and overlapping by half; subject_*.txt and y_*.txt
 * a line a window, activity_labels.txt their names. Packed or unpacked.
 * Windows become the stream they were cut from: one whose first half repeats the last half of the one before, under the same label,
 * goes on; any other begins after a hole. So windows of 2.56 s with half overlap, cut from the stream, are the published ones.
 * Source: Anguita et al., ESANN 2013; the README of the data set.
 */
import { AppError } from '../../base/errors.ts';
import type { DataSet, RecordedModality, Recording } from '../recording.ts';
import type { Importer } from './importer.ts';
import type { SourceFile, TraceSource } from './source.ts';

const SAMPLES = 128;
const HOP = SAMPLES / 2;
const PERIOD_US = 20_000;
const GAP_US = 2_000_000;
const STANDARD_GRAVITY = 9.80665;
const SIGNALS = /(?:^|\/)(train|test)\/Inertial Signals\/(total_acc|body_gyro)_([xyz])_(?:train|test)\.txt$/;
const NUMBERS = /(?:^|\/)(train|test)\/(subject|y)_(?:train|test)\.txt$/;
const NAMES = /(?:^|\/)activity_labels\.txt$/;
const TERMS =
  'UCI HAR (UCI Machine Learning Repository, id 240). Cite: D. Anguita, A. Ghio, L. Oneto, X. Parra, J. L. Reyes-Ortiz, ' +
  '"A Public Domain Dataset for Human Activity Recognition Using Smartphones", ESANN 2013. Its README forbids commercial use.';

export const uciHar: Importer = {
  name: 'UCI HAR',
  looksFor:
    'train/Inertial Signals/total_acc_x_train.txt, train/subject_train.txt, train/y_train.txt, activity_labels.txt',
  sign: SIGNALS,
  recognizes: async (source) => source.names.some((name) => SIGNALS.test(name)),
  read,
};

/** Of `train` or `test`. */
interface Split {
  /** `total_acc/x` … → `[windows, 128]` */
  readonly signals: Map<string, Float32Array>;
  subject: readonly number[];
  y: readonly number[];
}

async function read(source: TraceSource): Promise<DataSet> {
  const splits = new Map<string, Split>();
  const activities = new Map<number, string>();
  const isWanted = (name: string) => SIGNALS.test(name) || NUMBERS.test(name) || NAMES.test(name);
  for await (const file of source.files(isWanted)) {
    const [, split = '', kind, axis] = SIGNALS.exec(file.path) ?? NUMBERS.exec(file.path) ?? [];
    if (split === '') await readNames(file, activities);
    else {
      const entry = splits.get(split) ?? { signals: new Map(), subject: [], y: [] };
      splits.set(split, entry);
      if (kind === 'subject' || kind === 'y') entry[kind] = await readCounts(file);
      else entry.signals.set(`${kind}/${axis}`, await readSignal(file, kind === 'total_acc' ? STANDARD_GRAVITY : 1));
    }
  }
  if (activities.size === 0) throw wrong(source.path, 'activity_labels.txt is missing or empty');
  const recordings = ['train', 'test'].flatMap((name) => {
    const split = splits.get(name);
    return split === undefined ? [] : recordingsOf(split, name, activities, source.path);
  });
  const testSubjects = [...new Set(splits.get('test')?.subject ?? [])].sort((a, b) => a - b).map(String);
  const classes = [...activities].sort(([a], [b]) => a - b).map(([, name]) => name);
  return { name: 'uci-har', classes, recordings, publishedTestSubjects: testSubjects, terms: TERMS };
}

function recordingsOf(split: Split, name: string, activities: ReadonlyMap<number, string>, where: string): Recording[] {
  const signals = ['total_acc', 'body_gyro'].map((kind) =>
    ['x', 'y', 'z'].map((axis) => {
      const signal = split.signals.get(`${kind}/${axis}`);
      if (signal === undefined) throw wrong(where, `${name}: ${kind}_${axis} is missing`);
      if (signal.length !== split.y.length * SAMPLES || split.subject.length !== split.y.length) {
        const windows = `${signal.length / SAMPLES} windows, ${split.subject.length} subjects, ${split.y.length} labels`;
        throw wrong(where, `${name}: ${kind}_${axis} has ${windows}`);
      }
      return signal;
    }),
  );
  return [...new Set(split.subject)].map((subject) => {
    const windows = [...split.subject.keys()].filter((window) => split.subject[window] === subject);
    const labels = windows.map((window) => {
      const label = activities.get(split.y[window] as number);
      if (label === undefined) throw wrong(where, `${name}: activity ${split.y[window]} has no name`);
      return label;
    });
    return streamOf(String(subject), windows, labels, signals.flat());
  });
}

/** @param signals acceleration x, y, z, angular rate x, y, z, `[windows, 128]` each */
function streamOf(
  subject: string,
  windows: readonly number[],
  labelOf: readonly string[],
  signals: readonly Float32Array[],
): Recording {
  const goesOn = (place: number) =>
    place > 0 &&
    labelOf[place] === labelOf[place - 1] &&
    windows[place] === (windows[place - 1] as number) + 1 &&
    signals.every((signal) => isOverlap(signal, windows[place] as number));
  const tUs: number[] = [];
  const rows: [window: number, sample: number][] = [];
  const labels: { tUs: number; label: string }[] = [];
  windows.forEach((window, place) => {
    const isNext = goesOn(place);
    const lastUs = tUs.at(-1) ?? -GAP_US;
    const startUs = lastUs + (isNext ? PERIOD_US : GAP_US);
    if (labels.at(-1)?.label !== labelOf[place]) labels.push({ tUs: startUs, label: labelOf[place] as string });
    for (let sample = isNext ? HOP : 0; sample < SAMPLES; sample++) {
      tUs.push(startUs + (sample - (isNext ? HOP : 0)) * PERIOD_US);
      rows.push([window, sample]);
    }
  });
  const times = Float64Array.from(tUs);
  const modality = (name: string, unit: string, first: number): RecordedModality => {
    const values = new Float32Array(rows.length * 3);
    rows.forEach(([window, sample], i) => {
      for (let c = 0; c < 3; c++) values[i * 3 + c] = signals[first + c]?.[window * SAMPLES + sample] as number;
    });
    return { name, unit, channels: ['x', 'y', 'z'], sampleRateHz: 1e6 / PERIOD_US, tUs: times, values };
  };
  return { subject, modalities: [modality('acc', 'mps2', 0), modality('gyr', 'radps', 3)], labels };
}

/** Whether the window's first half is the last half of the one before. */
function isOverlap(signal: Float32Array, window: number): boolean {
  const start = window * SAMPLES;
  for (let i = 0; i < HOP; i++) if (signal[start + i] !== signal[start - HOP + i]) return false;
  return true;
}

async function readSignal(file: SourceFile, scale: number): Promise<Float32Array> {
  const windows: Float32Array[] = [];
  for await (const lines of file.lines()) {
    for (const line of lines) {
      if (line.trim() === '') continue;
      const values = Float32Array.from(line.trim().split(/\s+/), (cell) => Number(cell) * scale);
      const where = `${file.where}:${windows.length + 1}`;
      if (values.length !== SAMPLES || !values.every(Number.isFinite)) throw wrong(where, `not ${SAMPLES} numbers`);
      windows.push(values);
    }
  }
  const signal = new Float32Array(windows.length * SAMPLES);
  windows.forEach((values, window) => {
    signal.set(values, window * SAMPLES);
  });
  return signal;
}

async function readCounts(file: SourceFile): Promise<number[]> {
  const text = (await file.bytes()).toString('latin1').trim();
  const counts = text === '' ? [] : text.split(/\s+/).map(Number);
  if (counts.every((count) => Number.isInteger(count) && count > 0)) return counts;
  throw wrong(file.where, 'not a whole number a line');
}

async function readNames(file: SourceFile, activities: Map<number, string>): Promise<void> {
  for (const line of (await file.bytes()).toString('latin1').split('\n')) {
    if (line.trim() === '') continue;
    const [, number, name] = /^\s*(\d+)\s+(\S+)\s*$/.exec(line) ?? [];
    if (name === undefined) throw wrong(file.where, 'not a number and a name');
    activities.set(Number(number), name);
  }
}

function wrong(where: string, what: string): AppError {
  return new AppError('data-format', `not the published layout of UCI HAR: ${what}`, {
    where,
    hint: "give the archive as published, or the unpacked folder that has train/ and test/ with their 'Inertial Signals' in it",
  });
}
