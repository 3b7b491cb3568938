/**
 * What a fleet's sensors of one kind read, without their readings: counts of windows per measure, level of activity and bin of width
 * 1/8 from −12 to 8 (all relative measures are logarithms, so a bin is 13 %). Counts are whole numbers, so sketches of boards add up
 * to the same fleet in any order, and sums of two aggregators can be added, too. A new board begins from `priorOf` the fleet's sketch.
 * A board speaks with at most `MOST_WINDOWS` windows per measure and level, so that no board outvotes the others, and a bin is known to
 * within its width: the median of a level is off by at most 1/16 where a healthy spread is 0.35 or more.
 * A part of the library: boards neither send nor receive sketches yet.
 * Source: fixed-bin quantile sketches; the one-sided spread is the one of `quality-prior.ts`.
 */
import { MEASURES } from './measures.ts';
import { ACTIVITY_LEVELS, activityLevel, type PartialPrior, RELATIVE_RULES } from './quality-prior.ts';

export const SKETCH_BINS = 160;
/** Bins per unit of the measures' logarithmic scale. */
const PER_UNIT = 8;
const LOWEST = -12;
/** Of a board, per measure and level. */
const MOST_WINDOWS = 256;
/** Windows of a level without which the fleet says nothing about it, and the boards they have to come from at least. */
const ENOUGH = 100;

/** Sums over any number of boards. Plain data; never changed in place. */
export interface QualitySketch {
  /** `[rules, ACTIVITY_LEVELS, SKETCH_BINS]` numbers of windows, rules as in `RELATIVE_RULES`; whole numbers. */
  readonly counts: Float64Array;
}

export const SKETCH_LENGTH = RELATIVE_RULES.length * ACTIVITY_LEVELS * SKETCH_BINS;

/**
 * One board's sketch of one modality.
 * @param windows measures of its good windows in the order of the stream; a measure that is NaN is left out
 */
export function sketchOf(windows: Iterable<Float32Array>): QualitySketch {
  const counts = new Float64Array(SKETCH_LENGTH);
  const seen = new Float64Array(RELATIVE_RULES.length * ACTIVITY_LEVELS);
  for (const measures of windows) {
    RELATIVE_RULES.forEach((rule, r) => {
      const value = measures[MEASURES[rule.measure]] as number;
      if (Number.isNaN(value)) return;
      const row = r * ACTIVITY_LEVELS + activityLevel(rule, measures[MEASURES[rule.given]] as number);
      if ((seen[row] as number) >= MOST_WINDOWS) return;
      seen[row] = (seen[row] as number) + 1;
      const bin = Math.min(SKETCH_BINS - 1, Math.max(0, Math.floor((value - LOWEST) * PER_UNIT)));
      counts[row * SKETCH_BINS + bin] = (counts[row * SKETCH_BINS + bin] as number) + 1;
    });
  }
  return { counts };
}

/** The sum. Exact and independent of the order, up to 2⁵³ windows. */
export function mergeSketches(sketches: readonly QualitySketch[]): QualitySketch {
  const counts = new Float64Array(SKETCH_LENGTH);
  for (const { counts: of } of sketches)
    for (let i = 0; i < SKETCH_LENGTH; i++) counts[i] = (counts[i] as number) + (of[i] as number);
  return { counts };
}

/** Median and one-sided spread (99 % quantile − median) / 2.326 per measure and level; undefined where fewer than 100 windows are known. */
export function priorOf({ counts }: QualitySketch): PartialPrior {
  return Object.fromEntries(
    RELATIVE_RULES.map(({ measure }, r) => [
      measure,
      Array.from({ length: ACTIVITY_LEVELS }, (_, level) => {
        const from = (r * ACTIVITY_LEVELS + level) * SKETCH_BINS;
        return usualOf(counts.subarray(from, from + SKETCH_BINS));
      }),
    ]),
  );
}

function usualOf(bins: Float64Array): readonly [number, number] | undefined {
  const windows = bins.reduce((sum, count) => sum + count, 0);
  if (windows < ENOUGH) return undefined;
  const center = quantileOf(bins, windows, 0.5);
  return [center, (quantileOf(bins, windows, 0.99) - center) / 2.326];
}

/** As if the windows of a bin were spread evenly over it. */
function quantileOf(bins: Float64Array, windows: number, share: number): number {
  let left = share * windows;
  for (let bin = 0; bin < SKETCH_BINS; bin++) {
    const count = bins[bin] as number;
    if (count > 0 && left <= count) return LOWEST + (bin + left / count) / PER_UNIT;
    left -= count;
  }
  return LOWEST + SKETCH_BINS / PER_UNIT;
}
