/**
 * Means with their uncertainty, for a handful of seeds: Student's t throughout, since five values do not know their variance.
 * t quantiles by inverting the distribution function (regularized incomplete beta, Abramowitz & Stegun 26.5.8 and 26.7.1).
 */

export interface Estimate {
  readonly n: number;
  readonly mean: number;
  /** Sample standard deviation (n − 1); null for a single value. */
  readonly std: number | null;
  /** Half width of the 95 % t-interval of the mean; null for a single value. */
  readonly half: number | null;
}

/** Of at least one value. */
export function estimateOf(values: readonly number[]): Estimate {
  const n = values.length;
  if (n === 0) throw new RangeError('an estimate needs a value');
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  if (n === 1) return { n, mean, std: null, half: null };
  const std = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1));
  return { n, mean, std, half: (studentQuantile(0.975, n - 1) * std) / Math.sqrt(n) };
}

/** Of the differences a − b over the keys (seeds) that both have; null when they share none. */
export function pairedDifference(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): Estimate | null {
  const differences = [...a].flatMap(([key, value]) => {
    const other = b.get(key);
    return other === undefined ? [] : [value - other];
  });
  return differences.length === 0 ? null : estimateOf(differences);
}

/** Whether the 95 % interval leaves out 0. A single value, or differences that are all 0, prove nothing. */
export function isClear({ mean, half }: Estimate): boolean {
  return half !== null && Math.abs(mean) > half;
}

/** t with P(T ≤ t) = p for `freedom` degrees of freedom (≥ 1); p in (0, 1). Error below 1e-9 of the quantile. */
export function studentQuantile(p: number, freedom: number): number {
  if (!(p > 0 && p < 1 && freedom >= 1)) throw new RangeError('a t quantile needs p in (0, 1) and a degree of freedom');
  if (p < 0.5) return -studentQuantile(1 - p, freedom);
  let low = 0;
  let high = 1;
  while (studentCdf(high, freedom) < p) high *= 2;
  for (let step = 0; step < 80; step++) {
    const middle = (low + high) / 2;
    if (studentCdf(middle, freedom) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T ≤ t). */
export function studentCdf(t: number, freedom: number): number {
  const tail = incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5) / 2;
  return t >= 0 ? 1 - tail : tail;
}

/** I_x(a, b): continued fraction, evaluated on the side where it converges fast. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x)) / a;
  let [c, d] = [1, 1 / (1 - ((a + b) * x) / (a + 1))];
  let fraction = d;
  for (let m = 1; m <= 500; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * fraction;
}

/** ln Γ(x) for x > 0: Stirling's series after shifting x above 10. */
function logGamma(x: number): number {
  let shift = 0;
  let y = x;
  for (; y < 10; y++) shift += Math.log(y);
  const r = 1 / (y * y);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r / 1680))) / y;
  return (y - 0.5) * Math.log(y) - y + 0.5 * Math.log(2 * Math.PI) + series - shift;
}
