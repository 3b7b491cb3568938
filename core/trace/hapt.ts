/**
 * "Smartphone-Based Recognition of Human Activities and Postural Transitions" (HAPT), the raw recordings of UCI HAR, in its
 * published layout: RawData/{acc,gyro}_expNN_userMM.txt (g, rad/s; 50 Hz), RawData/labels.txt (experiment, user, activity, first
 * and last sample, 1-based and inclusive), activity_labels.txt. Packed (.tar, .tar.gz, .tar.xz, .zip) or unpacked.
 * Source: Reyes-Ortiz et al., Neurocomputing 171, 2016; the README of the data set.
 */
import { AppError } from '../base/errors.ts';
import { ARCHIVE_NAME, type ArchivedFile, archivedFiles, folderFiles } from './archive.ts';
import type { DataSet, RecordedModality, Recording } from './recording.ts';

const PERIOD_US = 20_000;
const STANDARD_GRAVITY = 9.80665;
/** Activities 1-6; 7-12 are the transitions between postures. */
const BASIC_ACTIVITIES = 6;
const TEST_SUBJECTS = ['2', '4', '9', '10', '12', '13', '18', '20', '24'];
const FILES = /(?:^|\/)(?:RawData\/(?:(acc|gyro)_exp(\d+)_user(\d+)\.txt|labels\.txt)|activity_labels\.txt)$/;
const TERMS =
  'HAPT (UCI Machine Learning Repository, id 341). Cite: J.-L. Reyes-Ortiz, L. Oneto, A. Samà, X. Parra, D. Anguita, ' +
  '"Transition-Aware Human Activity Recognition Using Smartphones", Neurocomputing 171, 2016. ' +
  'The README of UCI HAR, the same recordings, forbids commercial use.';

interface Segment {
  readonly experiment: number;
  readonly activity: number;
  /** First and last sample, 1-based, inclusive. */
  readonly first: number;
  readonly last: number;
  readonly where: string;
}

interface Layout {
  /** Experiment → user, acceleration and angular rate `[n, 3]`. */
  readonly experiments: Map<number, { user: string; acc?: Float32Array; gyro?: Float32Array }>;
  readonly segments: Segment[];
  readonly activities: Map<number, string>;
}

/** Names of files that say that a folder or archive has the published layout. */
export const haptFiles = /(?:^|\/)RawData\/(?:labels|(?:acc|gyro)_exp\d+_user\d+)\.txt$/;

/** Reads the archive or folder at `path`, one recording per experiment. Fails with `data-format` naming the file and line inside. */
export async function readHapt(path: string): Promise<DataSet> {
  const isWanted = (name: string) => FILES.test(name);
  const files = ARCHIVE_NAME.test(path) ? archivedFiles(path, isWanted) : folderFiles(path, isWanted);
  const layout: Layout = { experiments: new Map(), segments: [], activities: new Map() };
  for await (const file of files) readFile(layout, file, path);
  if (layout.segments.length === 0) throw wrong(path, 'RawData/labels.txt is missing or empty');
  if (layout.activities.size === 0) throw wrong(path, 'activity_labels.txt is missing or empty');
  for (const { experiment, where } of layout.segments) {
    if (!layout.experiments.has(experiment)) throw wrong(where, `experiment ${experiment} has no recording`);
  }
  const experiments = [...layout.experiments].sort(([a], [b]) => a - b);
  const recordings = experiments.map(([number, { user, acc, gyro }]): Recording => {
    if (acc === undefined || gyro === undefined)
      throw wrong(path, `experiment ${number} lacks its acc or its gyro file`);
    const modalities = [modality('acc', 'mps2', acc), modality('gyr', 'radps', gyro)];
    const samples = Math.min(acc.length, gyro.length) / 3;
    return { subject: user, modalities, labels: labelsOf(number, samples, layout) };
  });
  const numbers = [...layout.activities.keys()].filter((number) => number <= BASIC_ACTIVITIES).sort((a, b) => a - b);
  const classes = numbers.map((number) => layout.activities.get(number) as string);
  return { name: 'hapt', classes, recordings, publishedTestSubjects: TEST_SUBJECTS, terms: TERMS };
}

function readFile(layout: Layout, { path, bytes }: ArchivedFile, archive: string): void {
  const where = `${archive}: ${path}`;
  const text = bytes.toString('latin1');
  const [, sensor, experimentText, userText] = FILES.exec(path) ?? [];
  if (sensor === 'acc' || sensor === 'gyro') {
    const experiment = Number(experimentText);
    const entry = layout.experiments.get(experiment) ?? { user: String(Number(userText)) };
    entry[sensor] = readVectors(text, where, sensor === 'acc' ? STANDARD_GRAVITY : 1);
    layout.experiments.set(experiment, entry);
  } else if (path.endsWith('activity_labels.txt')) {
    for (const [index, line] of linesOf(text)) {
      const [, number, name] = /^\s*(\d+)\s+(\S+)\s*$/.exec(line) ?? [];
      if (name === undefined) throw wrong(`${where}:${index + 1}`, 'not a number and a name');
      layout.activities.set(Number(number), name);
    }
  } else {
    for (const [index, line] of linesOf(text)) layout.segments.push(readSegment(line, `${where}:${index + 1}`));
  }
}

/** `[n, 3]` of lines with three numbers each, times `scale`. */
function readVectors(text: string, where: string, scale: number): Float32Array {
  const lines = text.trimEnd().split('\n');
  const values = new Float32Array(lines.length * 3);
  for (let i = 0; i < lines.length; i++) {
    const cells = (lines[i] as string).trim().split(' ');
    for (let c = 0; c < 3; c++) values[i * 3 + c] = cells[c] ? Number(cells[c]) * scale : Number.NaN;
    const sum = (values[i * 3] as number) + (values[i * 3 + 1] as number) + (values[i * 3 + 2] as number);
    if (cells.length !== 3 || !Number.isFinite(sum)) throw wrong(`${where}:${i + 1}`, 'not three numbers');
  }
  return values;
}

function readSegment(line: string, where: string): Segment {
  const [experiment = 0, user = 0, activity = 0, first = 0, last = 0, ...more] = line.trim().split(/\s+/).map(Number);
  const areCounts = [experiment, user, activity, first, last].every((value) => Number.isInteger(value) && value > 0);
  if (!areCounts || more.length > 0 || last < first) {
    throw wrong(where, 'not experiment, user, activity, first and last sample');
  }
  return { experiment, activity, first, last, where };
}

function labelsOf(experiment: number, samples: number, layout: Layout): { tUs: number; label: string | null }[] {
  const labels: { tUs: number; label: string | null }[] = [];
  const segments = layout.segments.filter((segment) => segment.experiment === experiment);
  let end = 0;
  for (const { activity, first, last, where } of segments.sort((a, b) => a.first - b.first)) {
    const label = layout.activities.get(activity);
    if (label === undefined) throw wrong(where, `activity ${activity} has no name`);
    if (first <= end) throw wrong(where, `the segment begins before the one before has ended, at sample ${end}`);
    if (last > samples) throw wrong(where, `the segment ends at sample ${last} of ${samples}`);
    if (first > end + 1 && end > 0) labels.push({ tUs: end * PERIOD_US, label: null });
    if (label !== labels.at(-1)?.label) labels.push({ tUs: (first - 1) * PERIOD_US, label });
    end = last;
  }
  if (end > 0 && end < samples) labels.push({ tUs: end * PERIOD_US, label: null });
  return labels;
}

function modality(name: string, unit: string, values: Float32Array): RecordedModality {
  const tUs = Float64Array.from({ length: values.length / 3 }, (_, sample) => sample * PERIOD_US);
  return { name, unit, channels: ['x', 'y', 'z'], sampleRateHz: 1e6 / PERIOD_US, tUs, values };
}

function linesOf(text: string): [number, string][] {
  return [...text.split('\n').entries()].filter(([, line]) => line.trim() !== '');
}

function wrong(where: string, what: string): AppError {
  return new AppError('data-format', `not the published layout of HAPT: ${what}`, {
    where,
    hint: 'give the archive as published, or the unpacked folder that has RawData/ and activity_labels.txt in it',
  });
}
