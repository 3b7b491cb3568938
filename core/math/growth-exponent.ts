/**
 * By which power of time something grows: the exponent α of y(T) ∝ T^α as the slope of a least-squares line through (ln T, ln y), read at
 * T = 2, 4, 8, … and the end, so that every doubling counts the same.
 * A T at which y is not positive has no logarithm and is left out; with fewer than three left there is no exponent.
 */

/** 2, 4, 8, … below `rounds`, then `rounds` itself. */
export function horizons(rounds: number): number[] {
  const powers: number[] = [];
  for (let t = 2; t < rounds; t *= 2) powers.push(t);
  return [...powers, rounds];
}

/** α of y at several T, or null where it is not defined. */
export function growthExponent(points: readonly (readonly [t: number, y: number])[]): number | null {
  const positive = points.filter(([, y]) => y > 0);
  if (positive.length < 3) return null;
  return slopeOf(positive.map(([t, y]) => [Math.log(t), Math.log(y)] as const));
}

/** Slope of the least-squares line through (x, y); at least two different x. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
