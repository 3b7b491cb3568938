/** What can be imported has one importer: it says by what it is known, recognizes it by content, and reads it. */
import type { DataSet } from '../recording.ts';
import type { TraceSource } from './source.ts';

export interface Importer {
  /** Of the app or data set. */
  readonly name: string;
  /** What it looks for, for the error when nothing fits: `a01/p1/s01.txt …`. */
  readonly looksFor: string;
  /** A file name that may be of this layout. */
  readonly sign: RegExp;
  /** Whether the source is of this layout. Looks at names and at the beginnings of files, changes nothing. */
  recognizes(source: TraceSource): Promise<boolean>;
  /**
   * Reads it whole. Fails with `data-format` naming the file.
   * @param note hears in a sentence of everything that was not taken as it stood: repeated rows, units, missing gravity
   */
  read(source: TraceSource, note: (text: string) => void): Promise<DataSet>;
}

/** Whether the beginning of some file whose name fits passes `test`; at most `most` are looked at. */
export async function someHead(
  source: TraceSource,
  name: RegExp,
  test: (head: string) => boolean,
  most = 8,
): Promise<boolean> {
  for (const candidate of source.names.filter((other) => name.test(other)).slice(0, most)) {
    if (test(await source.head(candidate))) return true;
  }
  return false;
}
