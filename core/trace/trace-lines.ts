/**
 * The lines of a text file, gzipped or not, in batches: one promise per 64 KiB of text instead of one per line.
 * Invariant: memory is bounded by a chunk and a line, whatever the file holds.
 */
import { createReadStream } from 'node:fs';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { AppError } from '../base/errors.ts';

/** A line longer than this is no trace; it would only fill the memory. Characters. */
const MAX_LINE = 65_536;

/**
 * Yields the lines of `path` in order, without their ends (`\n` or `\r\n`), several at a time. Gunzips when the name ends in `.gz`.
 * Fails with `input-missing` when the file cannot be read, with `data-format` when it is no text or its gzip stream is damaged.
 */
export async function* traceLines(path: string): AsyncGenerator<string[], void, undefined> {
  let rest = '';
  let seen = 0;
  try {
    for await (const chunk of openText(path)) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_LINE) throw tooLong(path, seen + lines.length + 1);
      seen += lines.length;
      yield lines.map(withoutCarriageReturn);
    }
  } catch (cause) {
    throw asAppError(cause, path);
  }
  if (rest !== '') yield [withoutCarriageReturn(rest)];
}

function openText(path: string): Readable {
  const file = createReadStream(path);
  // The callback has nothing to do: an error of either stream surfaces where the last one is read.
  const text = path.endsWith('.gz') ? pipeline(file, createGunzip(), () => undefined) : file;
  return text.setEncoding('utf8');
}

function withoutCarriageReturn(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function tooLong(path: string, line: number): AppError {
  const hint = 'a trace is comma-separated text, optionally gzipped with a name that ends in .gz';
  return new AppError('data-format', 'the line is too long for a trace', { where: `${path}:${line}`, hint });
}

function asAppError(cause: unknown, path: string): unknown {
  if (cause instanceof AppError || !(cause instanceof Error) || !('code' in cause)) return cause;
  if (String(cause.code).startsWith('Z_')) {
    const hint = 'the file is cut off or damaged: copy or fetch it again';
    return new AppError('data-format', `cannot be gunzipped: ${cause.message}`, { where: path, hint, cause });
  }
  return new AppError('input-missing', `cannot read the file: ${cause.message}`, { where: path, cause });
}
