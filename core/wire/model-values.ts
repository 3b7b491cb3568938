/** The change of each parameter group that an update carries, whichever way it travelled. */
import { dequantize, type Quantized } from '../quant/affine.ts';
import { decodeCoded } from '../quant/coded.ts';
import type { GroupShape } from './check-structure.ts';
import type { Update } from './update.ts';

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

/** The groups that travelled; null when a coded body does not hold what `layout` asks. Trusts the structure otherwise. */
export function groupValues(
  { model, coded }: Pick<Update, 'model' | 'coded'>,
  layout: readonly GroupShape[],
): readonly GroupValues[] | null {
  if (coded === null) return model.map(({ group, tensors }) => ({ group, values: joined(tensors) }));
  const shapes = coded.groups.map((group) => layout.find((known) => known.group === group) as GroupShape);
  const all = decodeCoded(
    coded,
    shapes.flatMap(({ sizes }) => sizes),
  );
  if (all === null) return null;
  let at = 0;
  return shapes.map(({ group, sizes }) => {
    const start = at;
    for (const size of sizes) at += size;
    return { group, values: all.slice(start, at) };
  });
}

function joined(tensors: readonly Quantized[]): Float32Array {
  const values = new Float32Array(tensors.reduce((sum, tensor) => sum + tensor.length, 0));
  let at = 0;
  for (const tensor of tensors) {
    values.set(dequantize(tensor), at);
    at += tensor.length;
  }
  return values;
}
