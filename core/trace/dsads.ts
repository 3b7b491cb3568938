/**
 * "Daily and Sports Activities" (DSADS), its torso unit: 8 people, 19 activities of 5 minutes each, 25 Hz, acceleration (m/s²), angular rate
 * (rad/s) and magnetic field (relative to the local Earth field).
 * Published layout: aNN/pN/sNN.txt by activity, person and segment of 5 s, 125 lines of 45 numbers, of which the first nine are the torso's;
 * as a zip archive or unpacked. The segments of an activity follow one another; between activities we leave a hole of 2 s.
 * Traces pN.csv.gz of the same recordings are known by their labels.
 * Known fault of the source: in stairs of persons 1 and 6 the last 24 samples of each segment repeat one.
 * Source: Altun, Barshan, Tunçel, Pattern Recognition 43, 2010; the page of the data set.
 */
import { AppError } from '../base/errors.ts';
import { ARCHIVE_NAME, type ArchivedFile, archivedFiles, folderFiles } from './archive.ts';
import { joinRecordings } from './order.ts';
import type { DataSet, RecordedModality, Recording } from './recording.ts';

/** Activities a01 to a19. */
const ACTIVITIES = [
  'sitting',
  'standing',
  'lying_on_back',
  'lying_on_right_side',
  'ascending_stairs',
  'descending_stairs',
  'standing_in_elevator_still',
  'moving_in_elevator',
  'walking_in_parking_lot',
  'walking_treadmill_4kmh_flat',
  'walking_treadmill_4kmh_15deg',
  'running_treadmill_8kmh',
  'exercising_stepper',
  'exercising_cross_trainer',
  'cycling_exercise_bike_horizontal',
  'cycling_exercise_bike_vertical',
  'rowing',
  'jumping',
  'playing_basketball',
];
const MODALITIES = [
  { name: 'acc', unit: 'mps2' },
  { name: 'gyr', unit: 'radps' },
  { name: 'mag', unit: 'lef' },
];
const PERIOD_US = 40_000;
const GAP_US = 2_000_000;
/** Numbers of a line that belong to the torso's unit, and all of them. */
const TORSO_COLUMNS = 9;
const COLUMNS = 45;
const FILES = /(?:^|\/)a(\d\d)\/p(\d)\/s(\d\d)\.txt$/;
const TERMS =
  'DSADS (UCI Machine Learning Repository, id 256). Cite: K. Altun, B. Barshan, O. Tunçel, "Comparative study on classifying human ' +
  'activities with miniature inertial and magnetic sensors", Pattern Recognition 43(10), 2010.';

/** Torso samples `[n, 9]` of one segment. */
interface Segment {
  readonly activity: number;
  readonly subject: string;
  readonly number: number;
  readonly values: Float32Array;
}

/** Names of files that say that a folder or archive has the published layout. */
export const dsadsFiles = FILES;

/** Reads the archive or folder at `path`, one recording per person. Fails with `data-format` naming the file and line inside. */
export async function readDsads(path: string): Promise<DataSet> {
  const isWanted = (name: string) => FILES.test(name);
  const segments: Segment[] = [];
  const files = ARCHIVE_NAME.test(path) ? archivedFiles(path, isWanted) : folderFiles(path, isWanted);
  for await (const file of files) segments.push(readSegment(file, path));
  const subjects = [...new Set(segments.map(({ subject }) => subject))].sort();
  return dsads(
    subjects.map((subject) => {
      const own = segments.filter((segment) => segment.subject === subject);
      const activities = [...new Set(own.map(({ activity }) => activity))].sort((a, b) => a - b);
      const recordings = activities.map((activity) => {
        const ofActivity = own.filter((segment) => segment.activity === activity).sort((a, b) => a.number - b.number);
        return recordingOf(subject, ACTIVITIES[activity - 1] as string, ofActivity);
      });
      return joinRecordings(recordings, GAP_US);
    }),
  );
}

/** The data set with its proper name, order of classes and terms if its traces are recordings of DSADS; else as it is. */
export function recognizedAsDsads(traces: DataSet): DataSet {
  const isDsads = traces.recordings.every(
    ({ subject, modalities, labels }) =>
      /^p\d$/.test(subject) &&
      modalities.length === MODALITIES.length &&
      modalities.every(({ name, unit }, m) => name === MODALITIES[m]?.name && unit === MODALITIES[m]?.unit) &&
      labels.length > 0 &&
      labels.every(({ label }) => label === null || ACTIVITIES.includes(label)),
  );
  return isDsads ? dsads(traces.recordings) : traces;
}

function dsads(recordings: readonly Recording[]): DataSet {
  const labels = new Set(recordings.flatMap((recording) => recording.labels.map(({ label }) => label)));
  const classes = ACTIVITIES.filter((activity) => labels.has(activity));
  return { name: 'dsads', classes, recordings, publishedTestSubjects: null, terms: TERMS };
}

function recordingOf(subject: string, label: string, segments: readonly Segment[]): Recording {
  const width = 3;
  const samples = segments.reduce((sum, { values }) => sum + values.length / TORSO_COLUMNS, 0);
  const modalities = MODALITIES.map(({ name, unit }, m): RecordedModality => {
    const values = new Float32Array(samples * width);
    let at = 0;
    for (const segment of segments) {
      for (let row = 0; row < segment.values.length; row += TORSO_COLUMNS) {
        values.set(segment.values.subarray(row + m * width, row + (m + 1) * width), at);
        at += width;
      }
    }
    const tUs = Float64Array.from({ length: samples }, (_, i) => i * PERIOD_US);
    return { name, unit, channels: ['x', 'y', 'z'], sampleRateHz: 1e6 / PERIOD_US, tUs, values };
  });
  return { subject, modalities, labels: [{ tUs: 0, label }] };
}

function readSegment({ path, bytes }: ArchivedFile, archive: string): Segment {
  const [, activityText, person, number] = FILES.exec(path) ?? [];
  const activity = Number(activityText);
  if (activity < 1 || activity > ACTIVITIES.length)
    throw wrong(`${archive}: ${path}`, 'there are activities a01 to a19');
  const lines = bytes.toString('latin1').trimEnd().split('\n');
  const values = new Float32Array(lines.length * TORSO_COLUMNS);
  lines.forEach((line, i) => {
    const cells = line.split(',');
    const torso = cells.slice(0, TORSO_COLUMNS).map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell)));
    if (cells.length !== COLUMNS || !torso.every(Number.isFinite)) {
      throw wrong(`${archive}: ${path}:${i + 1}`, `not ${COLUMNS} numbers separated by commas`);
    }
    values.set(torso, i * TORSO_COLUMNS);
  });
  return { activity, subject: `p${person}`, number: Number(number), values };
}

function wrong(where: string, what: string): AppError {
  return new AppError('data-format', `not the published layout of DSADS: ${what}`, {
    where,
    hint: 'give the archive as published, or the unpacked folder that has a01/ to a19/ in it',
  });
}
