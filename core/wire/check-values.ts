/**
 * The reals of an update, after its structure: finite → in range → delta not too long. Bounds and their reason: `limits.ts`.
 */

import type { ChannelSums } from '../qqr/normalization.ts';
import { boundsOf, dequantize, type Quantized } from '../quant/affine.ts';
import { type Refusal, refuse } from './frame.ts';
import { MAX_CHANNEL_SUM, MAX_LOSS_SUM, MAX_VALUE, SUM_RESOLUTION } from './limits.ts';
import type { Update } from './update.ts';

/** 'not-finite' when any real is NaN or infinite. */
export function checkFinite(update: Update): Refusal | null {
  if (!Number.isFinite(update.online.lossSum)) return refuse('not-finite', 'the sum of losses');
  for (const [m, { meanQuality, sums }] of update.modalities.entries()) {
    if (!Number.isFinite(meanQuality)) return refuse('not-finite', `modalities[${m}]: the mean quality`);
    if (sums !== null && ![...sums.sum, ...sums.sumSquares].every(Number.isFinite)) {
      return refuse('not-finite', `modalities[${m}]: a channel sum`);
    }
  }
  for (const { where, values } of quantizedParts(update)) {
    const { lo, hi } = boundsOf(values);
    if (!Number.isFinite(lo) || !Number.isFinite(hi)) return refuse('not-finite', where);
  }
  return null;
}

/** 'out-of-range' when a real is where no honest board's can be. */
export function checkRanges(update: Update): Refusal | null {
  if (update.online.lossSum < 0 || update.online.lossSum > MAX_LOSS_SUM)
    return refuse('out-of-range', 'the sum of losses');
  for (const [m, { meanQuality, sums }] of update.modalities.entries()) {
    if (meanQuality < 0 || meanQuality > 1)
      return refuse('out-of-range', `modalities[${m}]: mean quality ${meanQuality}`);
    if (sums !== null && !areExactSums(sums)) return refuse('out-of-range', `modalities[${m}]: a channel sum`);
  }
  for (const { where, values } of quantizedParts(update)) {
    if (values.bits !== 32 && !(values.step > 0)) return refuse('out-of-range', `${where}: step ${values.step}`);
    const { lo, hi } = boundsOf(values);
    if (Math.abs(lo) > MAX_VALUE || Math.abs(hi) > MAX_VALUE)
      return refuse('out-of-range', `${where}: a value beyond ±${MAX_VALUE}`);
  }
  return null;
}

/** 'norm-too-large' when the dequantized delta of all groups together is longer than `maxDeltaNorm`. */
export function checkNorm(update: Update, maxDeltaNorm: number): Refusal | null {
  let sum = 0;
  for (const { tensors } of update.model) {
    for (const tensor of tensors) for (const value of dequantize(tensor)) sum += value * value;
  }
  const norm = Math.sqrt(sum);
  return norm <= maxDeltaNorm
    ? null
    : refuse('norm-too-large', `delta of norm ${norm.toPrecision(4)}, at most ${maxDeltaNorm}`);
}

/** Every quantized vector of the update with a name for it. */
function* quantizedParts(update: Update): Generator<{ where: string; values: Quantized }> {
  for (const [m, { prototypes }] of update.modalities.entries()) {
    if (prototypes !== null) yield { where: `modalities[${m}].prototypes`, values: prototypes.values };
  }
  for (const { group, tensors } of update.model) {
    for (const [i, values] of tensors.entries()) yield { where: `group ${group}, tensor ${i}`, values };
  }
}

function areExactSums({ sum, sumSquares }: ChannelSums): boolean {
  const isExact = (value: number) => Math.abs(value) <= MAX_CHANNEL_SUM && Number.isInteger(value / SUM_RESOLUTION);
  return sum.every(isExact) && sumSquares.every((value) => value >= 0 && isExact(value));
}
