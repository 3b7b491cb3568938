/**
 * How good a modality is in a window, without labels of quality (docs/algorithm.md §10; the form is ours):
 *   badness = max( max_k z_k − 3,  100·(held − 0.08),  40·(clip − 0.1),  50·(gravity − 0.12),  30·(bias − 0.2) )
 *   quality = min(completeness, 1 / (1 + e^(2·badness)))
 * z_k is one-sided: how far measure k lies above what is usual at the window's level of activity, in spreads. Usual is what the prior
 * says or what this board has shown itself, whichever excuses more. What the board has shown is per level and measure a running
 * location, clipped like Huber's estimator, so its state is a few hundred bytes and one wild window moves it little.
 * Invariant: only windows of quality ≥ 0.8 teach, unless no window in `PATIENCE` in a row was as good: then the board was refitted or its
 * sensor replaced, and everything is learned anew. Held and clipped windows never teach. A fault that comes and goes never becomes usual.
 */
import { liesStill, MEASURE_NAMES, MEASURES, type MeasureName } from './measures.ts';
import {
  ACTIVITY_LEVELS,
  activityLevel,
  type PartialPrior,
  priorFor,
  RELATIVE_RULES,
  type RelativeRule,
} from './quality-prior.ts';

/** Spreads above the usual at which quality is ½. */
const TOLERATED_SPREADS = 3;
/**
 * Badness is slope · (value − limit), for every sensor and every activity. The last two are for a sensor that lies still: data sheets
 * of common chips allow 0.04 … 0.09 g and 3 … 20 °/s before calibration; healthy phones showed at most 0.05 g and 0.03 rad/s.
 * In the order of causes: the first that is passed is the reason that is told.
 */
const FIXED_RULES = [
  { measure: 'held', limit: 0.08, slope: 100 },
  { measure: 'clip', limit: 0.1, slope: 40 },
  { measure: 'gravity', limit: 0.12, slope: 50 },
  { measure: 'bias', limit: 0.2, slope: 30 },
] as const;
/** Only windows this good teach: those between ½ and here may be bad ones that passed, and would drag the usual after them. */
const TEACHES = 0.8;
/** Windows of a level after which its own history counts. */
const ENOUGH = 30;
/** The running means forget with this many windows. */
const MEMORY = 128;
/** Windows in a row that did not teach, after which all is learned anew: 11 minutes at 2.56 s with half overlap. */
const PATIENCE = 500;
/** No sensor repeats itself better: chips differ more than the sets behind the prior show. */
const LEAST_SPREAD = 0.35;
/** The offset of an accelerometer is gravity, which leaves less room. */
const LEAST_OFFSET_SPREAD = 0.1;
/** Standard deviation of a normal over its mean absolute deviation. */
const STD_PER_DEVIATION = 1.2533;

/** A measure, or the share of samples that came. */
export type Why = MeasureName | 'completeness';

/** All of them; a place in this list is stored, so it only grows at its end. */
export const WHYS: readonly Why[] = [...MEASURE_NAMES, 'completeness'];

export interface Score {
  /** [0, 1]; below ½ is bad. */
  readonly quality: number;
  /** What pulled it down most; null only at exactly 1. Above ½ it is the measure that comes nearest to being bad. */
  readonly why: Why | null;
}

/** What a board has learned about one modality; plain JSON. */
export interface QualityState {
  /** Per rule of `RELATIVE_RULES` and level of activity. */
  readonly usual: readonly (readonly LevelState[])[];
  readonly untaughtInRow: number;
}

export interface LevelState {
  readonly windows: number;
  readonly center: number;
  /** Running mean of the absolute deviation from the center. */
  readonly deviation: number;
}

export interface QualityReference {
  /**
   * @param measures of a window that is there, see `measure`
   * @param completeness share of its samples that was received, [0, 1]
   */
  score(measures: Float32Array, completeness: number): Score;
  /** Takes the window into the board's history, if `score` (as returned for it) allows; returns whether it was good enough to teach. */
  learn(measures: Float32Array, score: Score): boolean;
  /** A snapshot to go on from. */
  state(): QualityState;
}

const NOTHING: LevelState = { windows: 0, center: 0, deviation: 0 };

export interface ReferenceOptions {
  readonly unit: string;
  readonly sampleRateHz: number;
  /** What the fleet's sensors of this kind read (`quality-sketch.ts`); where it is silent, the built-in prior speaks. */
  readonly fleet?: PartialPrior;
}

/** For one modality of one board. `state` is an earlier `state()`. */
export function createQualityReference(options: ReferenceOptions, state?: QualityState): QualityReference {
  const { unit, sampleRateHz, fleet } = options;
  const builtIn = priorFor(unit, sampleRateHz);
  let untaughtInRow = state?.untaughtInRow ?? 0;
  const usual = RELATIVE_RULES.map((_, rule) =>
    Array.from({ length: ACTIVITY_LEVELS }, (_none, level) => state?.usual[rule]?.[level] ?? NOTHING),
  );
  const priorAt = ({ measure }: RelativeRule, level: number) => {
    const known = fleet?.[measure]?.[level] ?? builtIn?.[measure][level];
    if (known === undefined) return null;
    const least = measure === 'offset' && unit === 'mps2' ? LEAST_OFFSET_SPREAD : LEAST_SPREAD;
    return { center: known[0], spread: Math.max(known[1], least) };
  };
  /** Badness of one measure: the milder of the prior's view and the board's own; −∞ when neither knows. */
  const relativeBadness = (rule: RelativeRule, own: LevelState, level: number, value: number): number => {
    const known = priorAt(rule, level);
    let spreads = known === null ? Number.POSITIVE_INFINITY : (value - known.center) / known.spread;
    if (own.windows >= ENOUGH) {
      spreads = Math.min(spreads, (value - own.center) / spreadOf(own, known?.spread ?? LEAST_SPREAD));
    }
    return spreads === Number.POSITIVE_INFINITY ? Number.NEGATIVE_INFINITY : spreads - TOLERATED_SPREADS;
  };

  return {
    score(measures, completeness) {
      const fixed = fixedBadness(measures);
      let { badness, why } = fixed;
      RELATIVE_RULES.forEach((rule, r) => {
        const value = measures[MEASURES[rule.measure]] as number;
        if (Number.isNaN(value)) return;
        const level = activityLevel(rule, measures[MEASURES[rule.given]] as number);
        const of = relativeBadness(rule, usual[r]?.[level] ?? NOTHING, level, value);
        if (of > badness) [badness, why] = [of, rule.measure];
      });
      if (fixed.badness > 0) why = fixed.why; // a limit that is passed says more than a comparison
      const signal = 1 / (1 + Math.exp(2 * badness));
      if (completeness < signal) return { quality: completeness, why: 'completeness' };
      return { quality: signal, why: signal === 1 ? null : why };
    },
    learn(measures, { quality }) {
      if (fixedBadness(measures).badness > 0) return false;
      untaughtInRow = quality >= TEACHES ? 0 : untaughtInRow + 1;
      if (untaughtInRow === PATIENCE) for (const levels of usual) levels.fill(NOTHING);
      if (untaughtInRow > 0 && untaughtInRow < PATIENCE) return false;
      RELATIVE_RULES.forEach((rule, r) => {
        const value = measures[MEASURES[rule.measure]] as number;
        if (Number.isNaN(value)) return;
        const level = activityLevel(rule, measures[MEASURES[rule.given]] as number);
        const levels = usual[r] as LevelState[];
        const spread = priorAt(rule, level)?.spread ?? LEAST_SPREAD;
        levels[level] = learned(levels[level] as LevelState, value, spread);
      });
      return quality >= TEACHES;
    },
    state: () => ({ usual: usual.map((levels) => [...levels]), untaughtInRow }),
  };
}

/**
 * The worst of the limits that hold for every sensor; a measure that is NaN does not speak. A sensor that lies still is not at the end of
 * its range however often its highest value comes: a coarse one has few values then.
 */
function fixedBadness(measures: Float32Array): { badness: number; why: MeasureName } {
  let [badness, why]: [number, MeasureName] = [Number.NEGATIVE_INFINITY, 'held'];
  const still = liesStill(measures);
  for (const { measure, limit, slope } of FIXED_RULES) {
    if (still && measure === 'clip') continue;
    const of = slope * ((measures[MEASURES[measure]] as number) - limit);
    if (!(of > badness)) continue;
    if (badness <= 0) why = measure; // what comes after a limit that is passed follows from it: a held reading has a bias, too
    badness = of;
  }
  return { badness, why };
}

function learned({ windows, center, deviation }: LevelState, value: number, least: number): LevelState {
  const weight = 1 / Math.min(windows + 1, MEMORY);
  const reach = windows < ENOUGH ? Number.POSITIVE_INFINITY : 3 * spreadOf({ deviation }, least);
  const step = windows === 0 ? value : Math.min(reach, Math.max(-reach, value - center));
  return {
    windows: windows + 1,
    center: center + weight * step,
    deviation: windows === 0 ? 0 : deviation + weight * (Math.abs(step) - deviation),
  };
}

function spreadOf({ deviation }: Pick<LevelState, 'deviation'>, least: number): number {
  return Math.max(least, STD_PER_DEVIATION * deviation);
}
