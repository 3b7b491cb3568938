/**
 * What the aggregator holds: the global state that boards train from, and the parameters that predictions are made with.
 * The last model of a constant-step run jumps about, the more so when few boards answered; like the persistent prototypes
 * (docs/algorithm.md §3) the served parameters are an average over rounds, W̄ ← β W̄ + (1 − β) W (Polyak averaging with a window).
 */
import type { GlobalState } from '../core/model/global-state.ts';
import type { Moments } from './strategies/server-step.ts';

export interface FleetState extends GlobalState {
  /** W̄, layout of `params`; equals `params` before the first training round. Never mutated. */
  readonly averaged: Float32Array;
  /** What the strategy's server step remembers; null before the first training round and for plain averaging. */
  readonly moments: Moments | null;
}

/** @param beta β in [0, 1); 0 serves the last model as it is. The first trained model is taken whole. */
export function averagedParams(
  before: Pick<FleetState, 'version' | 'averaged'>,
  params: Float32Array,
  beta: number,
): Float32Array {
  if (before.version === 0) return params;
  return before.averaged.map((old, i) => beta * old + (1 - beta) * (params[i] as number));
}
