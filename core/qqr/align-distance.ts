/**
 * FedProto's alignment (Tan et al. 2022): the squared distance of an embedding to its class's global prototype,
 *   L = λ · Σ_m mean_i a_i,m · ‖z_i,m − P[m,y_i]‖² / d
 * Unlike PLR it knows no other classes, so nothing keeps prototypes apart. Kept as a baseline.
 * Shapes: G boards with B windows each, M modalities, embeddings of size d.
 */
import type { Kernels } from '../model/backend.ts';
import { type AlignInput, type Alignment, countsOf, gainOf } from './align.ts';
import { joined } from './stack.ts';

/** One input per board, all of one size. Null when no embedding counts. */
export function planAlignDistance(k: Kernels, inputs: readonly AlignInput[]): Alignment | null {
  const { prototypes, size } = inputs[0] as AlignInput;
  const { modalities, dim } = prototypes;
  const counts = joined(inputs.map(countsOf));
  if (!counts.includes(1)) return null;
  const rows = [inputs.length * size * modalities, dim];
  const targets = k.constant(joined(inputs.map(targetsOf)), rows);
  const gain = k.constant(
    gainOf(inputs, counts).map((value) => (2 * value) / dim),
    [rows[0] as number, 1],
  );
  const axis1 = k.integers([1], []);
  const flat = k.integers(rows, [2]);
  const together = k.integers([inputs.length, size, modalities * dim], [3]);
  return {
    counts,
    apply(z) {
      const apart = k.sub(k.reshape(z, flat), targets); // [G·B·M, d]
      const losses = k.mean(k.mul(apart, apart), axis1); // [G·B·M, 1]
      return { losses, gradient: k.reshape(k.mul(apart, gain), together) };
    },
  };
}

/** `[B·M, d]` the prototype of each window's class; zeros where there is none. */
function targetsOf({ prototypes, size, labels }: AlignInput): Float32Array {
  const { modalities, classes, dim, values, weight } = prototypes;
  const targets = new Float32Array(size * modalities * dim);
  for (let row = 0; row < size * modalities; row++) {
    const label = labels[Math.floor(row / modalities)] as number;
    const cell = (row % modalities) * classes + label;
    if (label < 0 || !((weight[cell] as number) > 0)) continue;
    targets.set(values.subarray(cell * dim, (cell + 1) * dim), row * dim);
  }
  return targets;
}
