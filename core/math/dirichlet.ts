/** Random shares that sum to 1, for splitting something unevenly. */
import type { Rng } from './rng.ts';

/**
 * `[count]` shares drawn from the symmetric Dirichlet distribution: α → ∞ gives equal shares, α → 0 everything to one.
 * Drawn as normalized Gamma(α) numbers, in logarithms, so that a small α does not end in 0/0.
 * @param alpha > 0
 */
export function dirichlet(count: number, alpha: number, rng: Rng): Float64Array {
  const logs = Float64Array.from({ length: count }, () => logGamma(alpha, rng));
  const largest = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const weights = logs.map((log) => Math.exp(log - largest));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Logarithm of a Gamma(shape, 1) number. Marsaglia, Tsang 2000 ("A simple method for generating gamma variables"),
 * with their step from shape to shape + 1 below 1.
 */
function logGamma(shape: number, rng: Rng): number {
  if (shape < 1) return logGamma(shape + 1, rng) + Math.log(1 - rng.next()) / shape;
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = rng.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - rng.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d) + Math.log(v);
  }
}
