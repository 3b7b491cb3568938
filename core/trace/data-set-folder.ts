/**
 * A data set on disk: a folder of trace files and `dataset.json`, which names them and says what no trace can
 * (order of the classes, published split, terms). The JSON is written last, so a folder that has it is whole.
 * Format: docs/trace-format.md.
 */
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../base/atomic-file.ts';
import { AppError } from '../base/errors.ts';
import { readRecording } from './csv-reader.ts';
import { writeRecording } from './csv-writer.ts';
import type { DataSet } from './recording.ts';

export const DATA_SET_FILE = 'dataset.json';

export interface DataSetManifest extends Omit<DataSet, 'recordings'> {
  /** Traces beside the manifest, and their sizes. */
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

/** The manifest in `folder`; null when there is none. Fails with `data-format` when it is not as documented. */
export async function readManifest(folder: string): Promise<DataSetManifest | null> {
  const where = join(folder, DATA_SET_FILE);
  const text = await readFile(where, 'utf8').catch((cause) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return null;
    throw new AppError('input-missing', `cannot read the file: ${cause.message}`, { where, cause });
  });
  if (text === null) return null;
  const { name, classes, publishedTestSubjects = null, terms = '', files } = objectIn(text, where);
  const wrongKey =
    (typeof name !== 'string' && 'name') ||
    (!isTextList(classes) && 'classes') ||
    (publishedTestSubjects !== null && !isTextList(publishedTestSubjects) && 'publishedTestSubjects') ||
    (typeof terms !== 'string' && 'terms') ||
    (!isFileList(files) && 'files');
  if (wrongKey === false) return { name, classes, publishedTestSubjects, terms, files } as DataSetManifest;
  const hint = 'docs/trace-format.md describes its keys';
  throw new AppError('data-format', `'${wrongKey}' is missing or not as documented`, { where, hint });
}

/** Whether `folder` holds a data set whose files all have the sizes that its manifest names. */
export async function isComplete(folder: string): Promise<boolean> {
  const manifest = await readManifest(folder);
  if (manifest === null) return false;
  const sizes = await Promise.all(manifest.files.map(({ path }) => stat(join(folder, path)).catch(() => null)));
  return manifest.files.every(({ bytes }, index) => sizes[index]?.size === bytes);
}

/** Reads every trace that `manifest`, found in `folder`, names. */
export async function readDataSetFolder(folder: string, manifest: DataSetManifest): Promise<DataSet> {
  const { files, ...facts } = manifest;
  const recordings = [];
  for (const { path } of files) recordings.push(await readRecording(join(folder, path)));
  return { ...facts, recordings };
}

/**
 * Writes `dataSet` as a folder of gzipped traces, creating it when needed; `onFile` hears of each file as it is done.
 * Cut short, it leaves no manifest that names an incomplete file. Fails with `output-failed`.
 */
export async function writeDataSetFolder(
  dataSet: DataSet,
  folder: string,
  onFile: (path: string) => void = () => undefined,
): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause) => {
    throw new AppError('output-failed', `cannot create the folder: ${cause.message}`, { where: folder, cause });
  });
  const files = [];
  const ofSubject = new Map<string, number>();
  for (const recording of dataSet.recordings) {
    const number = (ofSubject.get(recording.subject) ?? 0) + 1;
    ofSubject.set(recording.subject, number);
    const path = `${fileNameOf(recording.subject)}-${number}.csv.gz`;
    await writeRecording(recording, join(folder, path));
    files.push({ path, bytes: (await stat(join(folder, path))).size });
    onFile(path);
  }
  const { name, classes, publishedTestSubjects, terms } = dataSet;
  const manifest = { name, classes, publishedTestSubjects, terms, files };
  await writeFileAtomic(join(folder, DATA_SET_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
}

/** A subject as part of a file name: injective, and plain for letters and digits. */
function fileNameOf(subject: string): string {
  return encodeURIComponent(subject).replace(/[^A-Za-z0-9%-]/g, (char) => `%${char.charCodeAt(0).toString(16)}`);
}

function isTextList(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

/** Plain names only: a manifest from elsewhere must not make us read outside its folder. */
function isFileList(value: unknown): boolean {
  const isFile = (file: unknown) =>
    typeof file === 'object' &&
    file !== null &&
    'path' in file &&
    'bytes' in file &&
    typeof file.path === 'string' &&
    /^[^/\\]+\.csv(\.gz)?$/.test(file.path) &&
    Number.isSafeInteger(file.bytes);
  return Array.isArray(value) && value.every(isFile);
}

function objectIn(text: string, where: string): Record<string, unknown> {
  try {
    return Object(JSON.parse(text));
  } catch (cause) {
    throw new AppError('data-format', `not JSON: ${(cause as Error).message}`, { where, cause });
  }
}
