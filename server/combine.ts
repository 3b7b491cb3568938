/**
 * A round's updates become one: the change of the model, the prototypes, the input scale and how sure the fleet was, with the
 * strategy's guard (`strategies/guard.ts`) between a single board and the fleet.
 * Invariant: pure, and no bit depends on the order of the updates. Without a guard it is the exact weighted mean of `core/qqr/aggregate.ts`.
 */
import { AppError } from '../core/base/errors.ts';
import { median } from '../core/math/stats.ts';
import { paramLayout } from '../core/model/params.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import type { Contribution, MeanDelta, SumsShape } from '../core/qqr/aggregate.ts';
import { addUpdate, createRoundSums, meanDelta, temporalPrototypes } from '../core/qqr/aggregate.ts';
import { clipBound, clipped, clippedRows, normOf, weightCap } from '../core/qqr/clip.ts';
import { mergeNormalization, type Normalization } from '../core/qqr/normalization.ts';
import type { PrototypeSet } from '../core/qqr/prototype.ts';
import { type Cut, middle, robustDelta, robustPrototypes, trimmed } from '../core/qqr/robust-mean.ts';
import { medianNormalization } from '../core/qqr/robust-normalization.ts';
import { dequantize } from '../core/quant/affine.ts';
import type { GroupShape } from '../core/wire/check-structure.ts';
import { CONFIDENCE_UNITS } from '../core/wire/limits.ts';
import { type GroupValues, groupShapes, groupValues } from '../core/wire/model-values.ts';
import type { Update } from '../core/wire/update.ts';
import { type Guard, isGuarded } from './strategies/guard.ts';
import { type GroupWeights, type Strategy, weightsOf, weightWhenLate } from './strategies/strategy.ts';

/** How one board's model change was taken. */
export interface TakenChange {
  readonly device: string;
  /** Its L2 norm as it came; null when no model travelled. */
  readonly norm: number | null;
  /** It was longer than the guard lets a change be, and scaled down. */
  readonly wasClipped: boolean;
}

export interface Combined {
  readonly delta: MeanDelta;
  readonly prototypes: PrototypeSet;
  /** In the order of the updates. */
  readonly taken: readonly TakenChange[];
}

/**
 * @param updates of a training round, checked, at least one; late ones were trained from versions before the current one
 * @param version of the model that the round moves
 */
export function combine(updates: readonly Update[], spec: ModelSpec, strategy: Strategy, version: number): Combined {
  const { guard } = strategy;
  const shape = sumsShape(spec);
  const shapes = groupShapes(paramLayout(spec));
  const bound = boundOf(updates, shapes, guard);
  const taken: TakenChange[] = [];
  const say = sayOf(updates, strategy, version);
  const deltasOf = (i: number): Contribution['deltas'] => {
    const update = updates[i] as Update;
    const groups = valuesOf(update, shapes);
    const norm = normOf(groups);
    taken[i] = { device: update.device, norm: groups.length === 0 ? null : norm, wasClipped: norm > bound };
    return groups.map(({ group, values }) => ({
      group,
      weight: say.ofGroup(i, group),
      values: clipped(values, norm, bound),
    }));
  };
  const prototypes = updates.map((update, i) =>
    prototypesOf(update, spec, guard, (modality, c, weight) => say.ofPrototype(i, modality, c, weight)),
  );
  const cut = cutOf(guard);
  if (cut !== null) {
    const delta = robustDelta(
      shape,
      updates.map((_, i) => () => deltasOf(i)),
      cut,
    );
    return { delta, prototypes: robustPrototypes(shape, prototypes, cut), taken };
  }
  const sums = createRoundSums(shape);
  updates.forEach((_, i) => {
    addUpdate(sums, { deltas: deltasOf(i), prototypes: prototypes[i] as Contribution['prototypes'] });
  });
  return { delta: meanDelta(sums), prototypes: temporalPrototypes(sums), taken };
}

/** The fleet's input scale from the updates of round 0: of all samples together, or where boards may lie, of the boards' medians. */
export function combinedScale(updates: readonly Update[], spec: ModelSpec, { guard }: Strategy): Normalization {
  const sums = updates.map((update) => update.modalities.map((report) => report.sums));
  const channels = spec.modalities.map((modality) => modality.channels.length);
  return guard.robust === 'mean' ? mergeNormalization(sums, channels) : medianNormalization(sums, channels);
}

/** Mean confidence − accuracy over the round's predictions, or the boards' median of it; 0 when there were none. */
export function confidenceGap(updates: readonly Update[], { guard }: Strategy): number {
  if (guard.robust !== 'mean') {
    const gaps = updates.filter(({ online }) => online.count > 0);
    if (gaps.length === 0) return 0;
    return median(gaps.map(({ online }) => online.overconfidence / CONFIDENCE_UNITS / online.count));
  }
  // Integers are summed: exact in any order.
  const count = updates.reduce((sum, { online }) => sum + online.count, 0);
  const units = updates.reduce((sum, { online }) => sum + online.overconfidence, 0);
  return count === 0 ? 0 : units / CONFIDENCE_UNITS / count;
}

function cutOf({ robust, trim }: Guard): Cut | null {
  if (robust === 'mean') return null;
  return robust === 'median' ? middle : trimmed(trim);
}

function boundOf(updates: readonly Update[], shapes: readonly GroupShape[], { clipNorm, clipFactor }: Guard): number {
  if (clipFactor === 0) return clipBound([], clipNorm, 0);
  // One at a time: the changes of a thousand boards need not be in memory together.
  const norms = updates.flatMap((update) => {
    const groups = valuesOf(update, shapes);
    return groups.length > 0 ? normOf(groups) : [];
  });
  return clipBound(norms, clipNorm, clipFactor);
}

/** Weights after each board's share of them is bounded. */
interface Say {
  ofGroup(board: number, group: number): number;
  ofPrototype(board: number, modality: number, c: number, weight: number): number;
}

function sayOf(updates: readonly Update[], { settings, guard, lateExponent }: Strategy, version: number): Say {
  const { maxShare } = guard;
  const weights = updates.map((update) => weightsOf(update, settings));
  const whenLate = (board: number, weight: number) =>
    weightWhenLate(weight, version - (updates[board] as Update).modelVersion, lateExponent);
  const told = (board: number, group: number) => {
    const { head, encoders } = weights[board] as GroupWeights;
    return whenLate(board, group === -1 ? head : (encoders[group] as number));
  };
  if (maxShare === 1) return { ofGroup: told, ofPrototype: (board, _, __, weight) => whenLate(board, weight) };
  const caps = new Map<string, number>();
  const capOf = (key: string, all: () => readonly number[]) => {
    const cap = caps.get(key) ?? weightCap(all(), maxShare);
    caps.set(key, cap);
    return cap;
  };
  const ofCell = (modality: number, c: number) =>
    updates.flatMap(({ modalities }, board) => {
      const { classes = [], weights: own = [] } = modalities[modality]?.prototypes ?? {};
      const weight = own[classes.indexOf(c)];
      return weight === undefined ? [] : whenLate(board, weight);
    });
  const ofAll = (group: number) =>
    updates.flatMap((update, board) => (carries(update, group) ? told(board, group) : []));
  return {
    ofGroup: (board, group) =>
      Math.min(
        told(board, group),
        capOf(`${group}`, () => ofAll(group)),
      ),
    ofPrototype: (board, modality, c, weight) =>
      Math.min(
        whenLate(board, weight),
        capOf(`${modality}/${c}`, () => ofCell(modality, c)),
      ),
  };
}

function carries({ model, coded }: Update, group: number): boolean {
  return coded === null ? model.some((one) => one.group === group) : coded.groups.includes(group);
}

/** With a guard no row is longer than a layer-normalized embedding of `d` values can be, √d. */
function prototypesOf(
  update: Update,
  spec: ModelSpec,
  guard: Guard,
  say: (modality: number, c: number, weight: number) => number,
): Contribution['prototypes'] {
  const dim = spec.embedding;
  return update.modalities.flatMap(({ prototypes }, modality) => {
    if (prototypes === null) return [];
    const { classes, weights } = prototypes;
    const values = dequantize(prototypes.values);
    return {
      modality,
      classes,
      weights: classes.map((c, row) => say(modality, c, weights[row] as number)),
      values: isGuarded(guard) ? clippedRows(values, dim, Math.sqrt(dim)) : values,
    };
  });
}

function valuesOf(update: Update, shapes: readonly GroupShape[]): readonly GroupValues[] {
  const groups = groupValues(update, shapes);
  if (groups === null) throw new AppError('internal', `an update of '${update.device}' was taken that cannot be read`);
  return groups;
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
