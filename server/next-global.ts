/**
 * One closed round, as a pure function: the fleet's state and the counted updates → the next state.
 * Invariant: the result's bits do not depend on the order of the updates (exact sums, `core/qqr/aggregate.ts`).
 */

import { AppError } from '../core/base/errors.ts';
import { nextTemperature } from '../core/model/calibration.ts';
import { initParams, paramLayout } from '../core/model/params.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import type { Contribution, SumsShape } from '../core/qqr/aggregate.ts';
import { addUpdate, createRoundSums, meanDelta, temporalPrototypes } from '../core/qqr/aggregate.ts';
import { mergeNormalization } from '../core/qqr/normalization.ts';
import { emptyPrototypes, persist } from '../core/qqr/prototype.ts';
import { dequantize } from '../core/quant/affine.ts';
import type { GroupShape } from '../core/wire/check-structure.ts';
import { CONFIDENCE_UNITS } from '../core/wire/limits.ts';
import { groupShapes, groupValues } from '../core/wire/model-values.ts';
import type { Update } from '../core/wire/update.ts';
import { averagedParams, type FleetState, type Moments } from './fleet-state.ts';
import { noMoments, stepped } from './optimizer.ts';
import type { GroupWeights, Strategy } from './strategies/strategy.ts';
import { weightsOf } from './strategies/strategy.ts';

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
 * The state after a round's updates, at least one.
 * Statistics: the same model, now with the fleet's normalization. Training: parameters moved by the weighted mean delta (`optimizer.ts`),
 * averaged parameters and persistent prototypes by the round's, the temperature by how sure its predictions were, and the version is
 * one more.
 */
export function nextGlobal(
  kind: 'statistics' | 'training',
  global: FleetState,
  updates: readonly Update[],
  spec: ModelSpec,
  strategy: Strategy,
): FleetState {
  if (kind === 'statistics') {
    const sums = updates.map((update) => update.modalities.map((report) => report.sums));
    const channels = spec.modalities.map((modality) => modality.channels.length);
    return { ...global, normalization: mergeNormalization(sums, channels) };
  }
  const sums = createRoundSums(sumsShape(spec));
  const shapes = groupShapes(paramLayout(spec));
  for (const update of updates) addUpdate(sums, contributionOf(update, weightsOf(update, strategy.settings), shapes));
  const { params, moments } = stepped(
    global.params,
    meanDelta(sums),
    momentsOf(global, spec, strategy),
    strategy.serverRate,
  );
  return {
    version: global.version + 1,
    params,
    averaged: averagedParams(global, params, strategy.modelMemory),
    moments,
    prototypes: persist(global.prototypes, temporalPrototypes(sums), strategy.prototypeMemory),
    temperature: nextTemperature(global.temperature, confidenceGap(updates)),
    normalization: global.normalization,
  };
}

/** Mean confidence − accuracy over the round's predictions; 0 when there were none. Integers are summed: exact in any order. */
function confidenceGap(updates: readonly Update[]): number {
  const count = updates.reduce((sum, { online }) => sum + online.count, 0);
  const units = updates.reduce((sum, { online }) => sum + online.overconfidence, 0);
  return count === 0 ? 0 : units / CONFIDENCE_UNITS / count;
}

/** Those of the rounds before; none yet at the first, nor with plain averaging. */
function momentsOf({ moments, params }: FleetState, spec: ModelSpec, { serverRate }: Strategy): Moments | null {
  if (serverRate === 0) return null;
  return moments ?? noMoments(params.length, paramLayout(spec).groups.length);
}

function sumsShape(spec: ModelSpec): SumsShape {
  const { total, groups } = paramLayout(spec);
  return {
    total,
    groups,
    modalities: spec.modalities.length,
    classes: spec.classes.length,
    dim: spec.embedding,
  };
}

function contributionOf(update: Update, weights: GroupWeights, shapes: readonly GroupShape[]): Contribution {
  const groups = groupValues(update, shapes);
  if (groups === null) throw new AppError('internal', `an update of '${update.device}' was taken that cannot be read`);
  return {
    deltas: groups.map(({ group, values }) => ({
      group,
      weight: group === -1 ? weights.head : (weights.encoders[group] as number),
      values,
    })),
    prototypes: update.modalities.flatMap(({ prototypes }, modality) =>
      prototypes === null ? [] : [{ ...prototypes, modality, values: dequantize(prototypes.values) }],
    ),
  };
}
