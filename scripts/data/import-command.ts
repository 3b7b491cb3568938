/** `qqr data import`: whatever can be read, as a trace or as a folder of traces. */
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import { AppError } from '../../core/base/errors.ts';
import { TRACE_NAME } from '../../core/trace/csv-reader.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { readManifest, writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import { joinRecordings } from '../../core/trace/order.ts';
import type { DataSet, Recording } from '../../core/trace/recording.ts';
import { resampled } from '../../core/trace/resample.ts';
import { type DataCommandContext, print } from './data-command-context.ts';

interface Line {
  out?: string;
  subject?: string;
  label?: string;
  rate?: string;
  json?: true;
}

export function importCommand(context: DataCommandContext): Command {
  return new Command('import')
    .description(
      'read a phone recording or a data set, whatever its layout, and write it as a trace or a folder of traces',
    )
    .argument('<path>', 'file, zip or folder, as the app or the publisher made it')
    .option('--out <path>', 'a trace (.csv, .csv.gz), or a folder (default: NAME.csv.gz for one recording, else NAME)')
    .option('--subject <name>', 'whose motion it is (default: what the source says, else its name)')
    .option('--label <label>', 'the activity of recordings that have no labels')
    .option('--rate <hz>', 'bring every sensor to this rate, such as that of the boards that a model is for')
    .option('--json', 'print the result as JSON')
    .action(async (path: string, line: Line) => {
      const notes: string[] = [];
      const found = named(await openDataSet(path, context.directory, (text) => notes.push(text)), line);
      const out = resolve(line.out ?? (found.recordings.length === 1 ? `${found.name}.csv.gz` : found.name));
      const files = TRACE_NAME.test(out) ? await writeTrace(found, out) : await writeFolder(found, out);
      const what = TRACE_NAME.test(out) ? `the trace is now ${out}` : `${tracesAre(files)} now in ${out}`;
      const told = notes.map((note) => `note: ${note}\n`).join('');
      print(context, line.json, { name: found.name, folder: out, files, notes }, `${told}${what}\n`);
    });
}

/** With the subject, label and rate that the command line gives. */
function named(dataSet: DataSet, { subject, label, rate }: Line): DataSet {
  const rateHz = rate === undefined ? null : rateOf(rate);
  const recordings = dataSet.recordings.map((recording): Recording => {
    const isBare = label !== undefined && recording.labels.every((change) => change.label === null);
    return {
      ...(rateHz === null ? recording : resampled(recording, rateHz)),
      subject: subject ?? recording.subject,
      labels: isBare ? [{ tUs: 0, label }] : recording.labels,
    };
  });
  const isNew =
    label !== undefined && !dataSet.classes.includes(label) && recordings.some(({ labels }) => hasLabel(labels, label));
  return { ...dataSet, recordings, classes: isNew ? [...dataSet.classes, label] : dataSet.classes };
}

function rateOf(text: string): number {
  const rate = Number(text);
  if (text.trim() !== '' && rate >= 1 && rate <= 10_000) return rate;
  throw new AppError('usage', `--rate takes samples per second, 1 to 10000, not ${text}`);
}

function hasLabel(labels: Recording['labels'], wanted: string): boolean {
  return labels.some(({ label }) => label === wanted);
}

async function writeTrace({ recordings }: DataSet, path: string): Promise<number> {
  const subjects = new Set(recordings.map(({ subject }) => subject));
  if (subjects.size > 1) {
    throw new AppError('usage', `the recordings are of ${subjects.size} subjects, which do not go into one trace`, {
      where: path,
      hint: 'give a folder with --out, or one name for all with --subject',
    });
  }
  if ((await stat(path).catch(() => null)) !== null) {
    throw new AppError('output-failed', 'the file exists already', { where: path, hint: 'give another --out' });
  }
  await writeRecording(joinRecordings(recordings), path);
  return 1;
}

async function writeFolder(dataSet: DataSet, folder: string): Promise<number> {
  if ((await readManifest(folder)) !== null) {
    throw new AppError('output-failed', 'the folder holds a data set already', {
      where: folder,
      hint: 'give another --out',
    });
  }
  await writeDataSetFolder(dataSet, folder);
  return dataSet.recordings.length;
}

function tracesAre(files: number): string {
  return `${files} ${files === 1 ? 'trace is' : 'traces are'}`;
}
