/**
 * The reals of an update, after its structure: finite → in range → the coded body can be read → delta not too long.
 * Bounds and their reason: `limits.ts`.
 */

import type { ChannelSums } from '../qqr/normalization.ts';
import { boundsOf, type Quantized } from '../quant/affine.ts';
import { boundsOfCoded } from '../quant/coded.ts';
import type { Asked } from './check-structure.ts';
import { type Refusal, refuse } from './frame.ts';
import { MAX_CHANNEL_SUM, MAX_LOSS_SUM, MAX_VALUE, SUM_RESOLUTION, type UpdateLimits } from './limits.ts';
import { groupValues } from './model-values.ts';
import type { CodedModel, Update } from './update.ts';

/** All of this file, in its order; the first fault of an update whose structure is sound, or null. */
export function checkValues(
  update: Update,
  expect: Pick<Asked, 'layout'> & { readonly limits: UpdateLimits },
): Refusal | null {
  return checkFinite(update) ?? checkRanges(update) ?? checkDelta(update, expect);
}

/** 'not-finite' when any real is NaN or infinite. */
function checkFinite(update: Update): Refusal | null {
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
  return update.coded?.scales.every(Number.isFinite) === false ? refuse('not-finite', 'a scale of the model') : null;
}

/** 'out-of-range' when a real is where no honest board's can be. */
function checkRanges(update: Update): Refusal | null {
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
  return update.coded === null ? null : checkScales(update.coded);
}

function checkScales(coded: CodedModel): Refusal | null {
  for (let i = 0; i < coded.scales.length; i += 2) {
    const [lo, step] = [coded.scales[i] as number, coded.scales[i + 1] as number];
    if (coded.sparse ? lo < 0 || step < 0 : step <= 0) return refuse('out-of-range', `scales ${lo} and ${step}`);
  }
  const { lo, hi } = boundsOfCoded(coded);
  return lo < -MAX_VALUE || hi > MAX_VALUE
    ? refuse('out-of-range', `the coded model: a value beyond ±${MAX_VALUE}`)
    : null;
}

/** 'malformed' when the coded model cannot be read, 'norm-too-large' when the delta of all groups together is longer than it may be. */
function checkDelta(
  update: Update,
  { layout, limits }: Pick<Asked, 'layout'> & { readonly limits: UpdateLimits },
): Refusal | null {
  const groups = groupValues(update, layout);
  if (groups === null) return refuse('malformed', 'the coded model does not end with its last value');
  let sum = 0;
  for (const { values } of groups) for (const value of values) sum += value * value;
  const norm = Math.sqrt(sum);
  return norm <= limits.maxDeltaNorm
    ? null
    : refuse('norm-too-large', `delta of norm ${norm.toPrecision(4)}, at most ${limits.maxDeltaNorm}`);
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
