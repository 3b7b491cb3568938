/**
 * What the lists of trials share: settings of a fleet as the algorithm's reference numbers name them, seeds, and series by strategy.
 * Everything is a pure function of the recordings' facts; a short form has fewer rounds and fewer test windows.
 */
import { STRATEGY_NAMES, type StrategyName, type StrategyOverrides } from '../../../server/strategies/registry.ts';
import type { ListContext } from '../experiment.ts';
import { type Arm, makeTrial, type Trial, type TrialContent, type TrialOptions } from '../trial.ts';

/** Fleet and stream of a trial, and how many windows a board uses in a round. */
export interface Regime {
  readonly options: TrialOptions;
  readonly settings: StrategyOverrides;
}

/** A line in a figure. */
export interface Series {
  readonly label: string;
  readonly strategy: StrategyName;
  readonly settings: StrategyOverrides;
  /** Over the regime's. */
  readonly options?: TrialOptions;
}

const QUICK: TrialOptions = { rounds: 12, maxTestWindows: 400 };

/** The published test subjects where there are some, else two drawn by seed. */
function splitOf({ data }: ListContext): TrialOptions {
  return { split: data.hasPublishedSplit ? { kind: 'published' } : { kind: 'random', testSubjects: 2 } };
}

/** A board per subject, 33 rounds of 10 windows. */
export function bySubject(context: ListContext, failing: TrialOptions = {}): Regime {
  const short = context.isQuick ? QUICK : {};
  return { options: { ...splitOf(context), rounds: 33, fillUp: true, ...short, ...failing }, settings: {} };
}

/** Five boards whose classes differ by a Dirichlet draw, 100 rounds of 20 windows. */
export function mixedBoards(context: ListContext, alpha: number, failing: TrialOptions = {}): Regime {
  const short = context.isQuick ? QUICK : {};
  return {
    options: {
      ...splitOf(context),
      boards: { kind: 'dirichlet', boards: 5, alpha },
      rounds: 100,
      fillUp: true,
      ...short,
      ...failing,
    },
    settings: { windowsPerRound: 20 },
  };
}

/** 1 to n; the short form has at most two. */
export function seedsOf({ seeds, isQuick }: ListContext): number[] {
  return Array.from({ length: isQuick ? Math.min(2, seeds) : seeds }, (_, i) => i + 1);
}

/** Strategies by name as series, as far as this program has them, in the order given. */
export function strategies(...names: readonly string[]): Series[] {
  return STRATEGY_NAMES.filter((name) => names.includes(name))
    .sort((a, b) => names.indexOf(a) - names.indexOf(b))
    .map((strategy) => ({ label: strategy, strategy, settings: {} }));
}

/** What every comparison shows: two plain averages, alignment alone, everything. The short form keeps three. */
export function contenders({ isQuick }: ListContext): Series[] {
  return isQuick ? strategies('fedavg', 'fedavg-masked', 'qqr') : strategies('fedavg', 'fedavg-masked', 'plr', 'qqr');
}

/** One trial per seed at one point of a figure. */
export function atPoint(
  context: ListContext,
  figure: string,
  x: Arm['x'],
  series: Series,
  regime: Regime,
  content: Partial<Pick<TrialContent, 'measure' | 'population'>> = {},
): Trial[] {
  return seedsOf(context).map((seed) => trialFor(seed, { figure, x, series: series.label }, series, regime, content));
}

export function trialFor(
  seed: number,
  arm: Arm,
  { strategy, settings, options: own }: Series,
  regime: Regime,
  { measure = 'fleet', population = 'all' }: Partial<Pick<TrialContent, 'measure' | 'population'>> = {},
): Trial {
  const options = { ...regime.options, ...own };
  return makeTrial(
    { measure, population, options, strategy, settings: { ...regime.settings, ...settings }, seed },
    arm,
  );
}

/** `70 %`. */
export function percent(rate: number): string {
  return `${Math.round(100 * rate)} %`;
}
