/**
 * From the encoders' outputs to class logits, and back: layer norm without scale over each embedding, then the head
 * relu(z̃ · W₁ + b₁) · W₂ + b₂ on the concatenation of all modalities (docs/algorithm.md §2).
 * Layer norm: z = (u − ū) / √(mean (u − ū)² + ε), ε = 1e-5, biased variance, over the d values of one embedding.
 */
import type { Kernels, Tensor } from './backend.ts';

const EPSILON = Float32Array.of(1e-5);

export interface NormTape {
  /** `[N, d]` the output z. */
  readonly normed: Tensor;
  /** `[N, 1]` 1 / standard deviation. */
  readonly scale: Tensor;
}

/** Constants of the layer norm. */
export interface NormPlan {
  readonly axis1: Tensor;
  readonly epsilon: Tensor;
}

export function planNorm(k: Kernels): NormPlan {
  return { axis1: k.integers([1], []), epsilon: k.constant(EPSILON, []) };
}

/** Every row of `[N, d]` to mean 0 and variance 1. */
export function layerNorm(k: Kernels, plan: NormPlan, x: Tensor): NormTape {
  const centered = k.sub(x, k.mean(x, plan.axis1));
  const variance = k.mean(k.mul(centered, centered), plan.axis1);
  const scale = k.rsqrt(k.add(variance, plan.epsilon));
  return { normed: k.mul(centered, scale), scale };
}

/** (g − mean g − z · mean(g · z)) · scale, row by row. */
export function layerNormBackward(k: Kernels, plan: NormPlan, { normed, scale }: NormTape, gradient: Tensor): Tensor {
  const along = k.mul(normed, k.mean(k.mul(gradient, normed), plan.axis1));
  const constant = k.mean(gradient, plan.axis1);
  return k.mul(k.sub(k.sub(gradient, constant), along), scale);
}

export interface HeadTape {
  /** `[G, B, M·d]` */
  readonly joined: Tensor;
  /** `[G, B, h]` */
  readonly hidden: Tensor;
}

/** `params`: h1w `[G, M·d, h]`, h1b, h2w `[G, h, C]`, h2b. Logits `[G, B, C]`. */
export function headForward(
  k: Kernels,
  params: readonly Tensor[],
  joined: Tensor,
): { readonly logits: Tensor; readonly tape: HeadTape } {
  const [h1w, h1b, h2w, h2b] = params as [Tensor, Tensor, Tensor, Tensor];
  const hidden = k.relu(k.add(k.matMul(joined, h1w), h1b));
  return { logits: k.add(k.matMul(hidden, h2w), h2b), tape: { joined, hidden } };
}

/** Gradients of `params` in their order and of `joined` `[G, B, M·d]`, given the gradient `[G, B, C]` of the logits. */
export function headBackward(
  k: Kernels,
  axis1: Tensor,
  params: readonly Tensor[],
  { joined, hidden }: HeadTape,
  gradient: Tensor,
): { readonly gradients: Tensor[]; readonly ofJoined: Tensor } {
  const [h1w, , h2w] = params as [Tensor, Tensor, Tensor, Tensor];
  const ofHidden = k.reluGradient(k.matMulRightTransposed(gradient, h2w), hidden);
  return {
    gradients: [
      k.matMulLeftTransposed(joined, ofHidden),
      k.sumRows(ofHidden, axis1),
      k.matMulLeftTransposed(hidden, gradient),
      k.sumRows(gradient, axis1),
    ],
    ofJoined: k.matMulRightTransposed(ofHidden, h1w),
  };
}
