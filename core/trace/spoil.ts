/**
 * A fault of any kind, for the scorer of quality to learn from (core/qqr/quality-scorer.ts, which may not know of recordings): the
 * kind is drawn uniformly, and so is the severity, from hardly to be seen to as bad as it gets.
 */
import type { Rng } from '../math/rng.ts';
import { applyFault, drawFault, FAULT_KINDS, type FaultKind } from './faults.ts';

/** Milder faults cannot be told from a healthy sensor. */
const SEVERITY = [0.15, 1] as const;

/**
 * A new `[T, channels]` array with a random fault in it.
 * @param sigma AC standard deviation of every axis, in the unit of `values`
 * @param kinds default: all
 */
export function spoilWindow(
  values: Float32Array,
  channels: number,
  sigma: number,
  rng: Rng,
  kinds: readonly FaultKind[] = FAULT_KINDS,
): Float32Array {
  return applyFault(values, channels, drawFault(kinds, SEVERITY, rng), new Float32Array(channels).fill(sigma), rng);
}
