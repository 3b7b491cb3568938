/**
 * Edge Impulse's data acquisition format, JSON or CBOR, one file or a folder or zip of them: `payload.sensors` (name, units),
 * `payload.interval_ms`, `payload.values` (a row per instant), `payload.device_name`. Sensors are joined by their names: accX, accY,
 * accZ. Labels come from info.labels where it is there, else from the file's name up to its first dot, as the uploader has it.
 * Signatures are not checked: the key is the project's, and what is in the file is read like any other file of the user's.
 * Source: docs.edgeimpulse.com, "Data acquisition format", "Uploader" and "Edge Impulse exporter format".
 */
import { basename, posix, resolve } from 'node:path';
import { decode } from 'cborg';
import { AppError } from '../../base/errors.ts';
import type { DataSet, Recording } from '../recording.ts';
import { unitNamed } from '../units.ts';
import { createCollector, recordingFrom } from './collector.ts';
import { type Importer, someHead } from './importer.ts';
import type { SourceFile, TraceSource } from './source.ts';

const FILES = /\.(?:json|cbor)$/i;
const LABELS = /(?:^|\/)info\.labels$/;
/** As written (SenML and what devices write) → as in column names of a trace. */
const UNITS: Readonly<Record<string, string>> = {
  'm/s2': 'mps2',
  'm/s^2': 'mps2',
  'm/s²': 'mps2',
  'g': 'g',
  'mg': 'mg',
  'rad/s': 'radps',
  'dps': 'dps',
  'deg/s': 'dps',
  '°/s': 'dps',
  'uT': 'uT',
  'µT': 'uT',
  'μT': 'uT',
  'G': 'gauss',
  'gauss': 'gauss',
};

export const edgeImpulse: Importer = {
  name: 'Edge Impulse',
  looksFor: 'JSON or CBOR with protected, signature and payload (sensors, interval_ms, values)',
  sign: FILES,
  async recognizes(source) {
    if (source.kind === 'file') return isAcquisition(await source.head(source.names[0] as string));
    return someHead(source, FILES, isAcquisition, 32);
  },
  read,
};

type Label = { readonly tS: number; readonly label: string | null };

/** The keys stand as text in either encoding. */
function isAcquisition(head: string): boolean {
  return head.includes('payload') && ['protected', 'interval_ms', 'sensors'].some((key) => head.includes(key));
}

async function read(source: TraceSource, note: (text: string) => void): Promise<DataSet> {
  const labelled = await labelsIn(source);
  const recordings: Recording[] = [];
  for await (const file of source.files((name) => source.kind === 'file' || FILES.test(name))) {
    const found = await objectIn(file);
    if (!isObject(found['payload'])) {
      note(`${file.where}: no payload, left out`);
      continue;
    }
    const labels = labelled.get(file.path) ?? labelled.get(posix.basename(file.path)) ?? labelFromName(file.path);
    recordings.push(recordingOf(found['payload'], labels, file.where, note));
  }
  const seen = recordings.flatMap(({ labels }) => labels.map(({ label }) => label));
  const classes = [...new Set(seen.filter((label) => label !== null))].sort();
  const name = basename(resolve(source.path)).replace(/\.(?:zip|json|cbor)$/i, '');
  return { name, classes, recordings, publishedTestSubjects: null, terms: '' };
}

function recordingOf(
  payload: Readonly<Record<string, unknown>>,
  labels: readonly Label[],
  where: string,
  note: (text: string) => void,
): Recording {
  const { interval_ms: intervalMs, sensors, values, device_name: device } = payload;
  if (typeof intervalMs !== 'number' || !(intervalMs > 0))
    throw wrong(where, 'payload.interval_ms is no number above 0');
  if (!Array.isArray(sensors) || !sensors.every(isSensor))
    throw wrong(where, 'payload.sensors is no list of name and units');
  if (!Array.isArray(values)) throw wrong(where, 'payload.values is no list');
  const groups = groupsOf(sensors, where, note);
  const collectors = groups.map((group) => ({
    ...group,
    collector: createCollector(group.name, group.unit, group.channels),
  }));
  values.forEach((row: unknown, i) => {
    const cells = Array.isArray(row) ? row : [row];
    if (cells.length !== sensors.length || !cells.every((cell) => typeof cell === 'number')) {
      throw wrong(where, `payload.values[${i}] is not ${sensors.length} numbers`);
    }
    for (const { collector, columns, scale } of collectors) {
      collector.add(
        (i * intervalMs) / 1000,
        columns.map((column) => (cells[column] as number) * scale),
      );
    }
  });
  const subject = typeof device === 'string' && device.trim() !== '' ? device.trim() : 'device';
  return recordingFrom({ subject, collectors: collectors.map(({ collector }) => collector), labels, where, note });
}

interface Sensor {
  readonly name: string;
  readonly units: string;
}

interface Group {
  readonly name: string;
  readonly unit: string;
  readonly scale: number;
  readonly channels: string[];
  readonly columns: number[];
}

/** accX, accY, accZ → acc with x, y, z. A sensor that no board of ours has is left out. */
function groupsOf(sensors: readonly Sensor[], where: string, note: (text: string) => void): Group[] {
  const groups = new Map<string, Group>();
  sensors.forEach(({ name, units }, column) => {
    const [, kind, axis] = /^(acc|gyr|mag)[a-z]*?[._ -]?([xyz])$/i.exec(name.trim()) ?? [];
    if (kind === undefined || axis === undefined) {
      note(`${where}: '${name}' is no axis of accelerometer, gyroscope or magnetometer and is left out`);
      return;
    }
    const unit = unitNamed(UNITS[units.trim()] ?? '');
    if (unit === null) throw unknownUnit(name, units, where);
    const key = kind.toLowerCase();
    const group = groups.get(key) ?? { name: key, ...unit, channels: [], columns: [] };
    if (group.unit !== unit.unit || group.scale !== unit.scale || group.channels.includes(axis.toLowerCase())) {
      throw wrong(where, `the axes of '${key}' have different units, or one is there twice`);
    }
    group.channels.push(axis.toLowerCase());
    group.columns.push(column);
    groups.set(key, group);
  });
  return [...groups.values()];
}

/** What info.labels says, by path within the source. */
async function labelsIn(source: TraceSource): Promise<Map<string, readonly Label[]>> {
  const labels = new Map<string, readonly Label[]>();
  for await (const file of source.files((name) => LABELS.test(name))) {
    const { files } = parsed(await file.bytes(), file.where, (bytes) => JSON.parse(new TextDecoder().decode(bytes)));
    if (!Array.isArray(files)) throw wrong(file.where, 'info.labels has no list of files');
    for (const entry of files) {
      if (!isObject(entry) || typeof entry['path'] !== 'string' || !isObject(entry['label'])) continue;
      labels.set(posix.join(posix.dirname(file.path), entry['path']), labelsOf(entry['label'], file.where));
    }
  }
  return labels;
}

/** One label throughout, or several with `startIndex` and `endIndex` in milliseconds. */
function labelsOf(label: Readonly<Record<string, unknown>>, where: string): Label[] {
  if (label['type'] === 'label') return [{ tS: 0, label: String(label['label']) }];
  if (label['type'] !== 'multi-label') return [];
  if (!Array.isArray(label['labels'])) throw wrong(where, 'a multi-label has no list of labels');
  return label['labels'].flatMap((part: unknown): Label[] => {
    if (!isObject(part)) return [];
    const [from, to] = [Number(part['startIndex']), Number(part['endIndex'])];
    if (!(from >= 0) || !(to >= from)) throw wrong(where, 'a label has no startIndex before its endIndex');
    return [
      { tS: to / 1000, label: null },
      { tS: from / 1000, label: String(part['label']) },
    ];
  });
}

function labelFromName(path: string): Label[] {
  const [label = ''] = posix.basename(path).split('.');
  return [{ tS: 0, label: label.trim() || null }];
}

async function objectIn(file: SourceFile): Promise<Record<string, unknown>> {
  const bytes = await file.bytes();
  const isJson = /^\s*\{/.test(new TextDecoder().decode(bytes.subarray(0, 64)));
  return parsed(bytes, file.where, (all) => (isJson ? JSON.parse(new TextDecoder().decode(all)) : decode(all)));
}

function parsed(bytes: Buffer, where: string, parse: (bytes: Buffer) => unknown): Record<string, unknown> {
  try {
    return Object(parse(bytes));
  } catch (cause) {
    throw wrong(where, `neither JSON nor CBOR: ${(cause as Error).message}`, cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSensor(value: unknown): value is Sensor {
  return isObject(value) && typeof value['name'] === 'string' && typeof value['units'] === 'string';
}

function unknownUnit(name: string, units: string, where: string): AppError {
  return new AppError('data-format', `the unit '${units}' of '${name}' is not known`, {
    where,
    hint: `write the unit that it was recorded in into payload.sensors: ${Object.keys(UNITS).join(', ')}`,
  });
}

function wrong(where: string, what: string, cause?: unknown): AppError {
  return new AppError('data-format', `not Edge Impulse's data acquisition format: ${what}`, {
    where,
    hint: 'give a file as a device uploads it, or an exported folder',
    ...(cause === undefined ? {} : { cause }),
  });
}
