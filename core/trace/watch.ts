/**
 * The shoulder exercises that come with the Python package seglearn: 140 series of a smartwatch on the wrist,
 * 10 subjects × 2 sides × 7 exercises, 50 Hz, accelerometer in g and gyroscope in rad/s.
 * One recording per subject: its series one after another with a hole between, since no clock relates them.
 * Source: Burns et al. 2018, arXiv 1802.01489; `seglearn.datasets.load_watch`.
 */
import { AppError } from '../base/errors.ts';
import { elementsOf, isArray, type Pickled, readPickledNpy } from './pickle.ts';
import type { DataSet, RecordedModality, Recording } from './recording.ts';

const PERIOD_US = 20_000;
const HOLE_US = 2_000_000;
const STANDARD_GRAVITY = 9.80665;
const CHANNELS = ['x', 'y', 'z'];

export const WATCH_TERMS =
  'seglearn watch data set, BSD-3-Clause. Cite: D. Burns, N. Leung, M. Hardisty, C. Whyne, P. Henry, S. McLachlin, ' +
  '"Shoulder physiotherapy exercise recognition: machine learning the inertial signals from a smartwatch", ' +
  'Physiological Measurement 39, 2018 (arXiv 1802.01489).';

interface Series {
  readonly subject: string;
  readonly exercise: string;
  /** Samples. */
  readonly length: number;
  /** Value of channel `c` (ax ay az wx wy wz) in sample `i`. */
  readonly at: (i: number, c: number) => number;
}

/** Reads `watch_dataset.npy`, called `where` in errors. Fails with `data-format` when it is not that file. */
export function readWatch(bytes: Buffer, where: string): DataSet {
  const root = readPickledNpy(bytes, where);
  if (!(root instanceof Map)) throw unlike(where, 'the object is no dictionary');
  const classes = root.get('y_labels');
  if (!isTextList(classes)) throw unlike(where, 'y_labels is no list of names');
  const series = seriesOf(root, classes, where);
  const bySubject = groupBySubject(series);
  const subjects = [...bySubject.keys()].sort((a, b) => Number(a) - Number(b));
  const recordings = subjects.map((subject) => recordingOf(subject, bySubject.get(subject) ?? []));
  return { name: 'watch', classes, recordings, publishedTestSubjects: null, terms: WATCH_TERMS };
}

function seriesOf(root: Map<string, Pickled>, classes: readonly string[], where: string): Series[] {
  const values = root.get('X');
  const exercises = elementsOf(root.get('y'));
  const subjects = elementsOf(root.get('subject'));
  if (!Array.isArray(values) || exercises === null || subjects === null)
    throw unlike(where, 'X, y or subject is missing');
  return values.map((value, index) => {
    const elements = elementsOf(value);
    const exercise = classes[exercises[index] ?? -1];
    if (
      !isArray(value) ||
      elements === null ||
      value.shape.length !== 2 ||
      value.shape[1] !== 6 ||
      exercise === undefined
    ) {
      throw unlike(where, `series ${index} is no array of six channels with a known exercise`);
    }
    const [length = 0] = value.shape;
    const at = value.isColumnMajor
      ? (i: number, c: number) => elements[c * length + i] as number
      : (i: number, c: number) => elements[i * 6 + c] as number;
    return { subject: String(subjects[index]), exercise, length, at };
  });
}

function recordingOf(subject: string, series: readonly Series[]): Recording {
  const samples = series.reduce((sum, { length }) => sum + length, 0);
  const tUs = new Float64Array(samples);
  const acc = new Float32Array(samples * 3);
  const gyr = new Float32Array(samples * 3);
  const labels: { tUs: number; label: string }[] = [];
  let sample = 0;
  let startUs = 0;
  for (const { exercise, length, at } of series) {
    if (labels.at(-1)?.label !== exercise) labels.push({ tUs: startUs, label: exercise });
    for (let i = 0; i < length; i++, sample++) {
      tUs[sample] = startUs + i * PERIOD_US;
      for (let c = 0; c < 3; c++) {
        acc[sample * 3 + c] = at(i, c) * STANDARD_GRAVITY;
        gyr[sample * 3 + c] = at(i, c + 3);
      }
    }
    startUs += length * PERIOD_US + HOLE_US;
  }
  const shared = { channels: CHANNELS, sampleRateHz: 1e6 / PERIOD_US, tUs };
  const modalities: RecordedModality[] = [
    { name: 'acc', unit: 'mps2', values: acc, ...shared },
    { name: 'gyr', unit: 'radps', values: gyr, ...shared },
  ];
  return { subject, modalities, labels };
}

function groupBySubject(series: readonly Series[]): Map<string, Series[]> {
  const groups = new Map<string, Series[]>();
  for (const one of series) groups.set(one.subject, [...(groups.get(one.subject) ?? []), one]);
  return groups;
}

function isTextList(value: Pickled | undefined): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === 'string');
}

function unlike(where: string, what: string): AppError {
  return new AppError('data-format', `not the watch data set: ${what}`, {
    where,
    hint: 'it is seglearn/data/watch_dataset.npy of the Python package seglearn 1.2.5',
  });
}
