/**
 * What an experiment is made of: trials, plain values that a worker process can be handed as JSON, and what each came to.
 * Invariant: a trial's key depends on what is run only, never on labels, order, program version or machine; equal keys mean
 * equal results, so one run may serve several figures and an interrupted experiment goes on where it was.
 */
import { createHash } from 'node:crypto';
import type { StrategyName, StrategyOverrides } from '../../server/strategies/registry.ts';
import type { ReplayOptions } from '../replay/options.ts';

/** Goes up when results of older files no longer mean the same; older ones are then run again. */
export const TRIAL_FORMAT = 1;

/** A replay's options that a trial may change; title, seed, strategy and places are the trial's own affair. */
export type TrialOptions = Partial<
  Omit<ReplayOptions, 'title' | 'seeds' | 'strategy' | 'settings' | 'speed' | 'learner' | 'stateDir'>
>;

/** Which point of which figure a trial belongs to. */
export interface Arm {
  readonly figure: string;
  readonly series: string;
  /** A number on a numeric axis, a name on an ordinal one. */
  readonly x: number | string;
}

/**
 * `fleet`: train, then test. `regret-deep`: also the loss of the final model on the whole stream. `regret-convex`: online softmax
 * regression on fixed features of the same stream, no network.
 */
export type Measure = 'fleet' | 'regret-deep' | 'regret-convex';

export interface TrialContent {
  readonly measure: Measure;
  /**
   * `all`: every subject takes part as the split says. A fold: the published test subjects are put aside, the others are cut
   * into `of` parts, and part `index` (from 0) is the test: how choices are made without seeing a test subject.
   */
  readonly population: 'all' | { readonly index: number; readonly of: number };
  readonly options: TrialOptions;
  readonly strategy: StrategyName;
  readonly settings: StrategyOverrides;
  readonly seed: number;
}

export interface Trial extends TrialContent {
  /** 16 hexadecimal digits. */
  readonly key: string;
  /** At least one. */
  readonly arms: readonly Arm[];
}

/** Per training round, in order; the values of rounds that were not measured are null. */
export interface TrialCurves {
  readonly onlineAccuracy: readonly (number | null)[];
  /** Mean cross-entropy before training, nats. */
  readonly onlineLoss: readonly (number | null)[];
  readonly clean: readonly (number | null)[];
}

export interface TrialResult {
  readonly boards: number;
  readonly rounds: number;
  /** Wall time of the trial in its worker. */
  readonly seconds: number;
  /**
   * By name: `clean`, `missing/M`, `degraded/M`, `fault/M/KIND`, `fault/nothing` (accuracy in [0, 1] on unseen subjects at the end),
   * `online/accuracy`, `online/loss` (means over the stream), `bytes/PART` (per board and round), `regret/…`.
   */
  readonly metrics: Readonly<Record<string, number>>;
  readonly curves: TrialCurves;
}

/** One line of `trials.jsonl`. */
export interface FinishedTrial {
  readonly trial: Trial;
  readonly result: TrialResult;
  /** Of the sources that ran it; null where they are not under version control. */
  readonly commit: string | null;
}

export function makeTrial(content: TrialContent, ...arms: readonly Arm[]): Trial {
  return { key: trialKey(content), arms, ...content };
}

/** The same for equal contents, whatever the order of their properties. */
export function trialKey({ measure, population, options, strategy, settings, seed }: TrialContent): string {
  const text = canonical([TRIAL_FORMAT, measure, population, options, strategy, settings, seed]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Trials of equal content become one that has all of their arms; the order is that of first appearance. */
export function mergeTrials(trials: readonly Trial[]): Trial[] {
  const byKey = new Map<string, Trial>();
  for (const trial of trials) {
    const known = byKey.get(trial.key);
    const arms = [...(known?.arms ?? []), ...trial.arms];
    const distinct = new Map(arms.map((arm) => [JSON.stringify([arm.figure, arm.series, arm.x]), arm]));
    byKey.set(trial.key, { ...(known ?? trial), arms: [...distinct.values()] });
  }
  return [...byKey.values()];
}

/** JSON with sorted keys and without undefined values. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  entries.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`;
}
