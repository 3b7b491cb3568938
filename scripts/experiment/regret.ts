/**
 * Regret from losses per round: R(T) = Σ_{t ≤ T} (online loss − comparator's loss), summed over windows, at T = 2, 4, 8, … and the
 * horizon; and the exponent α of R(T) ∝ T^α as the slope of a least-squares line through (ln T, ln R).
 * A T at which regret is not positive has no logarithm and is left out; with fewer than three left there is no exponent.
 */
import { slopeOf } from './statistics.ts';

/** 2, 4, 8, … below `rounds`, then `rounds` itself. */
export function horizons(rounds: number): number[] {
  const powers: number[] = [];
  for (let t = 2; t < rounds; t *= 2) powers.push(t);
  return [...powers, rounds];
}

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

/** α, or null where it is not defined. */
export function exponentOf(points: readonly { readonly t: number; readonly regret: number }[]): number | null {
  const positive = points.filter(({ regret }) => regret > 0);
  if (positive.length < 3) return null;
  return slopeOf(positive.map(({ t, regret }) => [Math.log(t), Math.log(regret)] as const));
}

/** `regret/exponent`, `regret/total` (nats, at the horizon) and `regret/per-window`, as far as they are defined. */
export function regretMetrics(
  points: readonly { readonly t: number; readonly regret: number }[],
  windows: number,
): Record<string, number> {
  const total = points.at(-1)?.regret;
  const exponent = exponentOf(points);
  return {
    ...(exponent === null ? {} : { 'regret/exponent': exponent }),
    ...(total === undefined ? {} : { 'regret/total': total, 'regret/per-window': total / windows }),
  };
}
