/**
 * Files of a zip archive, one at a time: what publishers of data sets and Python wheels use. Stored and deflated entries,
 * no encryption, no zip64. Sizes that the archive states are checked before anything of that size is allocated.
 * Source: PKWARE APPNOTE 6.3.3, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.16 (its end).
 */
import { type FileHandle, open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { AppError } from '../base/errors.ts';

const END_SIGNATURE = 0x06054b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const END_BYTES = 22;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT = 0xffff;

interface Entry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedBytes: number;
  readonly bytes: number;
  readonly localHeaderAt: number;
}

/** Yields the files that `isWanted`, up to `maxBytes` each. Fails with `data-format` for a damaged or unsupported archive. */
export async function* zipFiles(
  path: string,
  isWanted: (name: string) => boolean,
  maxBytes: number,
): AsyncGenerator<{ path: string; bytes: Buffer }, void, undefined> {
  const file = await open(path);
  try {
    for (const entry of await readDirectory(file, path)) {
      if (entry.name.endsWith('/') || !isWanted(entry.name)) continue;
      if (entry.bytes > maxBytes)
        throw damaged(path, `${entry.name} states ${entry.bytes} bytes, more than ${maxBytes}`);
      yield { path: entry.name, bytes: await readEntry(file, path, entry) };
    }
  } finally {
    await file.close();
  }
}

async function readDirectory(file: FileHandle, path: string): Promise<Entry[]> {
  const { size } = await file.stat();
  const tail = await readAt(
    file,
    path,
    Math.max(0, size - END_BYTES - MAX_COMMENT),
    Math.min(size, END_BYTES + MAX_COMMENT),
  );
  let end = tail.length - END_BYTES;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end--;
  if (end < 0) throw damaged(path, 'no end of a central directory');
  const bytes = tail.readUInt32LE(end + 12);
  const start = tail.readUInt32LE(end + 16);
  if (start + bytes > size) throw damaged(path, 'the central directory lies outside the file');
  const directory = await readAt(file, path, start, bytes);
  const entries: Entry[] = [];
  for (let at = 0; at < bytes; ) {
    if (at + CENTRAL_BYTES > bytes || directory.readUInt32LE(at) !== CENTRAL_SIGNATURE) {
      throw damaged(path, 'the central directory is damaged');
    }
    const nameEnd = at + CENTRAL_BYTES + directory.readUInt16LE(at + 28);
    entries.push({
      name: directory.toString('utf8', at + CENTRAL_BYTES, nameEnd),
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packedBytes: directory.readUInt32LE(at + 20),
      bytes: directory.readUInt32LE(at + 24),
      localHeaderAt: directory.readUInt32LE(at + 42),
    });
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

async function readEntry(file: FileHandle, path: string, entry: Entry): Promise<Buffer> {
  const header = await readAt(file, path, entry.localHeaderAt, LOCAL_BYTES);
  const start = entry.localHeaderAt + LOCAL_BYTES + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = await readAt(file, path, start, entry.packedBytes);
  const bytes = await unpack(packed, path, entry);
  if (bytes.length !== entry.bytes || crc32(bytes) !== entry.crc)
    throw damaged(path, `${entry.name} fails its checksum`);
  return bytes;
}

async function unpack(packed: Buffer, path: string, { name, method, bytes }: Entry): Promise<Buffer> {
  if (method === 0) return packed;
  if (method !== 8) throw damaged(path, `${name} is packed by method ${method}; 0 and 8 (deflate) are read`);
  try {
    return await promisify<Buffer, { maxOutputLength: number }, Buffer>(inflateRaw)(packed, {
      maxOutputLength: Math.max(1, bytes),
    });
  } catch (cause) {
    throw damaged(path, `${name} cannot be inflated`, cause);
  }
}

/** Reads exactly `length` bytes, which must lie in the file. */
async function readAt(file: FileHandle, path: string, position: number, length: number): Promise<Buffer> {
  const { size } = await file.stat();
  if (position + length > size) throw damaged(path, 'an entry lies outside the file');
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw damaged(path, 'the file ends early');
  return buffer;
}

function damaged(path: string, what: string, cause?: unknown): AppError {
  const hint = 'the archive is cut off or damaged: fetch it again';
  return new AppError('data-format', `not a readable zip archive: ${what}`, { where: path, hint, cause });
}
