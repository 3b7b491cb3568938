/**
 * `results.md`: an experiment's tables for docs/results.md. No dates and no durations: the same trials give the same text.
 * Rows are places, columns series, one table per metric that matters; below it, the comparison in words.
 */
import type { Experiment, Figure } from './experiment.ts';
import { formatDifference, formatValue, type Metric } from './metric.ts';
import { type Estimate, isClear } from './statistics.ts';
import type { FigureSummary, MetricSummary } from './summary.ts';

export interface Provenance {
  /** Name of the recordings. */
  readonly data: string;
  readonly seeds: readonly number[];
  /** Of the sources that ran the trials, in order of appearance. */
  readonly commits: readonly string[];
  readonly version: string;
  /** The command that makes it again. */
  readonly command: string;
  readonly isQuick: boolean;
  /** Trials that gave no result. */
  readonly failed: number;
}

export function experimentMarkdown(
  { title, question, claims }: Experiment,
  figures: readonly FigureSummary[],
  provenance: Provenance,
): string {
  const claim = claims.map((text) => `Claimed: ${text}`);
  const parts = [`## ${title}`, question, ...claim, provenanceText(provenance), ...figures.map(figureMarkdown)];
  return `${parts.join('\n\n')}\n`;
}

function provenanceText({ data, seeds, commits, version, command, isQuick, failed }: Provenance): string {
  const quick = isQuick ? ' **Short form: it shows the shape of an answer, not the answer.**' : '';
  const lost = failed === 0 ? '' : ` **${failed} trials gave no result.**`;
  const sources = commits.length === 0 ? version : `${version}, commit ${commits.join(', ')}`;
  return `Recordings: ${data}. Seeds: ${seedText(seeds)}. qqr-edge ${sources}.${quick}${lost} Again: \`${command}\``;
}

/** `1–5, 1001`. */
export function seedText(seeds: readonly number[]): string {
  const sorted = [...new Set(seeds)].sort((a, b) => a - b);
  const runs: number[][] = [];
  for (const seed of sorted) {
    const run = runs.at(-1);
    if (run !== undefined && run.at(-1) === seed - 1) run.push(seed);
    else runs.push([seed]);
  }
  return runs.map((run) => (run.length > 1 ? `${run[0]}–${run.at(-1)}` : `${run[0]}`)).join(', ');
}

function figureMarkdown(summary: FigureSummary): string {
  const { figure } = summary;
  const shown = figure.x === 'curve' ? lastPlace(summary) : summary;
  const tables = shown.metrics.map((metric) => metricTable(metric, shown));
  return [`### ${figure.title}`, figure.caption, ...tables].join('\n\n');
}

/** A curve's end says in a table what its whole length says in a plot. */
function lastPlace(summary: FigureSummary): FigureSummary {
  const last = summary.places.slice(-1);
  return { ...summary, places: last };
}

function metricTable(summary: MetricSummary, { figure, places, series }: FigureSummary): string {
  const { metric, cells, overall } = summary;
  const names = series.filter((name) => cells.some((cell) => cell.series === name));
  const head = `| ${figure.xLabel} | ${names.join(' | ')} |`;
  const rule = `|---|${names.map(() => '---').join('|')}|`;
  const rows = places.map((x) => {
    const texts = names.map((name) => {
      const cell = cells.find((candidate) => candidate.series === name && candidate.x === x);
      return cell === undefined ? '–' : estimateText(cell.estimate, metric);
    });
    return `| ${x} | ${texts.join(' | ')} |`;
  });
  const unit = metric.unit === 'percent' ? ', accuracy %' : '';
  const comparison = figure.baseline === null ? [] : overallText(overall, figure, metric);
  return [`**${metric.label}**${unit}`, [head, rule, ...rows].join('\n'), ...comparison].join('\n\n');
}

/** Mean ± standard deviation over seeds. */
export function estimateText({ mean, std }: Estimate, metric: Metric): string {
  if (std === null || metric.unit === 'bytes') return formatValue(mean, metric);
  return `${formatValue(mean, metric)} ± ${formatValue(std, metric)}`;
}

function overallText(overall: MetricSummary['overall'], { baseline, x }: Figure, metric: Metric): string[] {
  if (overall.length === 0 || metric.unit === 'bytes') return [];
  const each = overall.map(({ series, difference }) => `${series} ${differenceText(difference, metric)}`);
  const extent = x === 'curve' ? 'the whole run' : 'all rows';
  return [`Against ${baseline}, paired, over ${extent}: ${each.join('; ')}.`];
}

/** `+1.4 [+0.3, +2.5]`, with a word where the interval includes 0. */
export function differenceText(difference: Estimate, metric: Metric): string {
  const { mean, half } = difference;
  if (half === null) return formatDifference(mean, metric);
  const interval = `[${formatDifference(mean - half, metric)}, ${formatDifference(mean + half, metric)}]`;
  return `${formatDifference(mean, metric)} ${interval}${isClear(difference) ? '' : ' (not clear)'}`;
}
