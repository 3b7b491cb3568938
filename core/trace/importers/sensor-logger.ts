/**
 * Sensor Logger (iOS, Android): a zip or folder with one CSV per sensor, columns `time` (ns since 1970), `seconds_elapsed`, `z`, `y`,
 * `x`; Annotation.csv has texts, which become labels; Metadata.csv says platform and whether units and frames were standardised.
 * Accelerometer.csv is without gravity. What a board's chip measures is, in this order: TotalAcceleration.csv (Android); Accelerometer
 * plus Gravity; AccelerometerUncalibrated. Unless standardised, iOS has the opposite sign, and g in the uncalibrated file.
 * Source: github.com/tszheichoi/awesome-sensor-logger, README, UNITS, COORDINATES and CROSSPLATFORM.
 */
import { basename, dirname, posix, resolve } from 'node:path';
import type { DataSet, Recording } from '../recording.ts';
import { type Collector, createCollector, recordingFrom, type Samples } from './collector.ts';
import { headOfText, numberIn, readTable } from './delimited.ts';
import { type Importer, someHead } from './importer.ts';
import type { SourceFile, TraceSource } from './source.ts';

const STANDARD_GRAVITY = 9.80665;
const SENSORS = [
  'TotalAcceleration',
  'Accelerometer',
  'Gravity',
  'AccelerometerUncalibrated',
  'Gyroscope',
  'Magnetometer',
] as const;
type Sensor = (typeof SENSORS)[number];

const SENSOR_FILE = new RegExp(`(?:^|/)(${SENSORS.join('|')})\\.csv$`);
const FILES = new RegExp(`(?:^|/)(?:${SENSORS.join('|')}|Annotation|Metadata)\\.csv$`);
/** Gravity is interpolated between its samples, but not over a longer hole than this. */
const GRAVITY_HOLE_S = 0.5;

export const sensorLogger: Importer = {
  name: 'Sensor Logger',
  looksFor: 'TotalAcceleration.csv, Accelerometer.csv or Gyroscope.csv with the columns seconds_elapsed, z, y, x',
  sign: SENSOR_FILE,
  recognizes: (source) => someHead(source, SENSOR_FILE, isSensorTable),
  read,
};

interface Export {
  readonly sensors: Map<Sensor, Collector>;
  readonly labels: { tS: number; label: string | null }[];
  platform: string | null;
  isStandardised: boolean;
}

function isSensorTable(head: string): boolean {
  const { columns } = headOfText(head);
  return ['seconds_elapsed', 'x', 'y', 'z'].every((name) => columns.includes(name));
}

async function read(source: TraceSource, note: (text: string) => void): Promise<DataSet> {
  const exports = new Map<string, Export>();
  for await (const file of source.files((name) => FILES.test(name))) {
    const folder = dirname(file.path);
    const entry = exports.get(folder) ?? { sensors: new Map(), labels: [], platform: null, isStandardised: false };
    exports.set(folder, entry);
    await readFile(file, entry);
  }
  const own = basename(resolve(source.path)).replace(/\.(?:zip|csv)$/i, '');
  const withSensors = [...exports].filter(([, { sensors }]) => sensors.size > 0);
  const recordings = withSensors.map(([folder, entry]) => {
    const where = folder === '.' ? source.path : `${source.path}: ${folder}`;
    return recordingOf(entry, withSensors.length === 1 ? own : posix.basename(folder), where, note);
  });
  const labels = recordings.flatMap((recording) => recording.labels.map(({ label }) => label));
  const classes = [...new Set(labels.filter((label) => label !== null))].sort();
  return { name: own, classes, recordings, publishedTestSubjects: null, terms: '' };
}

async function readFile(file: SourceFile, entry: Export): Promise<void> {
  const name = posix.basename(file.path, '.csv');
  if (name === 'Metadata') await readMetadata(file, entry);
  else if (name === 'Annotation') await readAnnotations(file, entry);
  else {
    const collector = await readSensor(file, name as Sensor);
    if (collector !== null) entry.sensors.set(name as Sensor, collector);
  }
}

/** Null for a file without the columns. */
async function readSensor(file: SourceFile, name: Sensor): Promise<Collector | null> {
  const collector = createCollector(name, '');
  let isTable = false;
  await readTable(file, (head) => {
    const [t, x, y, z] = ['seconds_elapsed', 'x', 'y', 'z'].map((column) => head.columns.indexOf(column)) as number[];
    isTable = [t, x, y, z].every((column) => column !== undefined && column >= 0);
    if (!isTable) return () => undefined;
    return (cells, where) => {
      const number = (column: number | undefined) => numberIn(cells[column as number], head, where);
      collector.add(number(t), [number(x), number(y), number(z)]);
    };
  });
  return isTable ? collector : null;
}

async function readAnnotations(file: SourceFile, entry: Export): Promise<void> {
  await readTable(file, (head) => {
    const [t, text] = [head.columns.indexOf('seconds_elapsed'), head.columns.indexOf('text')];
    return (cells, where) => {
      const tS = numberIn(cells[t], head, where);
      if (!Number.isNaN(tS)) entry.labels.push({ tS, label: cells[text]?.trim() || null });
    };
  });
}

async function readMetadata(file: SourceFile, entry: Export): Promise<void> {
  await readTable(file, ({ columns }) => (cells) => {
    entry.platform = cells[columns.indexOf('platform')]?.trim().toLowerCase() ?? null;
    entry.isStandardised = cells[columns.indexOf('standardisation')]?.trim().toLowerCase() === 'true';
  });
}

function recordingOf(entry: Export, subject: string, where: string, note: (text: string) => void): Recording {
  if (entry.platform === null)
    note(`${where}: no Metadata.csv, so the signs and units of Android are taken for granted`);
  const isApple = entry.platform === 'ios' && !entry.isStandardised;
  if (isApple) note(`${where}: recorded on iOS without standardised frames, so accelerations change their sign`);
  const collectors = [accelerationOf(entry, isApple, where, note)];
  const copied = (sensor: Sensor, name: string, unit: string) => {
    const collector = entry.sensors.get(sensor);
    if (collector !== undefined) collectors.push({ ...collector, name, unit });
  };
  copied('Gyroscope', 'gyr', 'radps');
  copied('Magnetometer', 'mag', 'uT');
  const there = collectors.filter((collector) => collector !== null);
  return recordingFrom({ subject, collectors: there, labels: entry.labels, where, note });
}

/** What a chip would measure, in m/s² with the sign of Android: +9.8 on z of a phone that lies on its back. */
function accelerationOf(
  { sensors }: Export,
  isApple: boolean,
  where: string,
  note: (text: string) => void,
): Collector | null {
  const [total, user, gravity, raw] = SENSORS.map((sensor) => sensors.get(sensor));
  const sign = isApple ? -1 : 1;
  if (hasRows(total)) return scaled(total, 'acc', sign);
  if (hasRows(user) && hasRows(gravity)) {
    note(`${where}: acc is Accelerometer.csv plus Gravity.csv`);
    return scaled(sum(user, gravity.samples()), 'acc', sign);
  }
  if (hasRows(raw)) {
    note(`${where}: acc is AccelerometerUncalibrated.csv`);
    return scaled(raw, 'acc', isApple ? -STANDARD_GRAVITY : 1);
  }
  if (!hasRows(user)) return null;
  note(
    `${where}: acceleration was recorded without gravity, which is another quantity than a board measures. ` +
      "It is called 'lin' and not 'acc'. Switch on Gravity (iOS) or Total Acceleration (Android) in the app",
  );
  return scaled(user, 'lin', sign);
}

function hasRows(collector: Collector | undefined): collector is Collector {
  return collector !== undefined && collector.rows() > 0;
}

function scaled(collector: Collector, name: string, scale: number): Collector {
  const samples = () => {
    const found = collector.samples();
    return scale === 1 ? found : { ...found, values: found.values.map((value) => value * scale) };
  };
  return { ...collector, name, unit: 'mps2', samples };
}

/** Gravity added at the times of `user`; samples without gravity near are left out. */
function sum(user: Collector, gravity: Samples): Collector {
  const samples = () => {
    const found = user.samples();
    const kept: number[] = [];
    const values: number[] = [];
    let next = 0;
    found.tS.forEach((tS, i) => {
      while (next < gravity.tS.length && (gravity.tS[next] as number) < tS) next++;
      const at = gravityAt(gravity, next, tS);
      if (at === null) return;
      kept.push(tS);
      for (let c = 0; c < 3; c++) values.push((found.values[3 * i + c] as number) + (at[c] as number));
    });
    const incomplete = found.incomplete + found.tS.length - kept.length;
    return { ...found, tS: Float64Array.from(kept), values: Float32Array.from(values), incomplete };
  };
  return { ...user, samples };
}

/** Between the samples before `next` and at `next`; null where neither is near. */
function gravityAt({ tS, values }: Samples, next: number, at: number): number[] | null {
  const [before, after] = [tS[next - 1], tS[next]];
  if (after === at || before === undefined)
    return after !== undefined && after - at <= GRAVITY_HOLE_S ? axes(next) : null;
  if (after === undefined) return at - before <= GRAVITY_HOLE_S ? axes(next - 1) : null;
  if (after - before > GRAVITY_HOLE_S) return null;
  const share = (at - before) / (after - before);
  return axes(next - 1).map((value, c) => value + share * ((axes(next)[c] as number) - value));

  function axes(i: number): number[] {
    return [...values.subarray(3 * i, 3 * i + 3)];
  }
}
