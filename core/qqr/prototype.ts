/**
 * Prototypes (PMM, arXiv 2505.16138): per modality m and class c the weighted mean embedding
 *   p[m,c] = Σ_i w_i z_m,i / Σ_i w_i ,  w = presence · quality,
 * taken in one pass under the broadcast model; and the persistent global table
 *   P ← β P + (1 − β) P_t  where class and modality were seen (docs/algorithm.md §3).
 * Unseen is absent (weight 0), never a zero vector.
 */

/** A table of prototypes. */
export interface PrototypeSet {
  /** M */
  readonly modalities: number;
  /** C */
  readonly classes: number;
  /** d */
  readonly dim: number;
  /** `[M, C, d]` row-major; undefined where the weight is 0. */
  readonly values: Float32Array;
  /** `[M, C]` Σw, or for a persistent set the weight last seen; 0 = unseen. */
  readonly weight: Float64Array;
}

export function emptyPrototypes(modalities: number, classes: number, dim: number): PrototypeSet {
  return {
    modalities,
    classes,
    dim,
    values: new Float32Array(modalities * classes * dim),
    weight: new Float64Array(modalities * classes),
  };
}

/**
 * A board's own prototypes over one batch of B ≥ 1 windows.
 * @param embeddings per modality `[B, d]`, under the broadcast parameters
 * @param labels `[B]` class indices in [0, classes), −1 where unknown: such a window adds nothing
 * @param weights `[B, M]` w ≥ 0; 0 where the modality is absent
 * @returns table with `weight` = Σw in windows
 */
export function localPrototypes(
  embeddings: readonly Float32Array[],
  labels: Int32Array,
  weights: Float32Array,
  classes: number,
): PrototypeSet {
  const modalities = embeddings.length;
  const dim = (embeddings[0]?.length ?? 0) / labels.length;
  const set = emptyPrototypes(modalities, classes, dim);
  const sums = new Float64Array(set.values.length); // [M, C, d]
  embeddings.forEach((z, m) => {
    labels.forEach((label, i) => {
      if (label < 0) return;
      const w = weights[i * modalities + m] as number;
      const cell = m * classes + label;
      set.weight[cell] = (set.weight[cell] as number) + w;
      for (let k = 0; k < dim; k++) {
        sums[cell * dim + k] = (sums[cell * dim + k] as number) + w * (z[i * dim + k] as number);
      }
    });
  });
  divideCells(sums, set.weight, set.values);
  return set;
}

/**
 * The persistent table after one round: seen cells move by 1 − β, a cell's first sight is taken whole, unseen cells stay.
 * @param beta β in [0, 1); 0 forgets everything but the last round in which the cell was seen
 * @returns a new table; its weights are those last seen
 */
export function persist(persistent: PrototypeSet, temporal: PrototypeSet, beta: number): PrototypeSet {
  const values = persistent.values.slice();
  const weight = persistent.weight.slice();
  const { dim } = persistent;
  temporal.weight.forEach((seen, cell) => {
    if (seen === 0) return;
    const keep = weight[cell] === 0 ? 0 : beta;
    weight[cell] = seen;
    for (let k = cell * dim; k < (cell + 1) * dim; k++) {
      values[k] = keep * (values[k] as number) + (1 - keep) * (temporal.values[k] as number);
    }
  });
  return { ...persistent, values, weight };
}

/** `values[cell] = sums[cell] / weight[cell]`, cells without weight left alone. */
export function divideCells(sums: Float64Array, weight: Float64Array, values: Float32Array): void {
  const dim = values.length / weight.length;
  weight.forEach((w, cell) => {
    if (w === 0) return;
    for (let k = cell * dim; k < (cell + 1) * dim; k++) values[k] = (sums[k] as number) / w;
  });
}
