/**
 * From finished trials to what figures and tables show: per figure and metric, an estimate for every series at every place, and
 * paired differences to the baseline. Pure; the same trials in any order of finishing give the same summary.
 * Pairing: values of one seed (and fold) at one place. The overall difference is over seeds, each seed's differences averaged
 * over the places first, since places of one seed share people, order and faults and are not independent.
 */
import type { Experiment, Figure } from './experiment.ts';
import { chosenMetrics, type Metric } from './metric.ts';
import { type Estimate, estimateOf, pairedDifference } from './statistics.ts';
import type { Arm, FinishedTrial, TrialCurves, TrialResult } from './trial.ts';

export type Place = Arm['x'];

export interface Cell {
  readonly series: string;
  readonly x: Place;
  readonly estimate: Estimate;
  /** To the baseline at the same place, paired; null for the baseline itself or without a common seed. */
  readonly difference: Estimate | null;
}

export interface MetricSummary {
  readonly metric: Metric;
  readonly cells: readonly Cell[];
  /** By series, over all places that it shares with the baseline. */
  readonly overall: readonly { readonly series: string; readonly difference: Estimate }[];
}

export interface FigureSummary {
  readonly figure: Figure;
  readonly places: readonly Place[];
  readonly series: readonly string[];
  /** Only metrics that some trial has. */
  readonly metrics: readonly MetricSummary[];
}

interface Sample {
  readonly series: string;
  readonly x: Place;
  /** Seed and fold. */
  readonly unit: string;
  readonly value: number;
}

/** Figures without a single finished trial are left out. */
export function summarizeExperiment({ figures }: Experiment, finished: readonly FinishedTrial[]): FigureSummary[] {
  return figures.map((figure) => summarizeFigure(figure, finished)).filter(({ metrics }) => metrics.length > 0);
}

function summarizeFigure(figure: Figure, finished: readonly FinishedTrial[]): FigureSummary {
  const own = finished.filter(({ trial }) => trial.arms.some((arm) => arm.figure === figure.id));
  const present = [...new Set(own.flatMap(({ result }) => namesIn(result, figure)))];
  const metrics = chosenMetrics(figure.metrics, present);
  const samples = metrics.map((metric) => own.flatMap((line) => samplesOf(line, figure, metric.key)));
  const all = samples.flat();
  const places = [...new Set(all.map(({ x }) => x))];
  if (figure.x !== 'ordinal') places.sort((a, b) => Number(a) - Number(b));
  return {
    figure,
    places,
    series: [...new Set(all.map(({ series }) => series))],
    metrics: metrics.map((metric, i) => summarizeMetric(metric, figure, samples[i] ?? [], places)),
  };
}

function namesIn(result: TrialResult, { x }: Figure): string[] {
  if (x !== 'curve') return Object.keys(result.metrics);
  return Object.entries(result.curves).flatMap(([name, values]) =>
    values.some((value: number | null) => value !== null) ? [name] : [],
  );
}

function samplesOf({ trial, result }: FinishedTrial, figure: Figure, key: string): Sample[] {
  const fold = trial.population === 'all' ? '' : `/${trial.population.index}`;
  const unit = `${trial.seed}${fold}`;
  return trial.arms
    .filter((arm) => arm.figure === figure.id)
    .flatMap(({ series, x }): Sample[] => {
      if (figure.x === 'curve') {
        const points = binned(result.curves[key as keyof TrialCurves] ?? []);
        return points.map(({ round, value }) => ({ series, x: round, unit, value }));
      }
      const value = result.metrics[key];
      return value === undefined ? [] : [{ series, x, unit, value }];
    });
}

/** Most points of a curve: neighbouring rounds are averaged until there are no more. */
const MOST_POINTS = 25;

function binned(values: readonly (number | null)[]): { readonly round: number; readonly value: number }[] {
  const width = Math.ceil(values.length / MOST_POINTS);
  return Array.from({ length: Math.ceil(values.length / width) }, (_, bin) => {
    const last = Math.min(values.length, (bin + 1) * width);
    const known = values.slice(bin * width, last).filter((value) => value !== null);
    return { round: last, value: known.reduce((sum, value) => sum + value, 0) / known.length };
  }).filter(({ value }) => Number.isFinite(value));
}

function summarizeMetric(
  metric: Metric,
  { baseline }: Figure,
  samples: readonly Sample[],
  places: readonly Place[],
): MetricSummary {
  const series = [...new Set(samples.map((sample) => sample.series))];
  const valuesAt = (name: string, x: Place) =>
    new Map(
      samples.filter((sample) => sample.series === name && sample.x === x).map(({ unit, value }) => [unit, value]),
    );
  const compared = series.filter((name) => name !== baseline && baseline !== null && series.includes(baseline));
  const differenceAt = (name: string, x: Place) =>
    compared.includes(name) ? pairedDifference(valuesAt(name, x), valuesAt(baseline ?? '', x)) : null;
  const cells = places.flatMap((x) =>
    series.flatMap((name): Cell[] => {
      const values = [...valuesAt(name, x).values()];
      if (values.length === 0) return [];
      return [{ series: name, x, estimate: estimateOf(values), difference: differenceAt(name, x) }];
    }),
  );
  const overall = compared.flatMap((name) => {
    const shared = places.filter((x) => differenceAt(name, x) !== null);
    const difference = pairedDifference(meanOver(shared, name, valuesAt), meanOver(shared, baseline ?? '', valuesAt));
    return difference === null ? [] : [{ series: name, difference }];
  });
  return { metric, cells, overall };
}

/** Per unit that has a value at every place: its mean over the places. */
function meanOver(
  places: readonly Place[],
  series: string,
  valuesAt: (series: string, x: Place) => ReadonlyMap<string, number>,
): Map<string, number> {
  const maps = places.map((x) => valuesAt(series, x));
  const units = [...(maps[0]?.keys() ?? [])].filter((unit) => maps.every((map) => map.has(unit)));
  return new Map(
    units.map((unit) => [unit, maps.reduce((sum, map) => sum + (map.get(unit) as number), 0) / maps.length]),
  );
}
