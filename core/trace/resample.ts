/**
 * A modality at another rate, for a model that wants one: samples at multiples of the new period, each the mean of the recorded motion
 * over one new period (piecewise linear between samples), which keeps what is slower and damps what the new rate could not show. Going up,
 * samples lie on the line between two recorded ones. Over a hole nothing is made: there is a gap in the result, too.
 */
import type { RecordedModality, Recording } from './recording.ts';

/** A longer pause between two samples, in recorded periods, is a hole, as for the windower. */
const HOLE_PERIODS = 1.5;

/** Every modality at `sampleRateHz`; one that has it already stays as it is. */
export function resampled(recording: Recording, sampleRateHz: number): Recording {
  return { ...recording, modalities: recording.modalities.map((modality) => atRate(modality, sampleRateHz)) };
}

function atRate(modality: RecordedModality, sampleRateHz: number): RecordedModality {
  if (modality.sampleRateHz === sampleRateHz) return modality;
  const tUs: number[] = [];
  const values: number[] = [];
  for (const [from, to] of stretchesOf(modality)) addStretch(modality, from, to, sampleRateHz, tUs, values);
  return { ...modality, sampleRateHz, tUs: Float64Array.from(tUs), values: Float32Array.from(values) };
}

/** Runs of samples without a hole, as [first, behind the last). */
function* stretchesOf({ tUs, sampleRateHz }: RecordedModality): Generator<[number, number]> {
  const longestUs = (HOLE_PERIODS * 1e6) / sampleRateHz;
  let from = 0;
  for (let i = 1; i <= tUs.length; i++) {
    if (i < tUs.length && (tUs[i] as number) - (tUs[i - 1] as number) <= longestUs) continue;
    if (i > from) yield [from, i];
    from = i;
  }
}

function addStretch(
  modality: RecordedModality,
  from: number,
  to: number,
  sampleRateHz: number,
  tUs: number[],
  values: number[],
): void {
  const firstUs = modality.tUs[from] as number;
  const lastUs = modality.tUs[to - 1] as number;
  const periodUs = 1e6 / sampleRateHz;
  const halfUs = sampleRateHz < modality.sampleRateHz ? periodUs / 2 : 0;
  const width = modality.channels.length;
  for (let k = Math.ceil(firstUs / periodUs); Math.round(k * periodUs) <= lastUs; k++) {
    const atUs = Math.round(k * periodUs);
    const [beginUs, endUs] = [Math.max(firstUs, atUs - halfUs), Math.min(lastUs, atUs + halfUs)];
    tUs.push(atUs);
    for (let c = 0; c < width; c++) values.push(meanOver(modality, from, to, c, beginUs, endUs));
  }
}

/** Mean of channel `c` over [beginUs, endUs], its value there when the two are equal. */
function meanOver(
  modality: RecordedModality,
  from: number,
  to: number,
  c: number,
  beginUs: number,
  endUs: number,
): number {
  const { tUs, values, channels } = modality;
  const valueAt = (i: number) => values[i * channels.length + c] as number;
  let i = lastAtOrBefore(tUs, from, to, beginUs);
  const between = (atUs: number, left: number) => {
    const [a, b] = [tUs[left] as number, tUs[Math.min(left + 1, to - 1)] as number];
    return b <= a ? valueAt(left) : valueAt(left) + ((atUs - a) / (b - a)) * (valueAt(left + 1) - valueAt(left));
  };
  if (endUs <= beginUs) return between(beginUs, i);
  let area = 0;
  let atUs = beginUs;
  let value = between(beginUs, i);
  while (atUs < endUs) {
    const nextUs = Math.min(endUs, i + 1 < to ? (tUs[i + 1] as number) : endUs);
    const next = between(nextUs, i);
    area += ((value + next) / 2) * (nextUs - atUs);
    [atUs, value] = [nextUs, next];
    i++;
  }
  return area / (endUs - beginUs);
}

function lastAtOrBefore(tUs: Float64Array, from: number, to: number, atUs: number): number {
  let [low, high] = [from, to - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tUs[middle] as number) <= atUs) low = middle;
    else high = middle - 1;
  }
  return low;
}
