/**
 * Opens recorded motion, whatever form it has: a data set by name, a folder of traces, a single trace, or whatever has an importer.
 * The one list of what `qqr` accepts as data.
 */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { AppError } from '../base/errors.ts';
import { readRecording, TRACE_NAME } from './csv-reader.ts';
import { readDataSetFolder, readManifest } from './data-set-folder.ts';
import { recognizedAsDsads } from './dsads.ts';
import { foundIn, LOOKED_FOR, type Recognized, recognize } from './importers/registry.ts';
import type { DataSet } from './recording.ts';

/** Data sets that can be fetched, and are then known by their names alone. */
export const NAMED_DATA_SETS = ['watch'] as const;

const ACCEPTED = [
  `a name (${NAMED_DATA_SETS.join(', ')})`,
  'a folder with dataset.json',
  'a trace (.csv, .csv.gz) or a folder of traces',
  LOOKED_FOR,
].join('; ');

/** A trace of ours begins with comments or the column of times, or has at least one column that is named as its columns are. */
const TRACE_HEAD = /^\uFEFF?(?:\s*#|\s*"?t_s\b|[^\n]*\b[a-z][a-z0-9]*_[a-z0-9]+_(?:mps2|g|radps|dps|uT)\b)/i;

/**
 * Opens the data set that `nameOrPath` names; those that are known by name are looked for in `directory`.
 * Fails with `input-missing` when it is not there and with `data-format` when it is nothing of what is accepted.
 * @param note hears of everything that an importer did not take as it stood
 */
export async function openDataSet(
  nameOrPath: string,
  directory: string,
  note: (text: string) => void = () => undefined,
): Promise<DataSet> {
  if (isNamed(nameOrPath)) return openNamed(nameOrPath, directory);
  const found = await stat(nameOrPath).catch((cause) => {
    const hint = `give ${ACCEPTED}`;
    throw new AppError('input-missing', 'no such file or folder', { where: nameOrPath, hint, cause });
  });
  const manifest = found.isDirectory() ? await readManifest(nameOrPath) : null;
  if (manifest !== null) return readDataSetFolder(nameOrPath, manifest);
  const recognized = await recognize(nameOrPath);
  const traces = await tracesIn(recognized);
  if (traces !== null) return traces;
  const { source, importer } = recognized;
  if (importer !== null) return importer.read(source, note);
  const what =
    source.kind === 'file' ? 'not a kind of file that holds motion' : `the ${source.kind} holds no recorded motion`;
  throw new AppError('data-format', `${what}: ${await foundIn(source)}`, {
    where: nameOrPath,
    hint: `give ${ACCEPTED}`,
  });
}

/** A trace, or a folder of them; null for what an importer reads or nobody does. */
async function tracesIn({ source, importer }: Recognized): Promise<DataSet | null> {
  const { path, kind, names } = source;
  if (kind === 'file') {
    if (!TRACE_NAME.test(path)) return null;
    const isTrace = /\.gz$/i.test(path) || TRACE_HEAD.test(await source.head(names[0] as string));
    return isTrace ? openTraces([path], nameOf(path)) : null;
  }
  if (kind !== 'folder' || importer !== null) return null;
  const own = (await readdir(path)).filter((name) => TRACE_NAME.test(name) && !name.startsWith('.')).sort();
  const paths = own.map((name) => join(path, name));
  return paths.length === 0 ? null : recognizedAsDsads(await openTraces(paths, nameOf(path)));
}

async function openNamed(name: string, directory: string): Promise<DataSet> {
  const folder = join(directory, name);
  const manifest = await readManifest(folder);
  if (manifest !== null) return readDataSetFolder(folder, manifest);
  const hint = `run: qqr data fetch ${name}`;
  throw new AppError('input-missing', `the data set '${name}' has not been fetched`, { where: folder, hint });
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
