/**
 * phyphox (RWTH Aachen), exported as CSV: a zip or folder with one table per sensor and meta/ beside, or a single table. Columns are
 * named in the language of the phone, so they are known by their units: the first is seconds, then x, y, z of `m/s^2` (`Acceleration
 * x (m/s^2)`), `rad/s` or `µT`. The exporter offers comma, semicolon or tab and decimal point or comma; both are found out.
 * Time stands still while an experiment is paused; meta/time.csv says for how long, and that becomes a gap. Signs are alike on iOS
 * and Android: the app turns those of iOS around.
 * Source: phyphox.org/wiki (data export), github.com/phyphox/phyphox-ios (ExperimentExportSet, ExperimentSensorInput).
 */
import { basename, dirname, posix, resolve } from 'node:path';
import { AppError } from '../../base/errors.ts';
import type { DataSet, Recording } from '../recording.ts';
import { type Collector, createCollector, recordingFrom } from './collector.ts';
import { headOfText, numberIn, readTable, type TableHead } from './delimited.ts';
import { type Importer, someHead } from './importer.ts';
import type { SourceFile, TraceSource } from './source.ts';

const TABLE = /\.csv$/i;
const META = /(?:^|\/)meta\//;
const PAUSES = /(?:^|\/)meta\/time\.csv$/;
const WITHOUT_GRAVITY = /linear|without g|ohne g|sans g|sin g/i;

export const phyphox: Importer = {
  name: 'phyphox',
  looksFor: 'a CSV table whose first column is "Time (s)", with x, y, z in (m/s^2), (rad/s) or (µT)',
  sign: /\.(?:csv|txt)$/i,
  async recognizes(source) {
    const isTable = (head: string) => sensorsIn(headOfText(head)).length > 0;
    if (source.kind === 'file') return isTable(await source.head(source.names[0] as string));
    return someHead(source, TABLE, isTable, 32);
  },
  read,
};

interface SensorColumns {
  readonly name: string;
  readonly unit: string;
  /** Of x, y, z. */
  readonly columns: readonly number[];
}

interface Pause {
  /** Experiment time, seconds, at which it stood still, and for how long. */
  readonly atS: number;
  readonly lengthS: number;
}

interface Export {
  readonly sensors: Map<string, Collector>;
  pauses: readonly Pause[];
}

/** The triples of columns that a table has. */
function sensorsIn({ columns }: TableHead): SensorColumns[] {
  if (!/\(s\)$/.test(columns[0] ?? '')) return [];
  const sensors: SensorColumns[] = [];
  for (let at = 1; at + 2 < columns.length; at++) {
    const [x, y, z] = columns.slice(at, at + 3).map((column) => /^(.*?)\s*\b([xyz])\s*\(([^()]+)\)$/.exec(column));
    if (x?.[2] !== 'x' || y?.[2] !== 'y' || z?.[2] !== 'z') continue;
    if (x[1] !== y[1] || x[3] !== y[3] || x[1] !== z[1] || x[3] !== z[3]) continue;
    const sensor = named(x[1] as string, x[3] as string);
    if (sensor !== null) sensors.push({ ...sensor, columns: [at, at + 1, at + 2] });
  }
  return sensors;
}

function named(what: string, unit: string): { name: string; unit: string } | null {
  if (/^m\/s(?:\^2|²)$/.test(unit)) return { name: WITHOUT_GRAVITY.test(what) ? 'lin' : 'acc', unit: 'mps2' };
  if (unit === 'rad/s') return { name: 'gyr', unit: 'radps' };
  return /^[µμu]T$/.test(unit) ? { name: 'mag', unit: 'uT' } : null;
}

async function read(source: TraceSource, note: (text: string) => void): Promise<DataSet> {
  const exports = new Map<string, Export>();
  const isWanted = (name: string) =>
    source.kind === 'file' || (TABLE.test(name) && (!META.test(name) || PAUSES.test(name)));
  for await (const file of source.files(isWanted)) {
    const folder = PAUSES.test(file.path) ? dirname(dirname(file.path)) : dirname(file.path);
    const entry = exports.get(folder) ?? { sensors: new Map(), pauses: [] };
    exports.set(folder, entry);
    if (PAUSES.test(file.path)) entry.pauses = await readPauses(file);
    else await readSensors(file, entry, note);
  }
  const own = basename(resolve(source.path)).replace(/\.(?:zip|csv|txt)$/i, '');
  const withSensors = [...exports].filter(([, { sensors }]) => sensors.size > 0);
  const recordings = withSensors.map(([folder, entry]) => {
    const where = folder === '.' ? source.path : `${source.path}: ${folder}`;
    return recordingOf(entry, withSensors.length === 1 ? own : posix.basename(folder), where, note);
  });
  return { name: own, classes: [], recordings, publishedTestSubjects: null, terms: '' };
}

async function readSensors(file: SourceFile, { sensors }: Export, note: (text: string) => void): Promise<void> {
  await readTable(file, (head) => {
    const fresh = sensorsIn(head).flatMap((sensor) => {
      if (sensors.has(sensor.name)) {
        note(`${file.where}: '${sensor.name}' is there twice, this one is left out`);
        return [];
      }
      const collector = createCollector(sensor.name, sensor.unit);
      sensors.set(sensor.name, collector);
      return [{ collector, columns: sensor.columns }];
    });
    return (cells, where) => {
      if (fresh.length === 0) return;
      const tS = numberIn(cells[0], head, where);
      for (const { collector, columns } of fresh) {
        collector.add(
          tS,
          columns.map((column) => numberIn(cells[column], head, where)),
        );
      }
    };
  });
}

/** From events START and PAUSE with experiment time and system time in seconds. */
async function readPauses(file: SourceFile): Promise<Pause[]> {
  const pauses: Pause[] = [];
  let paused: { atS: number; systemS: number } | null = null;
  await readTable(file, (head) => (cells, where) => {
    const [atS, systemS] = [numberIn(cells[1], head, where), numberIn(cells[2], head, where)];
    if (Number.isNaN(atS) || Number.isNaN(systemS)) return;
    if (cells[0]?.trim() === 'PAUSE') paused = { atS, systemS };
    else if (paused !== null) {
      pauses.push({ atS: paused.atS, lengthS: Math.max(0, systemS - paused.systemS) });
      paused = null;
    }
  });
  return pauses;
}

function recordingOf(
  { sensors, pauses }: Export,
  subject: string,
  where: string,
  note: (text: string) => void,
): Recording {
  if (pauses.length > 0)
    note(`${where}: paused ${pauses.length} times, each pause is a gap`.replace('1 times', 'once'));
  if (sensors.has('lin')) {
    note(
      `${where}: acceleration without gravity is another quantity than a board measures and is called 'lin', not 'acc'`,
    );
  }
  const collectors = [...sensors.values()].map((collector) => ({
    ...collector,
    samples() {
      const found = collector.samples();
      return { ...found, tS: found.tS.map((tS) => tS + pausedBefore(pauses, tS)) };
    },
  }));
  return recordingFrom({ subject, collectors, labels: [], where, note });
}

function pausedBefore(pauses: readonly Pause[], tS: number): number {
  return pauses.reduce((sum, { atS, lengthS }) => (tS >= atS ? sum + lengthS : sum), 0);
}

/** @throws AppError `data-format` for a workbook: there is nothing that a reader of tables could do with it. */
export function refuseWorkbook({ path, kind, names }: TraceSource, head: string): void {
  const isWorkbook =
    kind === 'archive' ? names.includes('xl/workbook.xml') : head.startsWith('\uFFFD\uFFFD\u0011\u0871');
  if (!isWorkbook && !/\.xlsx?$/i.test(path)) return;
  throw new AppError('data-format', 'an Excel workbook is not read', {
    where: path,
    hint: 'export the recording again as CSV (in phyphox: Export Data, CSV), any separator',
  });
}
