/**
 * Regret from losses per round: R(T) = Σ_{t ≤ T} (online loss − comparator's loss), summed over windows, at T = 2, 4, 8, … and the
 * horizon; and the exponent α of R(T) ∝ T^α.
 */
import { growthExponent, horizons } from '../../core/math/growth-exponent.ts';

/** Losses of a round, summed over its windows. */
export interface RoundLoss {
  readonly online: number;
  readonly comparator: number;
}

/** R(T) per horizon for one comparator that is the same at all of them. */
export function regretAt(losses: readonly RoundLoss[]): { readonly t: number; readonly regret: number }[] {
  let sum = 0;
  const cumulative = losses.map(({ online, comparator }) => (sum += online - comparator));
  return horizons(losses.length).map((t) => ({ t, regret: cumulative[t - 1] as number }));
}

/** `regret/exponent`, `regret/total` (nats, at the horizon) and `regret/per-window`, as far as they are defined. */
export function regretMetrics(
  points: readonly { readonly t: number; readonly regret: number }[],
  windows: number,
): Record<string, number> {
  const total = points.at(-1)?.regret;
  const exponent = growthExponent(points.map(({ t, regret }) => [t, regret] as const));
  return {
    ...(exponent === null ? {} : { 'regret/exponent': exponent }),
    ...(total === undefined ? {} : { 'regret/total': total, 'regret/per-window': total / windows }),
  };
}
