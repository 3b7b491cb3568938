/**
 * The rows of a trace → stream events. The hot path of reading: one split, no allocation per sample beyond it.
 * Invariants: blocks hold at most BLOCK_SAMPLES samples and never span a label change; when a block of one modality is due,
 * all are, the one that starts first before the others, so that no modality runs ahead; a label change precedes the samples of
 * its instant.
 * `recordingEvents` cuts recordings in memory at the very same places.
 */
import { AppError } from '../base/errors.ts';
import type { StreamEvent } from '../stream/event.ts';
import type { ModalityColumns, TraceLayout } from './trace-header.ts';

/** Samples that a block holds at most. */
export const BLOCK_SAMPLES = 100;

/** Times at and beyond this are refused: below it, rounding seconds × 10⁶ gives the exact microsecond (two roundings err by < ½). */
export const TIME_LIMIT_US = 2 ** 51;

export interface RowParser {
  /** Takes line number `line`. Fails with `data-format` naming `file:line` when it is malformed. Blank lines are skipped. */
  push(text: string, line: number): void;
  /** Emits what is still held back. */
  end(): void;
}

/** A parser for the rows of `file`, which calls `emit` with each event in order of time. */
export function createRowParser(layout: TraceLayout, file: string, emit: (event: StreamEvent) => void): RowParser {
  const blocks = layout.modalities.map((modality) => ({
    modality,
    tUs: new Float64Array(BLOCK_SAMPLES),
    values: new Float32Array(BLOCK_SAMPLES * modality.columns.length),
    samples: 0,
  }));
  let lastUs = -Infinity;
  let label: string | null = null;

  const flush = () => {
    const due = [...blocks.entries()].filter(([, block]) => block.samples > 0);
    due.sort(([, a], [, b]) => (a.tUs[0] as number) - (b.tUs[0] as number));
    for (const [index, block] of due) {
      const tUs = block.tUs.slice(0, block.samples);
      const values = block.values.slice(0, block.samples * block.modality.columns.length);
      emit({ kind: 'samples', modality: index, tUs, values });
      block.samples = 0;
    }
  };

  const push = (text: string, line: number) => {
    if (text === '') return;
    const cells = splitCells(text);
    if (cells === null) throw malformed(file, line, 'a quoted cell is not closed on its line');
    if (cells.length !== layout.width) {
      throw malformed(file, line, `${cells.length} cells where the header has ${layout.width}`);
    }
    const tUs = timeUsOf(cells[0] ?? '', file, line);
    if (tUs <= lastUs) throw malformed(file, line, `time ${cells[0]} s is not after the row before`);
    lastUs = tUs;
    if (layout.labelColumn !== null) {
      const rowLabel = cells[layout.labelColumn]?.trim() || null;
      if (rowLabel !== label) {
        flush();
        label = rowLabel;
        emit({ kind: 'label', tUs, label });
      }
    }
    let full = false;
    for (const block of blocks) {
      const offset = block.samples * block.modality.columns.length;
      if (!readSample(cells, block.modality, block.values, offset, file, line)) continue;
      block.tUs[block.samples++] = tUs;
      full ||= block.samples === BLOCK_SAMPLES;
    }
    if (full) flush();
  };
  return { push, end: flush };
}

/** Writes the modality's values of one row to `values[offset…]`; false when its cells are all empty. */
function readSample(
  cells: readonly string[],
  { name, columns, scale }: ModalityColumns,
  values: Float32Array,
  offset: number,
  file: string,
  line: number,
): boolean {
  let filled = 0;
  for (let channel = 0; channel < columns.length; channel++) {
    const cell = cells[columns[channel] as number] as string;
    if (cell === '') continue;
    const value = Math.fround(decimalOf(cell) * scale);
    if (!Number.isFinite(value)) throw malformed(file, line, `'${cell}' is not a finite number`);
    values[offset + channel] = value;
    filled++;
  }
  if (filled !== 0 && filled !== columns.length) {
    throw malformed(file, line, `modality '${name}' has ${filled} of its ${columns.length} cells filled`);
  }
  return filled !== 0;
}

function timeUsOf(cell: string, file: string, line: number): number {
  const tUs = Math.round(decimalOf(cell) * 1e6);
  if (tUs >= 0 && tUs < TIME_LIMIT_US) return Math.abs(tUs); // '-0' is 0
  throw malformed(file, line, `'${cell}' is not a time in seconds, 0 or more`);
}

/** The number that `cell` writes in decimal; NaN for anything else, also for what JavaScript would take: blanks, hexadecimal, Infinity. */
function decimalOf(cell: string): number {
  const second = cell.charCodeAt(1); // NaN for a single character: all comparisons are false
  if (second > 0x39 && second !== 0x45 && second !== 0x65) return Number.NaN; // beyond '9' and no exponent's E or e
  const value = Number(cell);
  return value === 0 && !cell.includes('0') ? Number.NaN : value;
}

/** Cells of a row after RFC 4180, on one line; null when a quote is left open. */
function splitCells(text: string): string[] | null {
  if (!text.includes('"')) return text.split(',');
  const cells: string[] = [];
  for (let at = 0; at <= text.length; at++) {
    const [whole, quoted, plain] = /^(?:\s*"((?:[^"]|"")*)"\s*|([^",]*))(?=,|$)/.exec(text.slice(at)) ?? [];
    if (whole === undefined) return null;
    cells.push(quoted === undefined ? (plain ?? '') : quoted.replaceAll('""', '"'));
    at += whole.length;
  }
  return cells;
}

function malformed(file: string, line: number, what: string): AppError {
  const hint =
    'correct or delete the row; a modality without a sample leaves all its cells empty, a gap is just missing rows';
  return new AppError('data-format', what, { where: `${file}:${line}`, hint });
}
