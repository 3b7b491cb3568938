/**
 * Files of an archive or of an unpacked folder, as if both were the same thing: path and content of those that are wanted.
 * Only one file is in memory at a time, and nothing is written to disk, so no path inside an archive can reach outside.
 */
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, type Transform } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import tar from 'tar-stream';
import xz from 'xz-decompress';
import { AppError } from '../base/errors.ts';
import { zipFiles } from './zip.ts';

export interface ArchivedFile {
  /** Within the archive or folder, parts separated by `/`. */
  readonly path: string;
  readonly bytes: Buffer;
}

/** Names of archives end like this. */
export const ARCHIVE_NAME = /\.(tar|tar\.gz|tgz|tar\.xz|txz|zip|whl)$/i;

/** No file of a known data set is near this size; one that claims to be is refused before it fills the memory. */
const MAX_FILE_BYTES = 256 * 2 ** 20;

/** Yields the regular files of the archive at `path` that `isWanted`, in the archive's order. Fails with `data-format` when damaged. */
export async function* archivedFiles(
  path: string,
  isWanted: (name: string) => boolean,
): AsyncGenerator<ArchivedFile, void, undefined> {
  if (/\.(zip|whl)$/i.test(path)) yield* zipFiles(path, isWanted, MAX_FILE_BYTES);
  else yield* tarFiles(path, isWanted);
}

/** Yields the files below `folder` that `isWanted`, sorted by path. */
export async function* folderFiles(
  folder: string,
  isWanted: (name: string) => boolean,
): AsyncGenerator<ArchivedFile, void, undefined> {
  const names = await readdir(folder, { recursive: true });
  for (const name of names.map((path) => path.replaceAll('\\', '/')).sort()) {
    if (isWanted(name)) yield { path: name, bytes: await readFile(join(folder, name)) };
  }
}

async function* tarFiles(path: string, isWanted: (name: string) => boolean): AsyncGenerator<ArchivedFile> {
  const extract = tar.extract();
  const unpacking = pipeline([...unpackingStages(path), extract]);
  // A failure destroys `extract`, so it surfaces in the loop; without this it would also count as unhandled.
  unpacking.catch(() => undefined);
  try {
    for await (const entry of extract) {
      const { name, type, size = 0 } = entry.header;
      if (type !== 'file' || !isWanted(name)) {
        entry.resume();
        continue;
      }
      if (size > MAX_FILE_BYTES) throw new Error(`${name} states ${size} bytes, more than ${MAX_FILE_BYTES}`);
      yield { path: name, bytes: await buffer(entry) };
    }
    await unpacking;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const hint = 'the archive is cut off or damaged: fetch it again';
    throw new AppError('data-format', `not a readable archive: ${reason}`, { where: path, hint, cause });
  }
}

function unpackingStages(path: string): (Readable | Transform)[] {
  const packed = createReadStream(path);
  if (/gz$/i.test(path)) return [packed, createGunzip()];
  if (!/xz$/i.test(path)) return [packed];
  const web = new xz.XzReadableStream(Readable.toWeb(packed) as ReadableStream<Uint8Array>);
  return [Readable.fromWeb(web as Parameters<typeof Readable.fromWeb>[0])];
}
