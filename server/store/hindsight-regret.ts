/**
 * Regret as far as the aggregator can know it (docs/dashboard.md, "Regret"): the loss of predict-then-train so far, less what as many
 * rounds would have cost at the loss of the best stretch among them,
 *   R(T) = Σ_{t ≤ T} ℓ_t − T · min(mean of ℓ_1 … ℓ_T, least mean of ⌈T/8⌉ rounds in a row among them), in nats a window.
 * Invariant: R ≥ 0, and R(T) follows from the first T losses alone, so that a later round changes no earlier point.
 */
import { growthExponent, horizons } from '../../core/math/growth-exponent.ts';

/** A stretch is this share of the rounds. It grows with them, so that one lucky round does not decide, and noise alone gives √T, not T. */
const STRETCH = 1 / 8;

/** Rounds from which on there is an exponent: below, the stretch is a handful of rounds. */
const LEAST_ROUNDS = 64;

export interface HindsightRegret {
  /** R(T), T the number of losses that are looked at, from 1. */
  at(t: number): number;
  /**
   * α of R(T) ∝ T^α over T = 2, 4, 8, … from √rounds on: beginnings, where the loss falls most, would decide it otherwise.
   * Null below 64 rounds, and where R is 0.
   */
  exponent(): number | null;
}

/** @param losses mean cross-entropy of a round's predictions before training, nats, one a round */
export function hindsightRegret(losses: ArrayLike<number>): HindsightRegret {
  const sums = new Float64Array(losses.length + 1);
  for (let i = 0; i < losses.length; i++) sums[i + 1] = (sums[i] as number) + (losses[i] as number);
  const at = (t: number) => {
    const width = Math.ceil(t * STRETCH);
    let least = Number.POSITIVE_INFINITY;
    for (let end = width; end <= t; end++) {
      const stretch = (sums[end] as number) - (sums[end - width] as number);
      if (stretch < least) least = stretch;
    }
    return Math.max(0, (sums[t] as number) - (t * least) / width); // 0: no stretch was as good as the whole
  };
  return {
    at,
    exponent() {
      const { length } = losses;
      if (length < LEAST_ROUNDS) return null;
      const late = horizons(length).filter((t) => t * t >= length);
      const rounding = 1e-9 * (sums[length] as number);
      return growthExponent(late.map((t) => [t, at(t)] as const).filter(([, regret]) => regret > rounding));
    },
  };
}
