/**
 * The head of a trace file: comment lines, then the line of column names, which says all about units and modalities.
 * Format: docs/trace-format.md.
 */
import { AppError } from '../base/errors.ts';
import { ACCEPTED_UNITS, unitNamed } from './units.ts';

/** One modality as the columns of a file carry it. */
export interface ModalityColumns {
  readonly name: string;
  /** Unit in memory; the cells are in a unit that `scale` leads from. */
  readonly unit: string;
  readonly scale: number;
  readonly channels: readonly string[];
  /** Column index of each channel. */
  readonly columns: readonly number[];
  /** Nominal rate that the file states, samples per second; null when it states none. */
  readonly sampleRateHz: number | null;
}

export interface TraceLayout {
  /** Number of the line with the column names; rows begin after it. */
  readonly headerLine: number;
  /** Cells that every row has. */
  readonly width: number;
  /** Column index of the label; null when the file has none. */
  readonly labelColumn: number | null;
  readonly modalities: readonly ModalityColumns[];
  readonly subject: string | null;
}

const COLUMN = /^([A-Za-z][A-Za-z0-9]*)_([A-Za-z0-9]+)_([A-Za-z0-9]+)$/;
const COLUMN_HINT = `the first column is t_s, the others are modality_channel_unit such as acc_x_mps2, and one may be label; units: ${ACCEPTED_UNITS}`;

/**
 * Reads the head of a trace. `lines` are the first lines of `file`; null when the line of column names is not among them.
 * Fails with `data-format` naming `file:line`.
 */
export function parseTraceHead(lines: readonly string[], file: string): TraceLayout | null {
  let subject: string | null = null;
  let rates: StatedRates = { byName: new Map(), where: file };
  for (const [index, line] of lines.entries()) {
    const where = `${file}:${index + 1}`;
    const text = index === 0 ? line.replace(/^\ufeff/, '') : line;
    if (text.trim() === '') continue;
    if (!text.startsWith('#')) return parseColumns(text, where, index + 1, rates, subject);
    const comment = /^#\s*([a-z_]+)\s*:\s*(.*?)\s*$/s.exec(text);
    if (comment?.[1] === 'subject' && comment[2] !== '') subject = comment[2] ?? null;
    if (comment?.[1] === 'rate_hz') rates = { byName: parseRates(comment[2] ?? '', where), where };
  }
  return null;
}

interface StatedRates {
  readonly byName: ReadonlyMap<string, number>;
  readonly where: string;
}

function parseColumns(
  text: string,
  where: string,
  headerLine: number,
  rates: StatedRates,
  subject: string | null,
): TraceLayout {
  const names = text.split(',').map((name) => name.trim());
  const fail = (what: string) => new AppError('data-format', what, { where, hint: COLUMN_HINT });
  if (names[0] !== 't_s') throw fail(`the first column is '${names[0]}', not t_s`);
  const groups = new Map<string, { written: string; channels: string[]; columns: number[] }>();
  let labelColumn: number | null = null;
  for (const [column, name] of names.entries()) {
    if (names.indexOf(name) !== column) throw fail(`column '${name}' occurs twice`);
    if (column === 0) continue;
    if (name === 'label') {
      labelColumn = column;
      continue;
    }
    const [, modality, channel, unit] = COLUMN.exec(name) ?? [];
    if (modality === undefined || channel === undefined || unit === undefined) {
      throw fail(`column '${name}' has not the form modality_channel_unit`);
    }
    if (unitNamed(unit) === null) throw fail(`column '${name}' has the unknown unit '${unit}'`);
    const group = groups.get(modality) ?? { written: unit, channels: [], columns: [] };
    if (group.written !== unit) throw fail(`modality '${modality}' mixes the units ${group.written} and ${unit}`);
    if (group.channels.includes(channel)) throw fail(`modality '${modality}' has channel '${channel}' twice`);
    group.channels.push(channel);
    group.columns.push(column);
    groups.set(modality, group);
  }
  if (groups.size === 0) throw fail('no column holds a modality');
  for (const name of rates.byName.keys()) {
    if (!groups.has(name)) throw new AppError('data-format', `rate_hz names '${name}', which no column has`, rates);
  }
  const modalities = [...groups].map(([name, { written, channels, columns }]) => {
    const unit = unitNamed(written) ?? { unit: written, scale: 1 };
    return { name, ...unit, channels, columns, sampleRateHz: rates.byName.get(name) ?? null };
  });
  return { headerLine, width: names.length, labelColumn, modalities, subject };
}

function parseRates(text: string, where: string): Map<string, number> {
  const rates = new Map<string, number>();
  for (const part of text.split(/\s+/)) {
    const [, name, digits] = /^([A-Za-z][A-Za-z0-9]*)=([0-9.e+-]+)$/.exec(part) ?? [];
    const rate = Number(digits);
    if (name === undefined || !Number.isFinite(rate) || rate <= 0) {
      const hint = 'write for example: # rate_hz: acc=50 gyr=100';
      throw new AppError('data-format', `'${part}' is not modality=samples-per-second`, { where, hint });
    }
    rates.set(name, rate);
  }
  return rates;
}
