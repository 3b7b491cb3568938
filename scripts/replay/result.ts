/** From the rounds of every seed to the figures that are printed and drawn. */
import { AppError } from '../../core/base/errors.ts';
import { digestOf } from '../../core/model/global-state.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { Evaluation, RoundRecord } from '../../server/record.ts';
import type { FleetOutcome } from './fleet.ts';
import { onlineMean } from './online-mean.ts';
import type { ReplayOptions } from './options.ts';
import type { FleetPlan } from './plan.ts';
import { type RunResult, type Summary, summarize } from './run-result.ts';

export interface SeedOutcome extends FleetOutcome {
  readonly seed: number;
  readonly plan: FleetPlan;
}

export function resultOf(
  dataSet: DataSet,
  options: ReplayOptions,
  outcomes: readonly SeedOutcome[],
  { backend, durationS }: { readonly backend: string; readonly durationS: number },
): RunResult {
  const last = outcomes.map(({ records }) => lastEvaluation(records));
  const names = (outcomes[0] as SeedOutcome).plan.modalities.map(({ name }) => name);
  const byModality = (pick: (name: string) => Summary) => Object.fromEntries(names.map((name) => [name, pick(name)]));
  const training = outcomes.flatMap(({ records }) => records).filter(({ kind }) => kind === 'training');
  const boardRounds = training.reduce((sum, { devices }) => sum + devices.length, 0);
  const perBoardRound = (total: number) => total / boardRounds;
  const bytes = (part: keyof RoundRecord['bytes']) =>
    perBoardRound(training.reduce((sum, record) => sum + record.bytes[part], 0));
  return {
    title: options.title,
    strategy: options.strategy,
    backend,
    seeds: options.seeds,
    dataSet: dataSet.name,
    imbalance: { missingRate: options.missingRate, degradedRate: options.degradedRate, kinds: options.kinds },
    boards: Math.max(...outcomes.map(({ plan }) => plan.boards.length)),
    rounds: Math.max(...outcomes.map(({ records }) => records.filter(({ kind }) => kind === 'training').length)),
    modalities: names,
    accuracy: {
      clean: summarize(last.map(({ clean }) => clean)),
      missing: byModality((name) => summarize(last.map(({ missing }) => missing[name] as number))),
      degraded: Object.fromEntries(
        Object.keys(last[0]?.degraded ?? {}).map((key) => [
          key,
          summarize(last.map((of) => of.degraded[key] as number)),
        ]),
      ),
    },
    online: summarize(outcomes.map(({ records }) => onlineMean(records, ({ accuracy }) => accuracy))),
    meanQuality: meanQualities(outcomes, names),
    bytes: {
      perBoardRound: {
        prototypes: bytes('prototypes'),
        model: bytes('model'),
        total: perBoardRound(outcomes.reduce((sum, { sentBytes }) => sum + sentBytes, 0)),
        fp32: bytes('fp32'),
      },
    },
    perSeed: outcomes.map(({ seed, records, global }) => ({ seed, records, digest: digestOf(global) })),
    durationS,
  };
}

function lastEvaluation(records: readonly RoundRecord[]): Evaluation {
  const evaluation = records.findLast((record) => record.evaluation !== null)?.evaluation;
  if (evaluation) return evaluation;
  throw new AppError('data-format', 'no training round took place', {
    hint: 'each board needs more labelled windows than one round uses; see --set windowsPerRound=N',
  });
}

function meanQualities(outcomes: readonly SeedOutcome[], names: readonly string[]): Record<string, Summary> {
  const entries = names.flatMap((name): [string, Summary][] => {
    const perSeed = outcomes.flatMap(({ records }) => {
      const known = records.flatMap(({ kind, modalities }) =>
        kind === 'training' ? (modalities[name]?.meanQuality ?? []) : [],
      );
      return known.length === 0 ? [] : [known.reduce((sum, quality) => sum + quality, 0) / known.length];
    });
    return perSeed.length === 0 ? [] : [[name, summarize(perSeed)]];
  });
  return Object.fromEntries(entries);
}
