/**
 * Where QQR does not help, for the honest chapter: a line for every clear difference that speaks against it.
 * QQR's series are told by name: `qqr`, whatever begins so, and `lean`. Where one of them is what a figure compares with, the
 * difference is read the other way round: a variant, or a rival, that is clearly better than it.
 * Not told, since nobody is compared or all of it is QQR: figures without a baseline, series under other names (the widths of
 * `bits`), and bytes, which have tables of their own.
 */
import { differenceText } from './markdown.ts';
import type { Metric } from './metric.ts';
import { type Estimate, isClear } from './statistics.ts';
import type { FigureSummary, MetricSummary } from './summary.ts';

/** In the order of figures, metrics and places; of a curve the whole run, since its points are not independent. */
export function losses(figures: readonly FigureSummary[]): string[] {
  return figures.flatMap((summary) =>
    summary.metrics
      .filter(({ metric }) => metric.unit !== 'bytes')
      .flatMap((of) => comparisons(summary, of).filter(speaksAgainst(summary, of.metric)).map(toldOf(summary, of))),
  );
}

interface Comparison {
  readonly series: string;
  readonly where: string;
  readonly difference: Estimate;
}

function comparisons({ figure }: FigureSummary, { cells, overall }: MetricSummary): Comparison[] {
  if (figure.x === 'curve') return overall.map((one) => ({ ...one, where: 'over the whole run' }));
  return cells.flatMap(({ series, x, difference }) =>
    difference === null ? [] : [{ series, where: `${figure.xLabel} ${x}`, difference }],
  );
}

function speaksAgainst({ figure: { baseline } }: FigureSummary, { isHigherBetter }: Metric) {
  return ({ series, difference }: Comparison): boolean => {
    if (!isClear(difference)) return false;
    const isBetter = difference.mean > 0 === isHigherBetter;
    return isQqr(baseline ?? '') ? isBetter : isQqr(series) && !isBetter;
  };
}

function toldOf({ figure }: FigureSummary, { metric }: MetricSummary) {
  return ({ series, where, difference }: Comparison): string =>
    `${figure.title}, ${where}, ${metric.label}: ${series} ${differenceText(difference, metric)} against ${figure.baseline}`;
}

function isQqr(series: string): boolean {
  return series.startsWith('qqr') || series === 'lean';
}
