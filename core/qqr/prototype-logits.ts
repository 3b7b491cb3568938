/**
 * How near an embedding is to each prototype, as logits:  l_m,c = −‖z_m − P[m,c]‖² / (d·τ).
 * Multiplied out, −(‖z_m‖² − 2 z_m·P[m,c] + ‖P[m,c]‖²) / (d·τ). Embeddings are layer-normalized, so ‖z_m‖² = d is the same for
 * every modality and class, cancels in every softmax and is left out. What remains is linear in z: l = z · W + b with
 * W = 2 P / (d·τ), b = −‖P‖² / (d·τ), and one matrix product serves all modalities and classes.
 */
import type { PrototypeSet } from './prototype.ts';

/** Logit of a class without a prototype: e^−10000 is 0 in any arithmetic used here, and finite times 0 is 0. */
const UNKNOWN = -1e4;

export interface PrototypeLogits {
  /** `[M·d, M·C]`, zero outside the blocks of one modality. */
  readonly weights: Float32Array;
  /** `[M·C]` */
  readonly bias: Float32Array;
}

export function prototypeLogits(prototypes: PrototypeSet, temperature: number): PrototypeLogits {
  const { modalities, classes, dim, values, weight } = prototypes;
  const columns = modalities * classes;
  const weights = new Float32Array(modalities * dim * columns);
  const bias = new Float32Array(columns);
  const scale = 1 / (dim * temperature);
  for (let column = 0; column < columns; column++) {
    if (!((weight[column] as number) > 0)) {
      bias[column] = UNKNOWN;
      continue;
    }
    const firstRow = Math.floor(column / classes) * dim;
    let squares = 0;
    for (let i = 0; i < dim; i++) {
      const value = values[column * dim + i] as number;
      weights[(firstRow + i) * columns + column] = 2 * scale * value;
      squares += value * value;
    }
    bias[column] = -scale * squares;
  }
  return { weights, bias };
}

/** 1 where modality m has a prototype of class c, `[M, C]`. */
export function knownPrototypes(prototypes: PrototypeSet): Uint8Array {
  return Uint8Array.from(prototypes.weight, (weight) => (weight > 0 ? 1 : 0));
}
