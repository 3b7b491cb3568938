/**
 * PLR: pull every embedding towards its class's global prototype of its own modality, away from the others (docs/algorithm.md §5, form ours):
 *   L_PLR = λ · Σ_m mean_i a_i,m · CE( softmax_c(−‖z_i,m − P[m,c]‖² / (d·τ)), y_i )
 * Classes without a prototype are no candidates; windows whose own class has none do not count. The mean is over all B windows
 * and modalities add up. Gradient: with l = z·W + b of `prototype-logits.ts`, ∂CE/∂z = (softmax(l) − 1_y) · Wᵀ.
 * Shapes: B windows, M modalities, C classes, embeddings of size d.
 */
import type { Kernels, Tensor } from '../model/backend.ts';
import type { PrototypeSet } from './prototype.ts';
import { knownPrototypes, prototypeLogits } from './prototype-logits.ts';

export interface AlignInput {
  /** B */
  readonly size: number;
  /** `[B, M]` 0 or 1. */
  readonly present: Float32Array;
  /** `[B]` class index, each ≥ 0. */
  readonly labels: Int32Array;
}

/** Constants of one batch under one set of prototypes. */
export interface AlignPlan {
  /** `[B·M]` 1 where an embedding counts: modality present, prototype of its class known. */
  readonly counts: Float32Array;
  /** `[B·M, 1]` `counts` times what the gradient is multiplied with. */
  readonly gain: Tensor;
  /** `[M·d, M·C]` and `[M·C]` */
  readonly weights: Tensor;
  readonly bias: Tensor;
  /** `[B·M, C]` one-hot labels. */
  readonly targets: Tensor;
  /** The shapes `[B·M, C]` and `[B, M·C]`. */
  readonly rows: Tensor;
  readonly joined: Tensor;
}

/** Null when no embedding counts. `gain` multiplies the gradient of the plain sum: λ/B times the step size, for example. */
export function planAlign(
  k: Kernels,
  prototypes: PrototypeSet,
  { size, present, labels }: AlignInput,
  temperature: number,
  gain: number,
): AlignPlan | null {
  const { modalities, classes, dim } = prototypes;
  const known = knownPrototypes(prototypes);
  const counts = new Float32Array(size * modalities);
  const targets = new Float32Array(size * modalities * classes);
  for (let b = 0; b < size; b++) {
    const label = labels[b] as number;
    for (let m = 0; m < modalities; m++) {
      const row = b * modalities + m;
      targets[row * classes + label] = 1;
      counts[row] = (present[row] as number) * (known[m * classes + label] as number);
    }
  }
  if (!counts.some((count) => count > 0)) return null;
  const { weights, bias } = prototypeLogits(prototypes, temperature);
  return {
    counts,
    gain: k.constant(
      counts.map((count) => count * gain),
      [size * modalities, 1],
    ),
    weights: k.constant(weights, [modalities * dim, modalities * classes]),
    bias: k.constant(bias, [modalities * classes]),
    targets: k.constant(targets, [size * modalities, classes]),
    rows: k.integers([size * modalities, classes], [2]),
    joined: k.integers([size, modalities * classes], [2]),
  };
}

/** `z` `[B, M·d]`. Returns the losses `[B·M]`, where they do not count included, and the gradient `[B, M·d]` times `gain`. */
export function align(k: Kernels, plan: AlignPlan, z: Tensor): { readonly losses: Tensor; readonly gradient: Tensor } {
  const logits = k.reshape(k.biasAdd(k.matMul(z, plan.weights), plan.bias), plan.rows); // [B·M, C]
  const { losses, gradient } = k.softmaxCrossEntropy(logits, plan.targets);
  const counted = k.reshape(k.mul(gradient, plan.gain), plan.joined); // [B, M·C]
  return { losses, gradient: k.matMulRightTransposed(counted, plan.weights) };
}
