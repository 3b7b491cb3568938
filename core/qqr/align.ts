/**
 * PLR: pull every embedding towards its class's global prototype of its own modality, away from the others (docs/algorithm.md §5, form ours):
 *   L_PLR = λ · Σ_m mean_i a_i,m · CE( softmax_c(−‖z_i,m − P[m,c]‖² / (d·τ)), y_i )
 * Classes without a prototype are no candidates; windows whose own class has none do not count. The mean is over the board's
 * labelled windows and modalities add up. Gradient: with l = z·W + b of `prototype-logits.ts`, ∂CE/∂z = (softmax(l) − 1_y) · Wᵀ.
 * Shapes: G boards with B windows each, M modalities, C classes, embeddings of size d.
 */
import type { Kernels, Tensor } from '../model/backend.ts';
import type { PrototypeSet } from './prototype.ts';
import { knownPrototypes, prototypeLogits } from './prototype-logits.ts';
import { joined } from './stack.ts';

export interface AlignInput {
  /** The board's view of the global prototypes. */
  readonly prototypes: PrototypeSet;
  /** B */
  readonly size: number;
  /** `[B, M]` 0 or 1. */
  readonly present: Float32Array;
  /** `[B]` class index, −1 where unknown. */
  readonly labels: Int32Array;
  /** Multiplies the gradient of the board's plain sum of losses: λ times step size over labelled windows, for example. */
  readonly gain: number;
}

/** A loss on the embeddings themselves, planned for one batch of all boards under fixed prototypes. */
export interface Alignment {
  /** `[G·B·M]` 1 where an embedding counts: modality present, label known, prototype of its class known. */
  readonly counts: Float32Array;
  /** `z` `[G, B, M·d]`. Returns the losses `[G·B·M]`, where they do not count included, and the gradient `[G, B, M·d]` times `gain`. */
  apply(z: Tensor): { readonly losses: Tensor; readonly gradient: Tensor };
}

/** One input per board, all of one size. Null when no embedding counts. */
export function planAlign(k: Kernels, inputs: readonly AlignInput[], temperature: number): Alignment | null {
  const { prototypes, size } = inputs[0] as AlignInput;
  const { modalities, classes, dim } = prototypes;
  const counts = joined(inputs.map(countsOf));
  if (!counts.includes(1)) return null;
  const groups = inputs.length;
  const logits = inputs.map((input) => prototypeLogits(input.prototypes, temperature));
  const weights = k.constant(joined(logits.map((of) => of.weights)), [groups, modalities * dim, modalities * classes]);
  const bias = k.constant(joined(logits.map((of) => of.bias)), [groups, 1, modalities * classes]);
  const targets = k.constant(joined(inputs.map(targetsOf)), [groups * size * modalities, classes]);
  const gain = k.constant(gainOf(inputs, counts), [groups * size * modalities, 1]);
  const rows = k.integers([groups * size * modalities, classes], [2]);
  const together = k.integers([groups, size, modalities * classes], [3]);
  return {
    counts,
    apply(z) {
      const scores = k.reshape(k.add(k.matMul(z, weights), bias), rows); // [G·B·M, C]
      const { losses, gradient } = k.softmaxCrossEntropy(scores, targets);
      const counted = k.reshape(k.mul(gradient, gain), together); // [G, B, M·C]
      return { losses, gradient: k.matMulRightTransposed(counted, weights) };
    },
  };
}

/** `[B·M]` of one board. */
export function countsOf({ prototypes, size, present, labels }: AlignInput): Float32Array {
  const { modalities, classes } = prototypes;
  const known = knownPrototypes(prototypes);
  return present.subarray(0, size * modalities).map((isPresent, row) => {
    const label = labels[Math.floor(row / modalities)] as number;
    return label < 0 ? 0 : isPresent * (known[(row % modalities) * classes + label] as number);
  });
}

/** `[G·B·M]` each board's gain where an embedding counts. */
export function gainOf(inputs: readonly AlignInput[], counts: Float32Array): Float32Array {
  const each = counts.length / inputs.length;
  return counts.map((count, i) => count * (inputs[Math.floor(i / each)] as AlignInput).gain);
}

/** `[B·M, C]` one-hot labels of one board; zeros where the label is unknown. */
function targetsOf({ prototypes: { modalities, classes }, size, labels }: AlignInput): Float32Array {
  const targets = new Float32Array(size * modalities * classes);
  for (let row = 0; row < size * modalities; row++) {
    const label = labels[Math.floor(row / modalities)] as number;
    if (label >= 0) targets[row * classes + label] = 1;
  }
  return targets;
}
