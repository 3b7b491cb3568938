/**
 * Runs as curves over rounds: what the page's plots draw, computed here so that the page only draws.
 * Invariant: every curve has one entry per round of `rounds`; null where no seed measured anything in that round.
 */
import type { RoundRecord } from '../../server/record.ts';
import { type RunResult, type Summary, summarize } from '../replay/run-result.ts';
import { conditionsOf, modalitiesOf, modalityName } from './condition.ts';

export interface Curve {
  /** Position of the run in the report. */
  readonly run: number;
  readonly mean: readonly (number | null)[];
  /** Mean ± one sample standard deviation, within [0, 1]; null when the run has a single seed. */
  readonly band: { readonly low: readonly (number | null)[]; readonly high: readonly (number | null)[] } | null;
}

/** One setting of a plot's selector. */
export interface View {
  readonly key: string;
  readonly label: string;
  readonly curves: readonly Curve[];
}

export interface Plot {
  readonly id: string;
  readonly yLabel: string;
  readonly unit: 'percent' | 'fraction';
  /** Limits of the y axis, the same in all views so that they can be compared by eye. */
  readonly range: readonly [low: number, high: number];
  /** Never empty. */
  readonly views: readonly View[];
}

export interface PlotSet {
  /** Round numbers, ascending: the x axis of every plot. */
  readonly rounds: readonly number[];
  readonly accuracy: Plot;
  readonly online: Plot;
  /** Per modality, in the order of the runs' modalities. */
  readonly quality: readonly Plot[];
  readonly missing: readonly Plot[];
}

export function plotsOf(runs: readonly RunResult[]): PlotSet {
  const records = runs.flatMap((run) => run.perSeed.flatMap((seed) => seed.records));
  const rounds = [...new Set(records.map((record) => record.round))].sort((a, b) => a - b);
  const curves = (measure: (record: RoundRecord) => number | null | undefined) =>
    runs.map((run, index) => curveOf(run, index, rounds, measure));
  const accuracy = conditionsOf(runs).map((condition) => ({
    key: condition.key,
    label: condition.longLabel,
    curves: curves((record) => (record.evaluation === null ? null : condition.accuracyIn(record.evaluation))),
  }));
  const online = [{ key: 'online', label: 'all', curves: curves((record) => record.online?.accuracy) }];
  const perModality = (
    id: string,
    yLabel: string,
    unit: Plot['unit'],
    measure: (record: RoundRecord, modality: string) => number | null | undefined,
  ) =>
    modalitiesOf(runs).map((modality): Plot => {
      const view = {
        key: modality,
        label: modalityName(modality),
        curves: curves((record) => measure(record, modality)),
      };
      return { id: `${id}-${modality}`, yLabel, unit, range: [0, 1], views: [view] };
    });
  return {
    rounds,
    accuracy: { id: 'accuracy', yLabel: 'accuracy, %', unit: 'percent', range: rangeOf(accuracy), views: accuracy },
    online: { id: 'online', yLabel: 'accuracy, %', unit: 'percent', range: rangeOf(online), views: online },
    quality: perModality(
      'quality',
      'mean quality, 0 to 1',
      'fraction',
      (record, m) => record.modalities[m]?.meanQuality,
    ),
    missing: perModality(
      'missing',
      'windows without it, %',
      'percent',
      (record, m) => record.modalities[m]?.missingShare,
    ),
  };
}

function curveOf(
  run: RunResult,
  index: number,
  rounds: readonly number[],
  measure: (record: RoundRecord) => number | null | undefined,
): Curve {
  const valuesByRound = new Map<number, number[]>();
  for (const record of run.perSeed.flatMap((seed) => seed.records)) {
    const value = measure(record);
    if (value === null || value === undefined || !Number.isFinite(value)) continue;
    const values = valuesByRound.get(record.round);
    if (values) values.push(value);
    else valuesByRound.set(record.round, [value]);
  }
  const summaries = rounds.map((round) => {
    const values = valuesByRound.get(round);
    return values === undefined ? null : summarize(values);
  });
  const along = (numberOf: (summary: Summary) => number) =>
    summaries.map((summary) => (summary === null ? null : short(numberOf(summary))));
  const band =
    run.perSeed.length < 2
      ? null
      : {
          low: along(({ mean, std }) => Math.max(0, mean - std)),
          high: along(({ mean, std }) => Math.min(1, mean + std)),
        };
  return { run: index, mean: along(({ mean }) => mean), band };
}

/** The last measured value of a curve, with its round; null when there is none. */
export function lastOf(curve: Curve, rounds: readonly number[]): { round: number; value: number } | null {
  for (let i = rounds.length - 1; i >= 0; i--) {
    const value = curve.mean[i];
    const round = rounds[i];
    if (value !== null && value !== undefined && round !== undefined) return { round, value };
  }
  return null;
}

/** Limits on tenths that hold every mean and band of all views. */
function rangeOf(views: readonly View[]): [low: number, high: number] {
  const curves = views.flatMap((view) => view.curves);
  const values = curves.flatMap((curve) => [...curve.mean, ...(curve.band?.low ?? []), ...(curve.band?.high ?? [])]);
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return [0, 1];
  const low = Math.max(0, Math.floor(known.reduce((a, b) => Math.min(a, b)) * 10));
  const high = Math.min(10, Math.ceil(known.reduce((a, b) => Math.max(a, b)) * 10));
  return low < high ? [low / 10, high / 10] : [Math.max(0, low - 1) / 10, Math.min(10, high + 1) / 10];
}

/** Four decimals: a hundredth of a percent is finer than any screen. */
function short(value: number): number {
  return Math.round(value * 1e4) / 1e4;
}
