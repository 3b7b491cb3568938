/** Means over all predictions that a fleet made on its way, from the rounds' own means. */
import type { OnlineScore, RoundRecord } from '../../server/record.ts';

/**
 * Each round counts by its predictions. Records of older versions do not tell how many these were: where one of them is like that,
 * rounds count by their boards, which is the same as long as boards use as many windows and all of them are labelled.
 * NaN when nothing was predicted.
 */
export function onlineMean(records: readonly RoundRecord[], of: (score: OnlineScore) => number): number {
  const known = records.flatMap(({ online, devices }) => (online === null ? [] : [{ online, boards: devices.length }]));
  const isCounted = known.every(({ online }) => online.count !== undefined);
  let sum = 0;
  let total = 0;
  for (const { online, boards } of known) {
    const weight = isCounted ? (online.count as number) : boards;
    sum += of(online) * weight;
    total += weight;
  }
  return sum / total;
}
