/**
 * Opens recorded motion, whatever form it has: a data set by name, a folder of traces, a single trace, or HAPT or DSADS as published.
 * The one list of what `qqr` accepts as data.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import { ARCHIVE_NAME } from './archive.ts';
import { readRecording, TRACE_NAME } from './csv-reader.ts';
import { readDataSetFolder, readManifest } from './data-set-folder.ts';
import { dsadsFolder, isDsadsArchive, readDsads, recognizedAsDsads } from './dsads.ts';
import { haptFolder, readHapt } from './hapt.ts';
import type { DataSet } from './recording.ts';

/** Data sets that can be fetched, and are then known by their names alone. */
export const NAMED_DATA_SETS = ['watch'] as const;

const ACCEPTED = [
  `a name (${NAMED_DATA_SETS.join(', ')})`,
  'a folder with dataset.json',
  'a trace (.csv, .csv.gz) or a folder of traces',
  'HAPT or DSADS as published (archive or unpacked folder)',
].join('; ');

/**
 * Opens the data set that `nameOrPath` names; those that are known by name are looked for in `directory`.
 * Fails with `input-missing` when it is not there and with `data-format` when it is nothing of what is accepted.
 */
export async function openDataSet(nameOrPath: string, directory: string): Promise<DataSet> {
  if (isNamed(nameOrPath)) return openNamed(nameOrPath, directory);
  const found = await stat(nameOrPath).catch((cause) => {
    const hint = `give ${ACCEPTED}`;
    throw new AppError('input-missing', 'no such file or folder', { where: nameOrPath, hint, cause });
  });
  if (found.isDirectory()) return openFolder(nameOrPath);
  if (TRACE_NAME.test(nameOrPath)) return openTraces([nameOrPath], nameOf(nameOrPath));
  if (await isDsadsArchive(nameOrPath)) return readDsads(nameOrPath);
  if (ARCHIVE_NAME.test(nameOrPath)) return readHapt(nameOrPath);
  throw new AppError('data-format', 'not a kind of file that holds motion', {
    where: nameOrPath,
    hint: `give ${ACCEPTED}`,
  });
}

async function openNamed(name: string, directory: string): Promise<DataSet> {
  const folder = join(directory, name);
  const manifest = await readManifest(folder);
  if (manifest !== null) return readDataSetFolder(folder, manifest);
  const hint = `run: qqr data fetch ${name}`;
  throw new AppError('input-missing', `the data set '${name}' has not been fetched`, { where: folder, hint });
}

async function openFolder(folder: string): Promise<DataSet> {
  const manifest = await readManifest(folder);
  if (manifest !== null) return readDataSetFolder(folder, manifest);
  const hapt = await haptFolder(folder);
  if (hapt !== null) return readHapt(hapt);
  const dsads = await dsadsFolder(folder);
  if (dsads !== null) return readDsads(dsads);
  const names = (await readdir(folder)).filter((name) => TRACE_NAME.test(name) && !name.startsWith('.')).sort();
  const paths = names.map((name) => join(folder, name));
  if (paths.length > 0) return recognizedAsDsads(await openTraces(paths, nameOf(folder)));
  throw new AppError('data-format', 'the folder holds no recorded motion', { where: folder, hint: `give ${ACCEPTED}` });
}

/**
 * Opens traces that belong together but have no manifest. The classes are the labels that occur, sorted, so that they do not
 * depend on the order of the files. Fails as `openDataSet` does.
 */
export async function openTraces(paths: readonly string[], name = 'traces'): Promise<DataSet> {
  const recordings = [];
  for (const path of paths) recordings.push(await readRecording(path));
  const labels = recordings.flatMap((recording) => recording.labels.map(({ label }) => label));
  const classes = [...new Set(labels.filter((label) => label !== null))].sort();
  return { name, classes, recordings, publishedTestSubjects: null, terms: '' };
}

function nameOf(path: string): string {
  return basename(resolve(path)).replace(TRACE_NAME, '');
}

function isNamed(text: string): boolean {
  return (NAMED_DATA_SETS as readonly string[]).includes(text);
}
