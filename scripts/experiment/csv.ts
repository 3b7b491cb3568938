/** `results.csv`: one row per trial, arm and metric, so that any tool can make any table of it (RFC 4180). */
import type { FinishedTrial } from './trial.ts';

const COLUMNS = [
  'figure',
  'series',
  'x',
  'strategy',
  'seed',
  'fold',
  'metric',
  'value',
  'boards',
  'rounds',
  'seconds',
  'key',
];

export function resultsCsv(finished: readonly FinishedTrial[]): string {
  const rows = finished.flatMap(({ trial, result }) =>
    trial.arms.flatMap(({ figure, series, x }) => {
      const fold = trial.population === 'all' ? '' : `${trial.population.index + 1}/${trial.population.of}`;
      const head = [figure, series, x, trial.strategy, trial.seed, fold];
      const tail = [result.boards, result.rounds, result.seconds, trial.key];
      return Object.entries(result.metrics).map(([metric, value]) => [...head, metric, value, ...tail]);
    }),
  );
  return [COLUMNS, ...rows].map((row) => `${row.map(cell).join(',')}\r\n`).join('');
}

function cell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
