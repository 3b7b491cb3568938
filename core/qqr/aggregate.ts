/**
 * Weighted averaging in integers, so that neither the order of the boards nor the number of aggregators changes a bit:
 *   v̂ = round(v · 2²²) ,   params ← params + Σ_k w_k δ̂_k / (2²² Σ_k w_k)   per group (an encoder, or the head),
 *   P_t[m,c] = Σ_k n_k p̂_k[m,c] / (2²² Σ_k n_k)   (docs/algorithm.md §3, §4).
 * Invariant: |v| ≤ 16 → |v̂| ≤ 2²⁶; times a weight ≤ 2¹⁴ sixteenths of a window, times ≤ 2¹³ boards → every partial sum is an
 * integer ≤ 2⁵³, which a float64 holds exactly. `core/wire/decode.ts` enforces the limits.
 */

import type { PrototypeSet } from './prototype.ts';
import { divideCells, emptyPrototypes } from './prototype.ts';

/** Steps per unit of the fixed-point form. */
export const FIXED = 2 ** 22;

/** What sums are taken over. Two sums merge when their shapes are equal. */
export interface SumsShape {
  /** Parameters in all. */
  readonly total: number;
  /** Contiguous parameter ranges that are averaged with one weight each; `group` = modality index, −1 for the head. */
  readonly groups: readonly { readonly group: number; readonly offset: number; readonly size: number }[];
  /** M */
  readonly modalities: number;
  /** C */
  readonly classes: number;
  /** d */
  readonly dim: number;
}

/** One board's say in a round, dequantized. */
export interface Contribution {
  /** Parameter deltas by group, each `[size]`; a group that did not travel is left out. Weight: integer in [0, 2¹⁴], 0 counts nothing. */
  readonly deltas: readonly { readonly group: number; readonly weight: number; readonly values: Float32Array }[];
  /** Prototypes of the classes that the board saw, by modality: `values` `[k, d]`, integer weights ≥ 1. */
  readonly prototypes: readonly {
    readonly modality: number;
    readonly classes: readonly number[];
    readonly weights: readonly number[];
    readonly values: Float32Array;
  }[];
}

/** Exact sums over some boards. Mutated by `addUpdate` only. */
export interface RoundSums {
  readonly shape: SumsShape;
  /** Boards added. */
  boards: number;
  /** `[total]` Σ w·δ̂ */
  readonly deltas: Float64Array;
  /** Per group of the shape: Σ w */
  readonly groupWeight: Float64Array;
  /** `[M, C, d]` Σ n·p̂ */
  readonly prototypes: Float64Array;
  /** `[M, C]` Σ n */
  readonly prototypeWeight: Float64Array;
}

export function createRoundSums(shape: SumsShape): RoundSums {
  const cells = shape.modalities * shape.classes;
  return {
    shape,
    boards: 0,
    deltas: new Float64Array(shape.total),
    groupWeight: new Float64Array(shape.groups.length),
    prototypes: new Float64Array(cells * shape.dim),
    prototypeWeight: new Float64Array(cells),
  };
}

/** Adds one board to `sums` in place. The contribution must fit the shape and keep the limits of this file's head. */
export function addUpdate(sums: RoundSums, contribution: Contribution): void {
  const { shape } = sums;
  sums.boards++;
  for (const { group, weight, values } of contribution.deltas) {
    const index = shape.groups.findIndex((range) => range.group === group);
    const range = shape.groups[index];
    if (range === undefined) throw new RangeError(`group ${group} is not in the shape`);
    sums.groupWeight[index] = (sums.groupWeight[index] as number) + weight;
    addScaled(sums.deltas, range.offset, values, 0, range.size, weight);
  }
  for (const { modality, classes, weights, values } of contribution.prototypes) {
    classes.forEach((c, row) => {
      const cell = modality * shape.classes + c;
      const weight = weights[row] as number;
      sums.prototypeWeight[cell] = (sums.prototypeWeight[cell] as number) + weight;
      addScaled(sums.prototypes, cell * shape.dim, values, row * shape.dim, shape.dim, weight);
    });
  }
}

/** The sums over both sets of boards: the same bits as if one aggregator had seen them all. */
export function mergeSums(a: RoundSums, b: RoundSums): RoundSums {
  return {
    shape: a.shape,
    boards: a.boards + b.boards,
    deltas: added(a.deltas, b.deltas),
    groupWeight: added(a.groupWeight, b.groupWeight),
    prototypes: added(a.prototypes, b.prototypes),
    prototypeWeight: added(a.prototypeWeight, b.prototypeWeight),
  };
}

/** The weighted mean of what boards changed. */
export interface MeanDelta {
  /** `[total]` change per parameter; 0 in groups that nobody weighed. */
  readonly values: Float64Array;
  /** The groups that somebody weighed: place in `shape.groups`, and range. */
  readonly moved: readonly { readonly index: number; readonly offset: number; readonly size: number }[];
}

export function meanDelta({ shape, deltas, groupWeight }: RoundSums): MeanDelta {
  const values = new Float64Array(shape.total);
  const moved = shape.groups.flatMap(({ offset, size }, index) => {
    const weight = groupWeight[index] as number;
    if (weight === 0) return [];
    for (let i = offset; i < offset + size; i++) values[i] = (deltas[i] as number) / weight / FIXED;
    return [{ index, offset, size }];
  });
  return { values, moved };
}

/** P_t: the weighted mean of the boards' prototypes; weight Σ n. */
export function temporalPrototypes(sums: RoundSums): PrototypeSet {
  const { modalities, classes, dim } = sums.shape;
  const set = emptyPrototypes(modalities, classes, dim);
  set.weight.set(sums.prototypeWeight);
  divideCells(
    sums.prototypes.map((fixed) => fixed / FIXED),
    set.weight,
    set.values,
  );
  return set;
}

function addScaled(
  into: Float64Array,
  at: number,
  values: Float32Array,
  from: number,
  size: number,
  weight: number,
): void {
  for (let i = 0; i < size; i++) {
    into[at + i] = (into[at + i] as number) + weight * Math.round((values[from + i] as number) * FIXED);
  }
}

function added(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((value, i) => value + (b[i] as number));
}
