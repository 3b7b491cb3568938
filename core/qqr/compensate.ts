/**
 * PNR: an embedding for a missing modality, from prototypes that resemble what the present ones show (docs/algorithm.md §4, form ours).
 * For missing m and present modalities A of one window, with u_j the quality of j:
 *   dist_c = Σ_j∈A u_j ‖z_j − P[j,c]‖²/d / Σ_j∈A u_j   (over the j that have a prototype of c)
 *   w = softmax_c(−dist_c / τ)   (over the c that m and at least one j have a prototype of)
 *   ẑ_m = Σ_c w_c P[m,c]
 * Label-free, so training and prediction do the same thing. No present modality or no such class: the zero vector.
 * No gradient flows through ẑ. Shapes: G boards with B windows each, M modalities, C classes, embeddings of size d, layer-normalized.
 */
import type { Kernels, Tensor } from '../model/backend.ts';
import type { PrototypeSet } from './prototype.ts';
import { knownPrototypes, prototypeLogits } from './prototype-logits.ts';
import { joined } from './stack.ts';

/** A present modality of quality 0 still counts this much, so that windows with nothing but bad sensors are filled too. */
const LEAST_QUALITY = 0.01;
const IMPOSSIBLE = -1e9;

export interface CompensateInput {
  /** The board's view of the global prototypes. */
  readonly prototypes: PrototypeSet;
  /** B */
  readonly size: number;
  /** `[B, M]` 0 or 1. */
  readonly present: Float32Array;
  /** `[B, M]` in [0, 1]. */
  readonly quality: Float32Array;
}

/** PNR planned for one batch of all boards under fixed prototypes. */
export interface Compensation {
  /** `z` `[G, B, M·d]`. Returns the class weights `[G·B·M, C]` and the fillings `[G, B, M·d]`; both are zero where nothing is filled. */
  apply(z: Tensor): { readonly weights: Tensor; readonly filling: Tensor };
}

/** One input per board, all of one size. Null when no window lacks a modality that could be filled. */
export function planCompensate(
  k: Kernels,
  inputs: readonly CompensateInput[],
  temperature: number,
): Compensation | null {
  const { prototypes, size } = inputs[0] as CompensateInput;
  const { modalities, classes, dim } = prototypes;
  const found = inputs.map(candidates);
  if (!found.some(({ filled }) => filled.includes(1))) return null;
  const groups = inputs.length;
  const columns = modalities * classes;
  const logits = inputs.map((input) => prototypeLogits(input.prototypes, temperature));
  // −dist/τ of each modality by itself
  const weights = k.constant(joined(logits.map((of) => of.weights)), [groups, modalities * dim, columns]);
  const bias = k.constant(joined(logits.map((of) => of.bias)), [groups, 1, columns]);
  const shares = k.constant(joined(found.map((of) => of.shares)), [groups, size, columns]);
  const mask = k.constant(joined(found.map((of) => of.mask)), [groups, size, columns]);
  const filled = k.constant(joined(found.map((of) => of.filled)), [groups * size * modalities, 1]);
  const table = k.constant(joined(inputs.map((input) => blockDiagonal(input.prototypes))), [
    groups,
    columns,
    modalities * dim,
  ]);
  const sum = k.constant(sumOverModalities(modalities, classes), [1, columns, columns]);
  const rows = k.integers([groups * size * modalities, classes], [2]);
  const together = k.integers([groups, size, columns], [3]);
  return {
    apply(z) {
      const apart = k.add(k.matMul(z, weights), bias); // [G, B, M·C]
      const combined = k.matMul(k.mul(apart, shares), sum); // [G, B, M·C]
      const likely = k.softmax(k.reshape(k.add(combined, mask), rows)); // [G·B·M, C]
      const chosen = k.mul(likely, filled);
      return { weights: chosen, filling: k.matMul(k.reshape(chosen, together), table) };
    },
  };
}

/**
 * Per board: `shares` `[B, M·C]` of modality j in the distance to class c; `mask` `[B, M·C]` 0 where class c is a candidate
 * for m, very negative where not; `filled` `[B·M]` 1 where there is something to fill and something to fill it with.
 */
function candidates({ prototypes, size, present, quality }: CompensateInput) {
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

/** 1 at (j·C + c, m·C + c): sums over modalities, and hands every modality the sum. */
function sumOverModalities(modalities: number, classes: number): Float32Array {
  const columns = modalities * classes;
  const sum = new Float32Array(columns * columns);
  for (let row = 0; row < columns; row++) {
    for (let column = row % classes; column < columns; column += classes) sum[row * columns + column] = 1;
  }
  return sum;
}

/** `[M·C, M·d]` the prototypes, one block per modality. */
function blockDiagonal({ modalities, classes, dim, values, weight }: PrototypeSet): Float32Array {
  const blocks = new Float32Array(modalities * classes * modalities * dim);
  for (let row = 0; row < modalities * classes; row++) {
    if (!((weight[row] as number) > 0)) continue;
    const column = Math.floor(row / classes) * dim;
    blocks.set(values.subarray(row * dim, (row + 1) * dim), row * modalities * dim + column);
  }
  return blocks;
}
