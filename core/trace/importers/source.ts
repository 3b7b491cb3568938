/**
 * What a person points an importer at: a file, a folder or an archive, seen alike as names with contents.
 * Whatever it claims to hold, memory has one file at a time, a file has a greatest size, and so has everything together:
 * an archive of a few kilobytes that unpacks to terabytes ends with an error. Folders are walked to a depth, not without end.
 */
import { createReadStream } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { AppError } from '../../base/errors.ts';
import { ARCHIVE_NAME, type ArchivedFile, archivedFiles } from '../archive.ts';
import { zipFiles } from '../zip.ts';

/** A file of an archive, and a file that is read whole, are not larger. */
export const MAX_FILE_BYTES = 256 * 2 ** 20;
/** All files that one pass reads. */
const MAX_TOTAL_BYTES = 4 * 2 ** 30;
/** Deeper than any published layout lies. */
const MAX_DEPTH = 6;
const MAX_NAMES = 100_000;
const HEAD_BYTES = 4096;
/** A longer line is no row of numbers. */
const MAX_LINE = 65_536;

export interface SourceFile {
  /** Within the source, parts separated by `/`. */
  readonly path: string;
  /** For errors. */
  readonly where: string;
  bytes(): Promise<Buffer>;
  /** Lines in order without their ends, many at a time; a byte order mark is taken off. Once. */
  lines(): AsyncIterable<readonly string[]>;
}

export interface TraceSource {
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'archive';
  /** Of all files; of a tar archive only as far as the first that is `enough`, since listing it means unpacking it. */
  readonly names: readonly string[];
  /** Files that `isWanted`, one after the other. Fails with `data-format` or `input-missing`. */
  files(isWanted: (name: string) => boolean): AsyncGenerator<SourceFile, void, undefined>;
  /** The first 4096 bytes of a file as text. */
  head(name: string): Promise<string>;
}

/** @param enough a name that says what an archive is. Fails with `input-missing`, or `data-format` for a damaged archive. */
export async function openSource(path: string, enough: (name: string) => boolean): Promise<TraceSource> {
  const found = await stat(path).catch((cause) => {
    throw new AppError('input-missing', 'no such file or folder', { where: path, cause });
  });
  if (found.isDirectory()) return folderSource(path, await namesBelow(path, '', MAX_DEPTH));
  if (await isZip(path)) {
    const names: string[] = [];
    const all = (isWanted: (name: string) => boolean) => zipFiles(path, isWanted, MAX_FILE_BYTES);
    for await (const _ of all((name) => names.push(name) < 0)) break;
    return archiveSource(path, names.filter(isVisible).slice(0, MAX_NAMES), all);
  }
  if (!ARCHIVE_NAME.test(path)) return fileSource(path);
  const names: string[] = [];
  const all = (isWanted: (name: string) => boolean) => archivedFiles(path, isWanted);
  for await (const _ of all((name) => isVisible(name) && names.push(name) > 0 && enough(name))) break;
  return archiveSource(path, names, all);
}

function fileSource(path: string): TraceSource {
  const name = basename(path);
  return {
    path,
    kind: 'file',
    names: [name],
    async *files(isWanted) {
      if (isWanted(name)) yield diskFile(path, name);
    },
    head: () => headOf(path),
  };
}

function folderSource(path: string, names: readonly string[]): TraceSource {
  return {
    path,
    kind: 'folder',
    names,
    async *files(isWanted) {
      for (const name of names) if (isWanted(name)) yield diskFile(join(path, name), name);
    },
    head: (name) => headOf(join(path, name)),
  };
}

function archiveSource(
  path: string,
  names: readonly string[],
  all: (isWanted: (name: string) => boolean) => AsyncIterable<ArchivedFile>,
): TraceSource {
  return {
    path,
    kind: 'archive',
    names,
    async *files(isWanted) {
      let total = 0;
      for await (const file of all((name) => isVisible(name) && isWanted(name))) {
        total += file.bytes.length;
        if (total > MAX_TOTAL_BYTES) throw tooMuch(path, 'the files in it', MAX_TOTAL_BYTES);
        const { path: name, bytes } = file;
        const where = `${path}: ${name}`;
        yield { path: name, where, bytes: async () => bytes, lines: () => linesOf(piecesOf(bytes), where) };
      }
    },
    async head(name) {
      for await (const file of all((other) => other === name)) return textOf(file.bytes.subarray(0, HEAD_BYTES));
      return '';
    },
  };
}

function diskFile(path: string, name: string): SourceFile {
  return {
    path: name,
    where: path,
    async bytes() {
      const { size } = await stat(path);
      if (size > MAX_FILE_BYTES) throw tooMuch(path, 'the file', MAX_FILE_BYTES);
      return readFile(path);
    },
    lines: () => linesOf(createReadStream(path), path),
  };
}

async function* piecesOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += MAX_LINE) yield bytes.subarray(at, at + MAX_LINE);
}

async function* linesOf(pieces: AsyncIterable<Buffer>, where: string): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder(); // takes a byte order mark off
  let rest = '';
  for await (const piece of pieces) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) {
      throw new AppError('data-format', 'a line is too long for a table of numbers', { where });
    }
    yield lines.map(withoutCarriageReturn);
  }
  if (rest !== '') yield [withoutCarriageReturn(rest)];
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

async function isZip(path: string): Promise<boolean> {
  return (await firstBytes(path, 4)).toString('latin1') === 'PK\x03\x04';
}

async function headOf(path: string): Promise<string> {
  return textOf(await firstBytes(path, HEAD_BYTES));
}

async function firstBytes(path: string, length: number): Promise<Buffer> {
  const file = await open(path).catch((cause) => {
    throw new AppError('input-missing', `cannot read the file: ${cause.message}`, { where: path, cause });
  });
  try {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

function textOf(bytes: Buffer): string {
  return new TextDecoder().decode(bytes);
}

async function namesBelow(folder: string, prefix: string, depth: number): Promise<string[]> {
  const names: string[] = [];
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.') || names.length >= MAX_NAMES) continue;
    const name = prefix === '' ? entry.name : `${prefix}/${entry.name}`;
    if (entry.isDirectory() && depth > 1) names.push(...(await namesBelow(folder, name, depth - 1)));
    else if (entry.isFile()) names.push(name);
  }
  return names;
}

/** Neither a folder nor what a file manager left beside the files. */
function isVisible(name: string): boolean {
  return !name.endsWith('/') && !name.split('/').some((part) => part.startsWith('.') || part === '__MACOSX');
}

function tooMuch(where: string, what: string, limit: number): AppError {
  return new AppError('data-format', `${what} are larger than ${limit / 2 ** 20} MB`.replace('file are', 'file is'), {
    where,
    hint: 'give a part of it, such as the folder of one recording',
  });
}
