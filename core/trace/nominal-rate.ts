/** The rate that samples were meant to have, from their times. */

/** Samples per second of the median interval; the nearest whole number when that is within 2 %, since clocks are off by percents. Null for fewer than two. */
export function nominalRateHz(tUs: ArrayLike<number>): number | null {
  const rate = medianRateHz(tUs);
  if (rate === null) return null;
  const whole = Math.round(rate);
  return Math.abs(rate - whole) <= 0.02 * whole ? whole : rate;
}

/** The same as measured. */
export function medianRateHz(tUs: ArrayLike<number>): number | null {
  const intervals = Float64Array.from({ length: Math.max(0, tUs.length - 1) }, (_, i) => {
    return (tUs[i + 1] as number) - (tUs[i] as number);
  });
  const median = intervals.sort()[intervals.length >> 1];
  return median === undefined ? null : 1e6 / median;
}
