/**
 * What healthy sensors read, before a board has history of its own: per unit, measure and level of activity the median and the
 * one-sided spread (99 % quantile − median) / 2.326, the standard deviation of a normal with that tail.
 * Made from 2.56 s windows with 50 % overlap of HAPT's 21 training subjects (all activities and what lies between them, 10,540
 * windows) and of the seglearn watch set (3,605 windows, counted three times so that both sets weigh alike); rounded to 0.01.
 * `test/golden/quality-prior.test.ts` makes it again.
 */
import type { MeasureName } from './measures.ts';

/** Measures that are judged against what is usual; the others have fixed limits. */
export type RelativeMeasure = 'highFrequency' | 'noise' | 'jump' | 'offset' | 'ramp' | 'level' | 'tilt';

export interface RelativeRule {
  readonly measure: RelativeMeasure;
  /** What the window's activity is told by: a measure that the fault in question leaves alone, or changes so that it shows. */
  readonly given: MeasureName;
  /** Upper bounds of the levels of activity but the last. */
  readonly bounds: readonly [number, number, number];
}

/** A person who sits is not a noisy sensor's excuse: usual is what is usual at this level of activity. */
export const RELATIVE_RULES: readonly RelativeRule[] = [
  { measure: 'highFrequency', given: 'variance', bounds: [-8, -5, -2.5] },
  { measure: 'noise', given: 'variance', bounds: [-8, -5, -2.5] },
  { measure: 'jump', given: 'noise', bounds: [-5.5, -4.5, -3.5] },
  { measure: 'offset', given: 'noise', bounds: [-5.5, -4.5, -3.5] },
  { measure: 'ramp', given: 'noise', bounds: [-5.5, -4.5, -3.5] },
  { measure: 'level', given: 'noise', bounds: [-5.5, -4.5, -3.5] },
  { measure: 'tilt', given: 'noise', bounds: [-5.5, -4.5, -3.5] },
];

export const ACTIVITY_LEVELS = 4;

/** Index of the level of activity in [0, ACTIVITY_LEVELS). */
export function activityLevel({ bounds }: RelativeRule, given: number): number {
  let level = 0;
  for (const bound of bounds) if (given >= bound) level++;
  return level;
}

/** `[median, spread]` per level of activity. */
export type Usual = readonly (readonly [number, number])[];
export type Prior = Readonly<Record<RelativeMeasure, Usual>>;

/** A prior that need not know every measure or level. */
export type PartialPrior = Readonly<
  Partial<Record<RelativeMeasure, readonly (readonly [number, number] | undefined)[]>>
>;

/** Sample rate of the sets it was made from; noise and high frequencies mean something else at another rate. */
const RATE_HZ = 50;

export const PRIORS: Readonly<Record<string, Prior>> = {
  mps2: {
    highFrequency: [
      [-1.54, 0.24],
      [-3.1, 1.07],
      [-3.23, 0.86],
      [-5.32, 1.33],
    ],
    noise: [
      [-5.75, 0.16],
      [-5.12, 0.54],
      [-3.69, 0.41],
      [-3.62, 0.5],
    ],
    jump: [
      [0.39, 0.79],
      [1.57, 0.81],
      [1.89, 0.56],
      [2, 0.54],
    ],
    offset: [
      [-0.01, 0.02],
      [0, 0.09],
      [-0.04, 0.08],
      [-0.02, 0.24],
    ],
    ramp: [
      [-4.11, 0.86],
      [-2.16, 1.03],
      [-1.81, 0.97],
      [-2.06, 1.14],
    ],
    level: [
      [-3.38, 0.18],
      [-3.11, 1.09],
      [-3.03, 1.06],
      [-3, 1.19],
    ],
    tilt: [
      [-4.14, 0.28],
      [-3.27, 0.86],
      [-2.81, 0.75],
      [-2.75, 0.79],
    ],
  },
  radps: {
    highFrequency: [
      [-1.59, 0.39],
      [-2.97, 0.8],
      [-3.75, 1.17],
      [-4.57, 1.16],
    ],
    noise: [
      [-5.51, 0.18],
      [-5.24, 0.42],
      [-4.41, 0.68],
      [-2.74, 0.47],
    ],
    jump: [
      [0.37, 0.68],
      [1.14, 1.05],
      [1.86, 0.87],
      [1.93, 0.62],
    ],
    offset: [
      [-4.07, 0.28],
      [-3.99, 1.4],
      [-1.23, 0.61],
      [-1.43, 0.64],
    ],
    ramp: [
      [-4.09, 0.67],
      [-3.45, 1.7],
      [-0.02, 0.67],
      [-0.3, 0.97],
    ],
    level: [
      [-4.03, 0.28],
      [-3.91, 1.39],
      [-1.12, 0.58],
      [-1.29, 0.61],
    ],
    tilt: [
      [-4.18, 0.16],
      [-4.09, 0.53],
      [-3.16, 0.7],
      [-2.77, 0.77],
    ],
  },
};

/** Null where nothing is known beforehand: another unit, or a rate more than a quarter off. */
export function priorFor(unit: string, sampleRateHz: number): Prior | null {
  const isKnownRate = sampleRateHz >= RATE_HZ / 1.25 && sampleRateHz <= RATE_HZ * 1.25;
  return isKnownRate ? (PRIORS[unit] ?? null) : null;
}
