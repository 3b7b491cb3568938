/**
 * The comparison of runs as rows of numbers, one column a run: defined once, shown by the terminal table and by the page.
 * A difference of the size of the ± next to it can be chance; `best` only points at the better mean.
 */
import type { RunResult, Summary } from '../replay/run-result.ts';
import { conditionsOf, modalitiesOf, modalityName } from './condition.ts';

export type Unit = 'percent' | 'fraction' | 'bytes';

export interface SummaryRow {
  readonly group: string;
  /** Short, for the terminal. */
  readonly label: string;
  readonly longLabel: string;
  readonly unit: Unit;
  /** One per run; null when the run did not measure it. `std` is null where there is only one value. */
  readonly cells: readonly ({ readonly mean: number; readonly std: number | null } | null)[];
  /** Per run: has the best mean, and another run has a worse one. */
  readonly best: readonly boolean[];
}

type Better = 'higher' | 'lower' | 'neither';

/** All rows that at least one run has a number for. */
export function summaryRows(runs: readonly RunResult[]): SummaryRow[] {
  const rows = [...accuracyRows(runs), onlineRow(runs), ...qualityRows(runs), ...byteRows(runs)];
  return rows.filter((row) => row.cells.some((cell) => cell !== null));
}

function accuracyRows(runs: readonly RunResult[]): SummaryRow[] {
  return conditionsOf(runs).map((condition) => ({
    group: 'accuracy on unseen subjects',
    label: condition.label,
    longLabel: condition.longLabel,
    unit: 'percent',
    ...compare(runs, condition.summaryOf, 'higher'),
  }));
}

function onlineRow(runs: readonly RunResult[]): SummaryRow {
  return {
    group: 'accuracy on the stream itself',
    label: 'predict, then train',
    longLabel: 'predict, then train (prequential)',
    unit: 'percent',
    ...compare(runs, (run) => run.online, 'higher'),
  };
}

function qualityRows(runs: readonly RunResult[]): SummaryRow[] {
  return modalitiesOf(runs).map((modality) => ({
    group: 'mean signal quality',
    label: modality,
    longLabel: modalityName(modality),
    unit: 'fraction',
    ...compare(runs, (run) => run.meanQuality[modality], 'neither'),
  }));
}

function byteRows(runs: readonly RunResult[]): SummaryRow[] {
  const group = 'bytes per board and round';
  const row = (
    label: string,
    longLabel: string,
    of: (bytes: RunResult['bytes']['perBoardRound']) => number,
  ): SummaryRow => ({
    group,
    label,
    longLabel,
    unit: label === 'saved' ? 'percent' : 'bytes',
    ...compare(runs, (run) => single(of(run.bytes.perBoardRound)), 'neither'),
  });
  return [
    row('prototypes', 'prototypes', (bytes) => bytes.prototypes),
    row('model', 'model changes', (bytes) => bytes.model),
    row('total', 'everything on the socket', (bytes) => bytes.total),
    row('as float32', 'the same content as float32', (bytes) => bytes.fp32),
    row('saved', 'saved', (bytes) => (bytes.fp32 === 0 ? 0 : 1 - bytes.total / bytes.fp32)),
  ];
}

function single(value: number): Summary {
  return { mean: value, std: 0, values: [value] };
}

function compare(
  runs: readonly RunResult[],
  summaryOf: (run: RunResult) => Summary | undefined,
  better: Better,
): Pick<SummaryRow, 'cells' | 'best'> {
  const cells = runs.map((run) => {
    const summary = summaryOf(run);
    return summary === undefined ? null : { mean: summary.mean, std: summary.values.length > 1 ? summary.std : null };
  });
  const means = cells.flatMap((cell) => (cell === null ? [] : [cell.mean]));
  const extreme = better === 'higher' ? Math.max(...means) : Math.min(...means);
  const isContest = better !== 'neither' && means.some((mean) => mean !== extreme);
  return { cells, best: cells.map((cell) => isContest && cell?.mean === extreme) };
}

/** `88.1 ± 1.5 %`, `0.87 ± 0.02`, `5.3 kB`; a dash for a number that does not exist. */
export function formatCell(cell: SummaryRow['cells'][number], unit: Unit, plusMinus = '±', nothing = '–'): string {
  if (cell === null) return nothing;
  if (unit === 'bytes') return formatBytes(cell.mean);
  const [scale, digits, suffix] = unit === 'percent' ? [100, 1, ' %'] : [1, 2, ''];
  const spread = cell.std === null ? '' : ` ${plusMinus} ${(cell.std * scale).toFixed(digits)}`;
  return `${(cell.mean * scale).toFixed(digits)}${spread}${suffix}`;
}

/** Decimal units, three significant digits at most: `96 B`, `5.3 kB`, `84 kB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 999.5) return `${Math.round(bytes)} B`;
  const [scaled, suffix] = bytes < 999_500 ? [bytes / 1e3, 'kB'] : [bytes / 1e6, 'MB'];
  return `${scaled < 99.95 ? scaled.toFixed(1) : Math.round(scaled)} ${suffix}`;
}
