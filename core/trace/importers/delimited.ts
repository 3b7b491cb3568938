/**
 * Tables as apps export them: a line of column names, then rows. The separator is a comma, a semicolon or a tab, found in the
 * line of names; where it is not the comma, numbers may have a decimal comma. Cells may be quoted. `NaN`, `null` and nothing
 * are a value that is not there; anything else that is no number is an error with file and line.
 */
import { AppError } from '../../base/errors.ts';
import type { SourceFile } from './source.ts';

export interface TableHead {
  readonly separator: ',' | ';' | '\t';
  readonly columns: readonly string[];
}

/** The column names in `line`. */
export function tableHead(line: string): TableHead {
  const unquoted = line.replaceAll(/"(?:[^"]|"")*"/g, '');
  const separator = unquoted.includes('\t') ? '\t' : unquoted.includes(';') ? ';' : ',';
  return { separator, columns: cellsOf(line.replace(/^\uFEFF/, ''), separator).map((name) => name.trim()) };
}

/** The same of the beginning of a file. */
export function headOfText(text: string): TableHead {
  return tableHead(text.split(/\r?\n/, 1)[0] ?? '');
}

/** Takes the cells of a row; `where` is file and line. */
export type OnRow = (cells: readonly string[], where: string) => void;

/**
 * Calls `onHead` with the column names and then what it returns with the cells of every row; blank lines are skipped.
 * @returns rows
 */
export async function readTable(file: SourceFile, onHead: (head: TableHead) => OnRow): Promise<number> {
  let head: TableHead | null = null;
  let onRow: OnRow = () => undefined;
  let line = 0;
  let rows = 0;
  for await (const lines of file.lines()) {
    for (const text of lines) {
      line++;
      if (text.trim() === '') continue;
      if (head === null) {
        head = tableHead(text);
        onRow = onHead(head);
        continue;
      }
      const cells = cellsOf(text, head.separator);
      if (cells.length < head.columns.length) {
        throw malformed(`${file.where}:${line}`, `${cells.length} cells where the header has ${head.columns.length}`);
      }
      onRow(cells, `${file.where}:${line}`);
      rows++;
    }
  }
  return rows;
}

/** The number in `cell`; NaN when it says that there is none. Fails with `data-format` for anything else. */
export function numberIn(cell: string | undefined, { separator }: TableHead, where: string): number {
  const text = (cell ?? '').trim();
  const value = Number(separator === ',' ? text : text.replace(',', '.'));
  if (Number.isFinite(value) && text !== '' && !OTHER_BASE.test(text)) return value;
  if (text === '' || /^(?:nan|null)$/i.test(text)) return Number.NaN;
  throw malformed(where, `'${text.slice(0, 40)}' is not a number`);
}

/** What JavaScript would take for a number, too. */
const OTHER_BASE = /^[+-]?0[xob]/i;

function cellsOf(line: string, separator: string): string[] {
  if (!line.includes('"')) return line.split(separator);
  const cells: string[] = [];
  let cell = '';
  let isQuoted = false;
  for (let at = 0; at < line.length; at++) {
    const char = line[at] as string;
    if (isQuoted && char === '"' && line[at + 1] === '"') {
      cell += char;
      at++;
    } else if (char === '"') isQuoted = !isQuoted;
    else if (char === separator && !isQuoted) {
      cells.push(cell);
      cell = '';
    } else cell += char;
  }
  return [...cells, cell];
}

function malformed(where: string, what: string): AppError {
  return new AppError('data-format', what, { where, hint: 'correct or delete the row, or export the recording again' });
}
