/**
 * The runs side by side as text: at most 100 columns, plain ASCII of its own, bold only on a terminal.
 * Runs that do not fit beside each other go into a further block below.
 */
import type { RunResult } from '../replay/run-result.ts';
import { formatCell, type SummaryRow, summaryRows } from './summary-rows.ts';

export interface TableOptions {
  /** Emphasis by ANSI escapes; pass whether the output is a terminal. Default: none. */
  readonly bold?: boolean;
  /** Longest line allowed, characters; by default 100. */
  readonly width?: number;
}

const LABEL_WIDTH = 24;
/** Room for `88.1 +- 10.5 %`. */
const MIN_COLUMN = 14;
const MAX_COLUMN = 28;
const GAP = 2;

/** Ends with a newline. At least one run. */
export function renderTable(runs: readonly RunResult[], { bold = false, width = 100 }: TableOptions = {}): string {
  const rows = summaryRows(runs);
  const perBlock = Math.max(1, Math.floor((width - LABEL_WIDTH) / (MIN_COLUMN + GAP)));
  const blocks: string[] = [];
  for (let from = 0; from < runs.length; from += perBlock) {
    const shown = runs.slice(from, from + perBlock);
    const column = Math.min(MAX_COLUMN, Math.floor((width - LABEL_WIDTH) / shown.length) - GAP);
    const titles = shown.map((run) => run.title);
    blocks.push([...header(titles, column, bold), ...body(rows, from, shown.length, column, bold)].join('\n'));
  }
  return `${blocks.join('\n\n')}\n${footnote(runs)}`;
}

function header(titles: readonly string[], column: number, bold: boolean): string[] {
  const wrapped = titles.map((title) => wrap(title, column));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  const lines = Array.from({ length: height }, (_, line) =>
    [' '.repeat(LABEL_WIDTH), ...wrapped.map((title) => emphasize((title[line] ?? '').padStart(column), bold))].join(
      ' '.repeat(GAP),
    ),
  );
  return lines.map((line) => line.trimEnd());
}

function body(rows: readonly SummaryRow[], from: number, count: number, column: number, bold: boolean): string[] {
  const lines: string[] = [];
  let group = '';
  for (const row of rows) {
    if (row.group !== group) lines.push('', emphasize(row.group, bold));
    group = row.group;
    const cells = row.cells.slice(from, from + count).map((cell, index) => {
      const text = formatCell(cell, row.unit, '+-', '-').padStart(column);
      return emphasize(text, bold && row.best[from + index] === true);
    });
    lines.push([`  ${row.label}`.padEnd(LABEL_WIDTH), ...cells].join(' '.repeat(GAP)));
  }
  return lines;
}

function footnote(runs: readonly RunResult[]): string {
  return runs.some((run) => run.seeds.length > 1)
    ? '\n+- is the sample standard deviation over the seeds of a run.\n'
    : '';
}

function emphasize(text: string, bold: boolean): string {
  return bold && text !== '' ? `\u001b[1m${text}\u001b[22m` : text;
}

/** Words into lines of at most `width` characters; a longer word is cut. */
function wrap(text: string, width: number): string[] {
  const pieces = text.split(/\s+/).flatMap((word) => word.match(new RegExp(`.{1,${width}}`, 'gu')) ?? []);
  const lines: string[] = [];
  for (const piece of pieces) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + piece.length <= width) lines[lines.length - 1] = `${last} ${piece}`;
    else lines.push(piece);
  }
  return lines;
}
