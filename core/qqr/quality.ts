/**
 * How good a modality is in a window, without labels of quality (docs/algorithm.md §6; the form is ours):
 *   badness = max( max_k z_k − 3,  100·(held − 0.08),  40·(clip − 0.1) ),   quality = min(completeness, 1 / (1 + e^(2·badness)))
 * z_k is one-sided: how far measure k lies above what is usual at the window's level of activity, in spreads. Usual is what the prior
 * says or what this board has shown itself, whichever excuses more. What the board has shown is per level and measure a running
 * location, clipped like Huber's estimator, so its state is a few hundred bytes and one wild window moves it little.
 * Invariant: only windows of quality ≥ 0.8 teach, unless no window in `PATIENCE` in a row was as good: then the board was refitted or its
 * sensor replaced, and everything is learned anew. Held and clipped windows never teach. A fault that comes and goes never becomes usual.
 */
import { MEASURES, type MeasureName } from './measures.ts';
import { ACTIVITY_LEVELS, activityLevel, priorFor, RELATIVE_RULES, type RelativeRule } from './quality-prior.ts';

/** Spreads above the usual at which quality is ½. */
const TOLERATED_SPREADS = 3;
const HELD_LIMIT = 0.08;
const CLIP_LIMIT = 0.1;
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

export interface Score {
  /** [0, 1]; below ½ is bad. */
  readonly quality: number;
  /** What makes a bad window bad; null for a good one. */
  readonly why: MeasureName | 'completeness' | null;
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
  /** Takes the window into the board's history, if `score` (as returned for it) allows. */
  learn(measures: Float32Array, score: Score): void;
  /** A snapshot to go on from. */
  state(): QualityState;
}

const NOTHING: LevelState = { windows: 0, center: 0, deviation: 0 };

/** For one modality of one board. `state` is an earlier `state()`. */
export function createQualityReference(
  { unit, sampleRateHz }: { readonly unit: string; readonly sampleRateHz: number },
  state?: QualityState,
): QualityReference {
  const prior = priorFor(unit, sampleRateHz);
  let untaughtInRow = state?.untaughtInRow ?? 0;
  const usual = RELATIVE_RULES.map((_, rule) =>
    Array.from({ length: ACTIVITY_LEVELS }, (_none, level) => state?.usual[rule]?.[level] ?? NOTHING),
  );
  const priorAt = ({ measure }: RelativeRule, level: number) => {
    const known = prior?.[measure][level];
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
      let { badness, why } = fixedBadness(measures);
      RELATIVE_RULES.forEach((rule, r) => {
        const level = activityLevel(rule, measures[MEASURES[rule.given]] as number);
        const own = usual[r]?.[level] ?? NOTHING;
        const of = relativeBadness(rule, own, level, measures[MEASURES[rule.measure]] as number);
        if (of > badness) [badness, why] = [of, rule.measure];
      });
      const signal = 1 / (1 + Math.exp(2 * badness));
      if (completeness < signal) return { quality: completeness, why: completeness < 0.5 ? 'completeness' : null };
      return { quality: signal, why: signal < 0.5 ? why : null };
    },
    learn(measures, { quality }) {
      if (fixedBadness(measures).badness > 0) return;
      untaughtInRow = quality >= TEACHES ? 0 : untaughtInRow + 1;
      if (untaughtInRow === PATIENCE) for (const levels of usual) levels.fill(NOTHING);
      if (untaughtInRow > 0 && untaughtInRow < PATIENCE) return;
      RELATIVE_RULES.forEach((rule, r) => {
        const level = activityLevel(rule, measures[MEASURES[rule.given]] as number);
        const levels = usual[r] as LevelState[];
        const spread = priorAt(rule, level)?.spread ?? LEAST_SPREAD;
        const value = measures[MEASURES[rule.measure]] as number;
        levels[level] = learned(levels[level] as LevelState, value, spread);
      });
    },
    state: () => ({ usual: usual.map((levels) => [...levels]), untaughtInRow }),
  };
}

/** Limits that hold for every sensor and every activity. */
function fixedBadness(measures: Float32Array): { badness: number; why: MeasureName } {
  const held = 100 * ((measures[MEASURES.held] as number) - HELD_LIMIT);
  const clip = 40 * ((measures[MEASURES.clip] as number) - CLIP_LIMIT);
  return held >= clip ? { badness: held, why: 'held' } : { badness: clip, why: 'clip' };
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
