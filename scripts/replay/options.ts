/** What a replay can be asked for, checked; shared by `qqr replay` and the demo. */
import { AppError } from '../../core/base/errors.ts';
import { FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { STRATEGY_NAMES, type StrategyName, type StrategyOverrides } from '../../server/strategies/registry.ts';

export interface ReplayOptions {
  /** Name of the run in tables and reports. */
  readonly title: string;
  /** Which subjects are held out for test. */
  readonly split: Split;
  /** Class names; null = the data set's own. */
  readonly classes: readonly string[] | null;
  /** Play each subject's windows in random order (the setting of the published experiments), or as recorded. */
  readonly order: 'shuffled' | 'recorded';
  /** Probability that a board lacks one modality in a round. */
  readonly missingRate: number;
  /** Probability that one modality of a board is degraded in a round. */
  readonly degradedRate: number;
  readonly kinds: readonly FaultKind[];
  readonly strategy: StrategyName;
  /** Changes to the strategy's settings. */
  readonly settings: StrategyOverrides;
  readonly seeds: readonly number[];
  /** Most training rounds; boards whose recording ends earlier drop out. */
  readonly rounds: number;
  /** Stop when fewer than this share of the boards have windows left: a model that only the last few feed is no longer the fleet's. */
  readonly boardsLeft: number;
  readonly speed: number | 'max';
  readonly windowSeconds: number;
  readonly overlap: number;
  /** Held-out windows are evaluated every so many rounds, and always at the end. */
  readonly evaluateEvery: number;
  /** At most this many held-out windows (a seeded choice); null = all. */
  readonly maxTestWindows: number | null;
  /** Folder that keeps the databases of boards and aggregator, or null for a temporary one. */
  readonly stateDir: string | null;
}

export type Split =
  | { readonly kind: 'published' }
  /** As many subjects, drawn anew for each seed. */
  | { readonly kind: 'random'; readonly testSubjects: number }
  | { readonly kind: 'named'; readonly testSubjects: readonly string[] };

export const REPLAY_DEFAULTS: Omit<ReplayOptions, 'title'> = {
  split: { kind: 'random', testSubjects: 2 },
  classes: null,
  order: 'shuffled',
  missingRate: 0,
  degradedRate: 0,
  kinds: FAULT_KINDS,
  strategy: 'qqr',
  settings: {},
  seeds: [1],
  rounds: 1000,
  boardsLeft: 0.75,
  speed: 'max',
  windowSeconds: 2.56,
  overlap: 0.5,
  evaluateEvery: 1,
  maxTestWindows: null,
  stateDir: null,
};

/** `published`, `random:N` or subject names separated by commas. */
export function parseSplit(text: string): Split {
  if (text === 'published') return { kind: 'published' };
  const drawn = /^random:(\d+)$/.exec(text);
  if (drawn) return { kind: 'random', testSubjects: Number(drawn[1]) };
  return { kind: 'named', testSubjects: text.split(',').map((name) => name.trim()) };
}

/** `5` → 1…5; `3,7,11` → those. */
export function parseSeeds(text: string): number[] {
  const parts = text.split(',').map((part) => part.trim());
  const numbers = parts.map(Number);
  const isCount = numbers.length === 1;
  const areWhole = parts.every((part) => /^\d+$/.test(part)) && numbers.every((n) => n < 2 ** 32);
  if (!areWhole || new Set(numbers).size < numbers.length || (isCount && numbers[0] === 0)) {
    throw new AppError('usage', `not a number of seeds, nor a list of different ones: ${text}`, {
      hint: 'for example --seeds 5 (1 to 5) or --seeds 3,7,11',
    });
  }
  return isCount ? Array.from({ length: numbers[0] as number }, (_, i) => i + 1) : numbers;
}

/** A rate in [0, 1]; also accepts `50%`. */
export function parseRate(text: string): number {
  const number = text.replace(/%$/, '').trim();
  const rate = Number(number) / (text.endsWith('%') ? 100 : 1);
  if (number !== '' && rate >= 0 && rate <= 1) return rate;
  throw new AppError('usage', `not a rate between 0 and 1: ${text}`);
}

export function parseKinds(text: string): FaultKind[] {
  return text.split(',').map((name) => {
    const kind = FAULT_KINDS.find((known) => known === name.trim());
    if (kind !== undefined) return kind;
    throw new AppError('usage', `unknown kind of fault: ${name}`, { hint: `known kinds: ${FAULT_KINDS.join(', ')}` });
  });
}

export function parseStrategy(text: string): StrategyName {
  const name = STRATEGY_NAMES.find((known) => known === text);
  if (name !== undefined) return name;
  throw new AppError('usage', `unknown strategy: ${text}`, { hint: `known strategies: ${STRATEGY_NAMES.join(', ')}` });
}
