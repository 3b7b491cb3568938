/**
 * PMM's filling (arXiv 2505.16138): a missing modality is the prototype of the window's *true* class. Training only, since at
 * prediction there is no label; measured, the head learns to read the label off the filling. Kept as a baseline.
 */
import type { PrototypeSet } from './prototype.ts';

export interface LabelFillingInput {
  readonly prototypes: PrototypeSet;
  /** B */
  readonly size: number;
  /** `[B, M]` 0 or 1. */
  readonly present: Float32Array;
  /** `[B]` class index, −1 where unknown. */
  readonly labels: Int32Array;
}

/** `[B, M·d]` P[m, y] where modality m is missing and that prototype known, zero elsewhere. */
export function labelFilling({ prototypes, size, present, labels }: LabelFillingInput): Float32Array {
  const { modalities, classes, dim, values, weight } = prototypes;
  const filling = new Float32Array(size * modalities * dim);
  for (let row = 0; row < size * modalities; row++) {
    const label = labels[Math.floor(row / modalities)] as number;
    const cell = (row % modalities) * classes + label;
    if (label < 0 || present[row] !== 0 || !((weight[cell] as number) > 0)) continue;
    filling.set(values.subarray(cell * dim, (cell + 1) * dim), row * dim);
  }
  return filling;
}
