/**
 * The compressed model delta Δ = W_local − W_broadcast: each tensor quantized for itself, with error feedback,
 * so that what one round's codes leave out travels in a later one (docs/algorithm.md §7, bits).
 * Invariant: residual_next = (Δ + residual) − dequantized for groups that travel; untouched for groups that do not.
 */
import type { ParamLayout } from '../../core/model/params.ts';
import { quantizeWithFeedback } from '../../core/quant/feedback.ts';
import type { GroupDelta } from '../../core/wire/update.ts';

export interface CompressedDelta {
  readonly groups: readonly GroupDelta[];
  /** `[total]` what is still owed to the aggregator. */
  readonly residual: Float32Array;
}

/**
 * @param trained `[total]` parameters after local training
 * @param broadcast `[total]` parameters it started from
 * @param residual `[total]` of the round before; all zeros at first
 * @param bits 1–8, or 32 for float32
 * @param travels whether a group (modality index, −1 for the head) is sent this round
 */
export function compressDelta(
  layout: ParamLayout,
  trained: Float32Array,
  broadcast: Float32Array,
  residual: Float32Array,
  bits: number,
  travels: (group: number) => boolean,
): CompressedDelta {
  const next = residual.slice();
  const groups = layout.groups
    .filter(({ group }) => travels(group))
    .map(({ group, tensors }) => ({
      group,
      tensors: tensors.map(({ offset, size }) => {
        const delta = trained.slice(offset, offset + size);
        for (let i = 0; i < size; i++) delta[i] = (delta[i] as number) - (broadcast[offset + i] as number);
        const sent = quantizeWithFeedback(delta, residual.subarray(offset, offset + size), bits);
        next.set(sent.residual, offset);
        return sent.quantized;
      }),
    }));
  return { groups, residual: next };
}
