/**
 * One closed round, as a pure function: the fleet's state and the counted updates → the next state.
 * Invariant: the result's bits do not depend on the order of the updates (`combine.ts`).
 */

import { nextTemperature } from '../core/model/calibration.ts';
import { initParams, paramLayout } from '../core/model/params.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import { emptyPrototypes, persist } from '../core/qqr/prototype.ts';
import type { Update } from '../core/wire/update.ts';
import { combine, combinedScale, confidenceGap, type TakenChange } from './combine.ts';
import { averagedParams, type FleetState } from './fleet-state.ts';
import { averageStep, type Moments, noMoments } from './strategies/server-step.ts';
import type { Strategy } from './strategies/strategy.ts';

/** Version 0: seeded parameters, no prototypes, no normalization. */
export function firstGlobal(spec: ModelSpec, seed: number): FleetState {
  const params = initParams(spec, seed);
  return {
    version: 0,
    params,
    averaged: params,
    moments: null,
    prototypes: emptyPrototypes(spec.modalities.length, spec.classes.length, spec.embedding),
    temperature: 1,
    normalization: null,
  };
}

/**
 * The state after a round's updates, at least one, and how each board's model change was taken, in the order of the updates.
 * Statistics: the same model, now with the fleet's normalization. Training: parameters moved by the boards' combined delta
 * (`strategies/server-step.ts`), averaged parameters and persistent prototypes by the round's, the temperature by how sure its predictions were,
 * and the version is one more.
 */
export function nextGlobal(
  kind: 'statistics' | 'training',
  global: FleetState,
  updates: readonly Update[],
  spec: ModelSpec,
  strategy: Strategy,
): { readonly global: FleetState; readonly taken: readonly TakenChange[] } {
  if (kind === 'statistics') {
    const taken = updates.map(({ device }) => ({ device, norm: null, wasClipped: false }));
    return { global: { ...global, normalization: combinedScale(updates, spec, strategy) }, taken };
  }
  const { delta, prototypes, taken } = combine(updates, spec, strategy, global.version);
  const before = momentsOf(global, spec, strategy);
  const { params, moments } =
    before === null
      ? { params: averageStep(global.params, delta), moments: null }
      : strategy.serverStep(global.params, delta, before, strategy.serverRate);
  const next = {
    version: global.version + 1,
    params,
    averaged: averagedParams(global, params, strategy.modelMemory),
    moments,
    prototypes: persist(global.prototypes, prototypes, strategy.prototypeMemory),
    temperature: nextTemperature(global.temperature, confidenceGap(updates, strategy)),
    normalization: global.normalization,
  };
  return { global: next, taken };
}

/** Those of the rounds before; none yet at the first, nor with plain averaging. */
function momentsOf({ moments, params }: FleetState, spec: ModelSpec, { serverRate }: Strategy): Moments | null {
  if (serverRate === 0) return null;
  return moments ?? noMoments(params.length, paramLayout(spec).groups.length);
}
