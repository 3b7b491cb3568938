/**
 * What keeps a few boards from dragging the fleet's model away. All of it is the aggregator's own: boards are not told.
 * What protects against every liar also costs honest fleets something, so a strategy comes with no more than a wide bound on the length
 * (docs/hostile-boards.md).
 */
export const ROBUST_RULES = ['mean', 'trimmed-mean', 'median'] as const;

export interface Guard {
  /** `mean`: weighted and exact. The others cut off extremes coordinate by coordinate, every board counting alike (`core/qqr/robust-mean.ts`). */
  readonly robust: (typeof ROBUST_RULES)[number];
  /** Of `trimmed-mean`: share of the boards cut off at each end, in [0, 0.45]. */
  readonly trim: number;
  /** Longest model change that counts whole; longer ones are scaled down to it. 0 = any. */
  readonly clipNorm: number;
  /** The same as a multiple of the round's median length; 0 = any. */
  readonly clipFactor: number;
  /** With `mean`: most of the weight of a parameter group or prototype that one board may have, in (0, 1]; 1 = all of it. */
  readonly maxShare: number;
}

export const NO_GUARD: Guard = { robust: 'mean', trim: 0.25, clipNorm: 0, clipFactor: 0, maxShare: 1 };

/** Whether anything but the exact mean of whatever was sent is asked for. */
export function isGuarded({ robust, clipNorm, clipFactor, maxShare }: Guard): boolean {
  return robust !== 'mean' || clipNorm > 0 || clipFactor > 0 || maxShare < 1;
}
