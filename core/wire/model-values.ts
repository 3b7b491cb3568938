/** The change of each parameter group that an update carries, whichever way it travelled. */
import type { Quantized } from '../quant/affine.ts';
import { decodeCoded, decodeDense, joined } from '../quant/coded.ts';
import type { GroupShape } from './check-structure.ts';
import type { CodedModel, Update } from './update.ts';

export interface GroupValues {
  /** Index of the modality, or −1 for the fusion head. */
  readonly group: number;
  /** `[size]`, the group's tensors back to back. */
  readonly values: Float32Array;
}

/** What the decoder has to know of a layout (`core/model/params.ts`). */
export function groupShapes({
  groups,
}: {
  readonly groups: readonly { readonly group: number; readonly tensors: readonly { readonly size: number }[] }[];
}): readonly GroupShape[] {
  return groups.map(({ group, tensors }) => ({ group, sizes: tensors.map(({ size }) => size) }));
}

/**
 * What dense models have been decoded to, packed, as long as the model lives: an update's is looked at when it comes and again when the
 * round closes, and entropy decoding takes as long as all else that is done with it.
 */
const known = new WeakMap<CodedModel, readonly Quantized[]>();

/** The groups that travelled; null when a coded body does not hold what `layout` asks. Trusts the structure otherwise. */
export function groupValues(
  { model, coded }: Pick<Update, 'model' | 'coded'>,
  layout: readonly GroupShape[],
): readonly GroupValues[] | null {
  if (coded === null) return model.map(({ group, tensors }) => ({ group, values: joined(tensors) }));
  const shapes = coded.groups.map((group) => layout.find((shape) => shape.group === group) as GroupShape);
  const all = valuesOf(
    coded,
    shapes.flatMap((shape) => shape.sizes),
  );
  if (all === null) return null;
  let at = 0;
  return shapes.map(({ group, sizes }) => {
    const start = at;
    for (const size of sizes) at += size;
    return { group, values: all.slice(start, at) };
  });
}

/** @param sizes the same at every call for one model: its layout is that of the fleet */
function valuesOf(coded: CodedModel, sizes: readonly number[]): Float32Array | null {
  if (coded.sparse) return decodeCoded(coded, sizes);
  const vectors = known.get(coded) ?? decodeDense(coded, sizes);
  if (vectors === null) return null;
  known.set(coded, vectors);
  return joined(vectors);
}
