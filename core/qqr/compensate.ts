/**
 * PNR: an embedding for a missing modality, from prototypes that resemble what the present ones show (docs/algorithm.md §4, form ours).
 * For missing m and present modalities A of one window, with u_j the quality of j:
 *   dist_c = Σ_j∈A u_j ‖z_j − P[j,c]‖²/d / Σ_j∈A u_j   (over the j that have a prototype of c)
 *   w = softmax_c(−dist_c / τ)   (over the c that m and at least one j have a prototype of)
 *   ẑ_m = Σ_c w_c P[m,c]
 * Label-free, so training and prediction do the same thing. No present modality or no such class: the zero vector.
 * No gradient flows through ẑ. Shapes: B windows, M modalities, C classes, embeddings of size d, layer-normalized.
 */
import type { Kernels, Tensor } from '../model/backend.ts';
import type { PrototypeSet } from './prototype.ts';
import { knownPrototypes, prototypeLogits } from './prototype-logits.ts';

/** A present modality of quality 0 still counts this much, so that windows with nothing but bad sensors are filled too. */
const LEAST_QUALITY = 0.01;
const IMPOSSIBLE = -1e9;

export interface CompensateInput {
  /** B */
  readonly size: number;
  /** `[B, M]` 0 or 1. */
  readonly present: Float32Array;
  /** `[B, M]` in [0, 1]. */
  readonly quality: Float32Array;
}

/** Constants of one batch under one set of prototypes. */
export interface CompensatePlan {
  /** `[M·d, M·C]` and `[M·C]`: −dist/τ of each modality by itself. */
  readonly weights: Tensor;
  readonly bias: Tensor;
  /** `[B, M·C]` share of modality j in the distance to class c. */
  readonly shares: Tensor;
  /** `[M·C, M·C]` sums over modalities, and hands every modality the sum. */
  readonly sum: Tensor;
  /** `[B, M·C]` 0 where class c is a candidate for m, very negative where not. */
  readonly mask: Tensor;
  /** `[B·M, 1]` 1 where there is something to fill and something to fill it with. */
  readonly filled: Tensor;
  /** `[M·C, M·d]` the prototypes, one block per modality. */
  readonly prototypes: Tensor;
  /** The shapes `[B·M, C]` and `[B, M·C]`. */
  readonly rows: Tensor;
  readonly joined: Tensor;
}

/** Null when no window lacks a modality that could be filled. */
export function planCompensate(
  k: Kernels,
  prototypes: PrototypeSet,
  input: CompensateInput,
  temperature: number,
): CompensatePlan | null {
  const { modalities, classes, dim } = prototypes;
  const { shares, mask, filled } = candidates(prototypes, input);
  if (!filled.some((fill) => fill > 0)) return null;
  const { weights, bias } = prototypeLogits(prototypes, temperature);
  const columns = modalities * classes;
  return {
    weights: k.constant(weights, [modalities * dim, columns]),
    bias: k.constant(bias, [columns]),
    shares: k.constant(shares, [input.size, columns]),
    sum: k.constant(sumOverModalities(modalities, classes), [columns, columns]),
    mask: k.constant(mask, [input.size, columns]),
    filled: k.constant(filled, [input.size * modalities, 1]),
    prototypes: k.constant(blockDiagonal(prototypes), [columns, modalities * dim]),
    rows: k.integers([input.size * modalities, classes], [2]),
    joined: k.integers([input.size, columns], [2]),
  };
}

/** `z` `[B, M·d]`. Returns the class weights `[B·M, C]` and the fillings `[B, M·d]`; both are zero where nothing is filled. */
export function compensate(
  k: Kernels,
  plan: CompensatePlan,
  z: Tensor,
): { readonly weights: Tensor; readonly filling: Tensor } {
  const apart = k.biasAdd(k.matMul(z, plan.weights), plan.bias); // [B, M·C]
  const together = k.matMul(k.mul(apart, plan.shares), plan.sum); // [B, M·C]
  const likely = k.softmax(k.reshape(k.add(together, plan.mask), plan.rows)); // [B·M, C]
  const weights = k.mul(likely, plan.filled);
  return { weights, filling: k.matMul(k.reshape(weights, plan.joined), plan.prototypes) };
}

function candidates(prototypes: PrototypeSet, { size, present, quality }: CompensateInput) {
  const { modalities, classes } = prototypes;
  const columns = modalities * classes;
  const known = knownPrototypes(prototypes);
  const shares = new Float32Array(size * columns);
  const mask = new Float32Array(size * columns).fill(IMPOSSIBLE);
  const filled = new Float32Array(size * modalities);
  for (let b = 0; b < size; b++) {
    const weightOf = (m: number) => {
      const i = b * modalities + m;
      return (present[i] as number) * Math.max(quality[i] as number, LEAST_QUALITY);
    };
    for (let c = 0; c < classes; c++) {
      let total = 0;
      for (let m = 0; m < modalities; m++) total += weightOf(m) * (known[m * classes + c] as number);
      if (total === 0) continue;
      for (let m = 0; m < modalities; m++) {
        if (known[m * classes + c] === 0) continue;
        const column = b * columns + m * classes + c;
        shares[column] = weightOf(m) / total;
        mask[column] = 0;
        if (present[b * modalities + m] === 0) filled[b * modalities + m] = 1;
      }
    }
  }
  return { shares, mask, filled };
}

/** 1 at (j·C + c, m·C + c). */
function sumOverModalities(modalities: number, classes: number): Float32Array {
  const columns = modalities * classes;
  const sum = new Float32Array(columns * columns);
  for (let row = 0; row < columns; row++) {
    for (let column = row % classes; column < columns; column += classes) sum[row * columns + column] = 1;
  }
  return sum;
}

function blockDiagonal({ modalities, classes, dim, values, weight }: PrototypeSet): Float32Array {
  const blocks = new Float32Array(modalities * classes * modalities * dim);
  for (let row = 0; row < modalities * classes; row++) {
    if (!((weight[row] as number) > 0)) continue;
    const column = Math.floor(row / classes) * dim;
    blocks.set(values.subarray(row * dim, (row + 1) * dim), row * modalities * dim + column);
  }
  return blocks;
}
