/**
 * What a round's mean delta Δ does to the fleet's model. Plain averaging takes it as it is, W ← W + Δ. A server step takes it as a
 * gradient and remembers something of the rounds before; FedAdam (Reddi et al., ICLR 2021) steps each parameter by its own scale,
 *   m ← β₁ m + (1 − β₁) Δ,  v ← β₂ v + (1 − β₂) Δ²,  W ← W + η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 * so that parameters which few windows move are not left behind: a single pass over a stream has no time to wait for them.
 * t counts the rounds that moved the group: an encoder whose modality nobody had stands still, moments and all.
 * No state leaves the aggregator.
 */
import type { MeanDelta } from '../../core/qqr/aggregate.ts';

/** What a server step remembers, stored with the model; each step uses of it what it needs. */
export interface Moments {
  /** `[total]`: of FedAdam m and v. Zeros before the first step. Never mutated. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Per parameter group of the layout, t. */
  readonly steps: readonly number[];
}

/**
 * The model and what is remembered after a round. Pure; arguments are not mutated. Only the groups of `delta.moved` change.
 * A store that is given another strategy hands over the moments of the step before: they are finite, and fade.
 * @param params `[total]` @param rate η, above 0
 */
export type ServerStep = (
  params: Float32Array,
  delta: MeanDelta,
  moments: Moments,
  rate: number,
) => { readonly params: Float32Array; readonly moments: Moments };

const BETA1 = 0.8;
const BETA2 = 0.95;
/** In units of a parameter's change per round: changes far below it do not count as a scale. */
const EPSILON = 1e-3;

/** Before the first step. */
export function noMoments(total: number, groups: number): Moments {
  return {
    first: new Float32Array(total),
    second: new Float32Array(total),
    steps: Array.from({ length: groups }, () => 0),
  };
}

/** The model after a round of plain averaging, which remembers nothing. `params` is not mutated. */
export function averageStep(params: Float32Array, delta: MeanDelta): Float32Array {
  const next = params.slice();
  for (const { offset, size } of delta.moved) {
    for (let i = offset; i < offset + size; i++) next[i] = (params[i] as number) + (delta.values[i] as number);
  }
  return next;
}

/** FedAdam. */
export const adamStep: ServerStep = (params, delta, moments, rate) => {
  const next = params.slice();
  const first = moments.first.slice();
  const second = moments.second.slice();
  const steps = [...moments.steps];
  for (const { index, offset, size } of delta.moved) {
    const t = (steps[index] as number) + 1;
    steps[index] = t;
    const [correction1, correction2] = [1 - BETA1 ** t, 1 - BETA2 ** t];
    for (let i = offset; i < offset + size; i++) {
      const change = delta.values[i] as number;
      const m = BETA1 * (first[i] as number) + (1 - BETA1) * change;
      const v = BETA2 * (second[i] as number) + (1 - BETA2) * change * change;
      [first[i], second[i]] = [m, v];
      next[i] = (params[i] as number) + (rate * (m / correction1)) / (Math.sqrt(v / correction2) + EPSILON);
    }
  }
  return { params: next, moments: { first, second, steps } };
};
