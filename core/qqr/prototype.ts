/**
 * Prototypes (PMM, arXiv 2505.16138): per modality m and class c the weighted mean embedding
 *   p[m,c] = Σ_i w_i z_m,i / Σ_i w_i ,  w = presence · quality,
 * taken in one pass under the broadcast model. Unseen is absent (weight 0), never a zero vector.
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
