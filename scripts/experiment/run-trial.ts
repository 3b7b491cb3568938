/**
 * One trial, start to finish: plan, fleet, figures. The rounds are those that `qqr replay` plays,
 * trained for all boards at once (scripts/replay/simulate.ts).
 */
import { createRng } from '../../core/math/rng.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { REPLAY_DEFAULTS, type ReplayOptions } from '../replay/options.ts';
import { planFleet } from '../replay/plan.ts';
import { simulateFleet } from '../replay/simulate.ts';
import { measuredOf } from './measured.ts';
import { convexRegret } from './regret-convex.ts';
import { deepRegret } from './regret-deep.ts';
import type { Trial, TrialContent, TrialResult } from './trial.ts';

/** What a worker keeps between trials. */
export interface TrialWorld {
  readonly dataSet: DataSet;
  readonly networkFor: NetworkFor;
  /** The data set without its test subjects, once it was asked for: the planner keeps cut windows per data set. */
  readonly memory: Map<'training', DataSet>;
}

/** @throws AppError what planning, strategy and fleet throw */
export async function runTrial(trial: Trial, world: TrialWorld): Promise<TrialResult> {
  const startMs = performance.now();
  const dataSet = populationOf(trial.population, world);
  const options = optionsOf(trial, dataSet);
  const { windowsPerRound } = createStrategy(trial.strategy, trial.settings).settings;
  const plan = planFleet(dataSet, options, windowsPerRound, trial.seed);
  if (trial.measure === 'regret-convex') {
    const measured = convexRegret(plan, { windowsPerRound, ...convexSettings(trial) });
    return { ...measured, boards: plan.boards.length, rounds: plan.rounds, seconds: secondsSince(startMs) };
  }
  const outcome = await simulateFleet(plan, options, trial.seed, world.networkFor, () => undefined);
  const measured = measuredOf(outcome);
  const regret =
    trial.measure === 'regret-deep' ? await deepRegret(plan, options, trial.seed, outcome, world.networkFor) : {};
  return {
    boards: plan.boards.length,
    ...measured,
    metrics: { ...measured.metrics, ...regret },
    seconds: secondsSince(startMs),
  };
}

function secondsSince(startMs: number): number {
  return Math.round(performance.now() - startMs) / 1000;
}

/** Step size and filling come from the strategy, so that the convex case is told apart as the deep one is. */
function convexSettings({ strategy, settings }: Trial) {
  const { learningRate, fill } = createStrategy(strategy, settings).settings;
  return { learningRate, fill };
}

function optionsOf({ options, strategy, settings, seed, population }: Trial, dataSet: DataSet): ReplayOptions {
  const base = { ...REPLAY_DEFAULTS, evaluateEvery: REPLAY_DEFAULTS.rounds, title: strategy };
  const split =
    population === 'all' ? {} : { split: { kind: 'named', testSubjects: foldOf(population, dataSet) } as const };
  return { ...base, ...options, ...split, strategy, settings, seeds: [seed] };
}

/** The same subjects for every seed and trial: shuffled once by name of the fold's size, then dealt out in turn. */
function foldOf({ index, of }: Exclude<TrialContent['population'], 'all'>, { recordings }: DataSet): string[] {
  const subjects = [...new Set(recordings.map(({ subject }) => subject))];
  const dealt = createRng(`folds of ${of}`).shuffled(subjects);
  return dealt.filter((_, i) => i % of === index);
}

/** Without the published test subjects, for choices that must not see them. */
function populationOf(population: TrialContent['population'], { dataSet, memory }: TrialWorld): DataSet {
  const held = dataSet.publishedTestSubjects;
  if (population === 'all' || held === null) return dataSet;
  const known = memory.get('training');
  if (known !== undefined) return known;
  const recordings = dataSet.recordings.filter(({ subject }) => !held.includes(subject));
  const training: DataSet = { ...dataSet, recordings, publishedTestSubjects: null };
  memory.set('training', training);
  return training;
}
