/**
 * What a round's mean delta Δ does to the fleet's model. Plain averaging takes it as it is, W ← W + Δ. FedAdam (Reddi et al.,
 * ICLR 2021) takes it as a gradient and steps each parameter by its own scale,
 *   m ← β₁ m + (1 − β₁) Δ,  v ← β₂ v + (1 − β₂) Δ²,  W ← W + η m̂ / (√v̂ + ε),  m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
 * so that parameters which few windows move are not left behind: a single pass over a stream has no time to wait for them.
 * t counts the rounds that moved the group: an encoder whose modality nobody had stands still, moments and all.
 * No state leaves the aggregator.
 */
import type { MeanDelta } from '../core/qqr/aggregate.ts';
import type { Moments } from './fleet-state.ts';

const BETA1 = 0.8;
const BETA2 = 0.95;
/** In units of a parameter's change per round: changes far below it do not count as a scale. */
const EPSILON = 1e-3;

/** Before the first step of FedAdam. Plain averaging has no state: null. */
export function noMoments(total: number, groups: number): Moments {
  return {
    first: new Float32Array(total),
    second: new Float32Array(total),
    steps: Array.from({ length: groups }, () => 0),
  };
}

/** The model after a round. `moments` null: plain averaging, whatever the rate. Arguments are not mutated. */
export function stepped(
  params: Float32Array,
  delta: MeanDelta,
  moments: Moments | null,
  serverRate: number,
): { readonly params: Float32Array; readonly moments: Moments | null } {
  const next = params.slice();
  if (moments === null) {
    for (const { offset, size } of delta.moved) {
      for (let i = offset; i < offset + size; i++) next[i] = (params[i] as number) + (delta.values[i] as number);
    }
    return { params: next, moments };
  }
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
      next[i] = (params[i] as number) + (serverRate * (m / correction1)) / (Math.sqrt(v / correction2) + EPSILON);
    }
  }
  return { params: next, moments: { first, second, steps } };
}
