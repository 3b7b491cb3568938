/** What a replay can be asked for, checked; shared by `qqr replay` and the demo. */
import { AppError } from '../../core/base/errors.ts';
import { type FailurePlan, NO_FAILURES } from '../../core/trace/failure-schedule.ts';
import { FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { STRATEGY_NAMES, type StrategyName, type StrategyOverrides } from '../../server/strategies/registry.ts';
import type { HostilePlan } from './hostile.ts';

/** What fails and when is the part that comes from `FailurePlan`: rates, scopes, phases, outages. */
export interface ReplayOptions extends FailurePlan {
  /** Name of the run in tables and reports. */
  readonly title: string;
  /** Which subjects are held out for test. */
  readonly split: Split;
  /** How the windows of the subjects that are not for test become boards. */
  readonly boards: BoardsBy;
  /** Names of the modalities to use; null = all. */
  readonly modalities: readonly string[] | null;
  /** Class names; null = the data set's own. */
  readonly classes: readonly string[] | null;
  /** Play each subject's windows in random order (the setting of the published experiments), or as recorded. */
  readonly order: 'shuffled' | 'recorded';
  /** A board with too few windows for all rounds lives windows again, in a new random order, so that every board takes part in every round. */
  readonly fillUp: boolean;
  /** Share of a board's windows whose label it is told, in (0, 1]. */
  readonly labelled: number;
  /** Boards that mean harm, in simulated fleets only (`hostile.ts`); null = none. */
  readonly hostile: HostilePlan | null;
  readonly kinds: readonly FaultKind[];
  /** Least and greatest severity of injected faults, drawn uniformly per window, in [0, 1]. */
  readonly severity: readonly [number, number];
  /** Further conditions of the test, beside each modality missing and each degraded by any kind. */
  readonly testFaults: readonly TestFault[];
  /** Encoders also see mean and power of each channel (`core/model/window-statistics.ts`). */
  readonly windowStatistics: boolean;
  readonly strategy: StrategyName;
  /** Changes to the strategy's settings. */
  readonly settings: StrategyOverrides;
  readonly seeds: readonly number[];
  /** Most training rounds; boards whose recording ends earlier drop out. */
  readonly rounds: number;
  /** Stop when fewer than this share of the boards have windows left: a model that only the last few feed is no longer the fleet's. */
  readonly boardsLeft: number;
  readonly speed: number | 'max';
  /** Boards and aggregator as in the field, over MQTT and SQLite; or all boards as one batched computation, which comes to the same sooner. */
  readonly learner: 'boards' | 'batched';
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
  /** Seed s holds out the s-th subject alone, counting on from the first after the last. */
  | { readonly kind: 'leave-one-out' }
  /** As many subjects, drawn anew for each seed, of those that the published split trains on; its test subjects take no part at all. */
  | { readonly kind: 'validation'; readonly testSubjects: number }
  | { readonly kind: 'named'; readonly testSubjects: readonly string[] };

export type BoardsBy =
  | { readonly kind: 'subject' }
  /**
   * The windows of all subjects, mixed, and the windows of each class dealt to `boards` boards in shares drawn from a Dirichlet distribution:
   * the smaller alpha, the more a board's classes differ from another's.
   */
  | { readonly kind: 'dirichlet'; readonly boards: number; readonly alpha: number };

/**
 * `kinds`: each modality with each kind of fault alone, as `acc/stuck`; a number: the same at that severity, as `acc/stuck/0.4`;
 * `nothing`: no modality at all, as `nothing`.
 */
export type TestFault = 'kinds' | 'nothing' | number;

export const REPLAY_DEFAULTS: Omit<ReplayOptions, 'title'> = {
  split: { kind: 'random', testSubjects: 2 },
  boards: { kind: 'subject' },
  modalities: null,
  classes: null,
  order: 'shuffled',
  fillUp: false,
  labelled: 1,
  ...NO_FAILURES,
  hostile: null,
  kinds: FAULT_KINDS,
  severity: [0.4, 1],
  testFaults: [],
  windowStatistics: true,
  strategy: 'qqr',
  settings: {},
  seeds: [1],
  rounds: 1000,
  boardsLeft: 0.75,
  speed: 'max',
  learner: 'boards',
  windowSeconds: 2.56,
  overlap: 0.5,
  evaluateEvery: 1,
  maxTestWindows: null,
  stateDir: null,
};

/** `published`, `random:N`, `validation:N`, `leave-one-out`, `leave-out:NAME` or subject names separated by commas. */
export function parseSplit(text: string): Split {
  if (text === 'published' || text === 'leave-one-out') return { kind: text };
  const [, kind, count] = /^(random|validation):(\d+)$/.exec(text) ?? [];
  if (kind !== undefined) return { kind: kind as 'random' | 'validation', testSubjects: Number(count) };
  const alone = /^leave-out:(.+)$/.exec(text);
  if (alone) return { kind: 'named', testSubjects: [alone[1] as string] };
  return { kind: 'named', testSubjects: text.split(',').map((name) => name.trim()) };
}

/** `subject` or `dirichlet:BOARDS:ALPHA`. */
export function parseBoards(text: string): BoardsBy {
  if (text === 'subject') return { kind: 'subject' };
  const [, boards, alpha] = /^dirichlet:(\d+):(\d*\.?\d+)$/.exec(text) ?? [];
  if (Number(boards) >= 1 && Number(alpha) > 0)
    return { kind: 'dirichlet', boards: Number(boards), alpha: Number(alpha) };
  throw new AppError('usage', `not a way to make boards: ${text}`, {
    hint: 'subject, or dirichlet:BOARDS:ALPHA, for example dirichlet:5:0.3',
  });
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
