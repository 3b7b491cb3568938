/**
 * MotionSense: 24 people, 6 activities in 15 trials, an iPhone in the front pocket, 50 Hz. Published layout, folder or zip:
 * A_DeviceMotion_data/<activity>_<trial>/sub_<person>.csv with gravity.{x,y,z} and userAcceleration.{x,y,z} in g and
 * rotationRate.{x,y,z} in rad/s; other columns are not used. Rows have no time: they are 20 ms apart.
 * Acceleration is −(gravity + userAcceleration): iOS has the opposite sign of what a chip measures. One recording per person, its
 * trials in the order of their numbers with a hole of 2 s between.
 * Source: Malekzadeh et al., IoTDI 2019; github.com/mmalekzadeh/motion-sense, README.
 */
import { AppError } from '../../base/errors.ts';
import { joinRecordings } from '../order.ts';
import type { DataSet, Recording } from '../recording.ts';
import { createCollector, recordingFrom } from './collector.ts';
import { headOfText, numberIn, readTable } from './delimited.ts';
import { type Importer, someHead } from './importer.ts';
import type { SourceFile, TraceSource } from './source.ts';

const STANDARD_GRAVITY = 9.80665;
const PERIOD_S = 0.02;
const GAP_US = 2_000_000;
const AXES = ['x', 'y', 'z'];
/** In the order of the publishers' codes. */
const ACTIVITIES: Readonly<Record<string, string>> = {
  dws: 'downstairs',
  ups: 'upstairs',
  wlk: 'walking',
  jog: 'jogging',
  std: 'standing',
  sit: 'sitting',
};
const FILES = /(?:^|\/)(dws|ups|wlk|jog|std|sit)_(\d+)\/sub_(\d+)\.csv$/;
const TERMS =
  'MotionSense (ODbL 1.0). Cite: M. Malekzadeh, R. G. Clegg, A. Cavallaro, H. Haddadi, ' +
  '"Mobile Sensor Data Anonymization", IoTDI 2019.';

export const motionSense: Importer = {
  name: 'MotionSense',
  looksFor: 'wlk_7/sub_1.csv with the columns gravity.x, userAcceleration.x, rotationRate.x',
  sign: FILES,
  recognizes: (source) =>
    someHead(source, FILES, (head) => {
      const { columns } = headOfText(head);
      return ['gravity.x', 'userAcceleration.x', 'rotationRate.x'].every((name) => columns.includes(name));
    }),
  read,
};

async function read(source: TraceSource, note: (text: string) => void): Promise<DataSet> {
  const trials: { person: number; trial: number; recording: Recording }[] = [];
  for await (const file of source.files((name) => FILES.test(name))) {
    const [, code = '', trial, person] = FILES.exec(file.path) ?? [];
    const label = ACTIVITIES[code] as string;
    trials.push({
      person: Number(person),
      trial: Number(trial),
      recording: await readTrial(file, person ?? '', label, note),
    });
  }
  const people = [...new Set(trials.map(({ person }) => person))].sort((a, b) => a - b);
  const recordings = people.map((person) => {
    const own = trials.filter((trial) => trial.person === person).sort((a, b) => a.trial - b.trial);
    return joinRecordings(
      own.map(({ recording }) => recording),
      GAP_US,
    );
  });
  const seen = new Set(recordings.flatMap(({ labels }) => labels.map(({ label }) => label)));
  const classes = Object.values(ACTIVITIES).filter((activity) => seen.has(activity));
  return { name: 'motion-sense', classes, recordings, publishedTestSubjects: null, terms: TERMS };
}

async function readTrial(
  file: SourceFile,
  subject: string,
  label: string,
  note: (text: string) => void,
): Promise<Recording> {
  const acc = createCollector('acc', 'mps2');
  const gyr = createCollector('gyr', 'radps');
  let row = 0;
  await readTable(file, (head) => {
    const columnsOf = (vector: string) => AXES.map((axis) => columnOf(head.columns, `${vector}.${axis}`, file.where));
    const [gravity, user, rotation] = ['gravity', 'userAcceleration', 'rotationRate'].map(columnsOf) as [
      number[],
      number[],
      number[],
    ];
    return (cells, where) => {
      const tS = row++ * PERIOD_S;
      const number = (column: number | undefined) => numberIn(cells[column as number], head, where);
      acc.add(
        tS,
        gravity.map((column, axis) => -STANDARD_GRAVITY * (number(column) + number(user[axis]))),
      );
      gyr.add(tS, rotation.map(number));
    };
  });
  return recordingFrom({ subject, collectors: [acc, gyr], labels: [{ tS: 0, label }], where: file.where, note });
}

function columnOf(columns: readonly string[], name: string, where: string): number {
  const column = columns.indexOf(name);
  if (column >= 0) return column;
  throw new AppError('data-format', `not the published layout of MotionSense: no column ${name}`, {
    where,
    hint: 'give A_DeviceMotion_data as published; the folders of accelerometer and gyroscope alone are not read',
  });
}
