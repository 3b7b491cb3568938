/**
 * Replaces a file so that a reader, or a restart after a power cut, sees the old content or the new one and nothing between.
 * Write a temporary file in the same folder, fsync it, rename it over the target, fsync the folder: the rename is the commit,
 * and without the last step a crash may undo it.
 */
import { randomUUID } from 'node:crypto';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { AppError } from './errors.ts';

/** The calls that touch the disk; tests make the n-th of them fail. */
export interface FileCalls {
  readonly open: typeof open;
  readonly rename: typeof rename;
  readonly unlink: typeof unlink;
}

/** Text, bytes, or bytes that come in pieces. */
export type FileContent = string | Uint8Array | AsyncIterable<Uint8Array>;

export const nodeFileCalls: FileCalls = { open, rename, unlink };

/**
 * Writes `data` to `path`, whose folder must exist. Resolves when the content is durable.
 * Fails with `output-failed`; unless it was the last step that failed, the former content is then untouched.
 * Leaves no temporary file behind, whether it succeeds or fails.
 * @param mode permissions of the file from its first byte on, less the process's umask; 0o600 for what is secret
 */
export async function writeFileAtomic(
  path: string,
  data: FileContent,
  files: FileCalls = nodeFileCalls,
  mode = 0o666,
): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);
  try {
    await writeDurably(temporary, data, files, mode);
    await files.rename(temporary, path);
    await syncFolder(dirname(path), files);
  } catch (cause) {
    await removeIfPresent(temporary, files);
    if (cause instanceof AppError) throw cause; // the source of the pieces failed, not the disk
    throw new AppError('output-failed', `cannot write the file: ${reasonOf(cause)}`, {
      where: path,
      hint: 'check that the folder exists, is writable and has space left',
      cause,
    });
  }
}

async function writeDurably(path: string, data: FileContent, files: FileCalls, mode: number): Promise<void> {
  const file = await files.open(path, 'wx', mode);
  try {
    if (typeof data === 'string' || data instanceof Uint8Array) await file.writeFile(data);
    else for await (const piece of data) await file.writeFile(piece); // each goes on where the one before ended
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string, files: FileCalls): Promise<void> {
  const folder = await files.open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Best effort: the failure worth reporting is the one that led here. */
async function removeIfPresent(path: string, files: FileCalls): Promise<void> {
  await files.unlink(path).catch(() => undefined);
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
