/**
 * The last few seconds of one modality, and the cutting of one window out of them.
 * Samples come in as blocks and are copied once; nothing is allocated per sample.
 * Indices: [head, scan) belongs to the running segment, [scan, tail) has arrived but is not yet in order with the other modalities.
 */
import { RATE_TOLERANCE, type WindowModality } from './align.ts';
import type { SampleBlock } from './event.ts';

/** A longer pause between two samples, in nominal periods, is a hole. */
export const HOLE_PERIODS = 1.5;
/** The sample after a window's last may not have come yet, so a hole at the end shows as silence of this many periods. */
const SILENT_END_PERIODS = 1.25;

export interface SampleTrack {
  readonly samples: number;
  readonly channels: number;
  readonly periodUs: number;
  /** Capacity ≥ tail; microseconds, strictly increasing. */
  tUs: Float64Array;
  /** `[capacity, channels]` */
  values: Float32Array;
  head: number;
  scan: number;
  tail: number;
  /** Time of the newest sample that arrived, −∞ before the first. */
  lastUs: number;
}

/** What one modality contributes to a window. */
export interface TrackCut {
  /** `[samples, channels]`, a new array; null when the modality has a hole in the window. */
  readonly values: Float32Array | null;
  /** Samples received over samples expected, at most 1, and below 1 when `values` is null. */
  readonly completeness: number;
  /** The sensor's clock gave another number of samples: they were interpolated onto the nominal grid. */
  readonly resampled: boolean;
}

export const ABSENT: TrackCut = { values: null, completeness: 0, resampled: false };

export function createSampleTrack(spec: WindowModality): SampleTrack {
  const capacity = 4 * spec.samples;
  return {
    samples: spec.samples,
    channels: spec.channels.length,
    periodUs: 1e6 / spec.sampleRateHz,
    tUs: new Float64Array(capacity),
    values: new Float32Array(capacity * spec.channels.length),
    head: 0,
    scan: 0,
    tail: 0,
    lastUs: Number.NEGATIVE_INFINITY,
  };
}

/**
 * Copies the samples of `block` that are newer than both `afterUs` and everything in the track; returns how many were too old.
 * @param keepFromUs what lies before it is no longer needed, but for the one sample that precedes it
 */
export function appendBlock(track: SampleTrack, block: SampleBlock, afterUs: number, keepFromUs: number): number {
  const { tUs, values } = block;
  const oldest = Math.max(afterUs, track.lastUs);
  let from = 0;
  while (from < tUs.length && (tUs[from] as number) <= oldest) from++;
  const added = tUs.length - from;
  if (added === 0) return from;
  reserve(track, added, keepFromUs);
  track.tUs.set(from === 0 ? tUs : tUs.subarray(from), track.tail);
  track.values.set(from === 0 ? values : values.subarray(from * track.channels), track.tail * track.channels);
  track.tail += added;
  track.lastUs = tUs[tUs.length - 1] as number;
  return from;
}

/** Index of the first sample of the segment at or after `tUs`; `scan` when there is none. */
function firstAtOrAfter(track: SampleTrack, tUs: number): number {
  let low = track.head;
  let high = track.scan;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((track.tUs[middle] as number) < tUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function reserve(track: SampleTrack, added: number, keepFromUs: number): void {
  if (track.tail + added <= track.tUs.length) return;
  const from = Math.max(track.head, firstAtOrAfter(track, keepFromUs) - 1);
  const kept = track.tail - from;
  const capacity = Math.max(track.tUs.length, 2 * (kept + added));
  const tUs = capacity === track.tUs.length ? track.tUs : new Float64Array(capacity);
  const values = capacity === track.tUs.length ? track.values : new Float32Array(capacity * track.channels);
  tUs.set(track.tUs.subarray(from, track.tail));
  values.set(track.values.subarray(from * track.channels, track.tail * track.channels));
  track.tUs = tUs;
  track.values = values;
  track.head = 0;
  track.scan -= from;
  track.tail = kept;
}

/**
 * The window [startUs, startUs + lengthUs), moved half a period back so that a sample on the start belongs to it for certain.
 * Exactly T samples without a hole are taken as they are. Up to 10 % (or one sample) more or fewer without a hole mean that the
 * sensor's oscillator is off, and are interpolated linearly onto the nominal times. Anything else is a modality that is not there.
 */
export function cutTrack(track: SampleTrack, startUs: number, lengthUs: number): TrackCut {
  const half = track.periodUs / 2;
  const endUs = startUs + lengthUs - half;
  const from = firstAtOrAfter(track, startUs - half);
  const to = firstAtOrAfter(track, endUs);
  const received = to - from;
  if (received === 0) return ABSENT;
  const excess = Math.abs(received - track.samples);
  if (excess > Math.max(1, RATE_TOLERANCE * track.samples) || hasHole(track, from, to, startUs, endUs)) {
    const completeness = Math.min(received, track.samples - 1) / track.samples;
    return { values: null, completeness, resampled: false };
  }
  const completeness = Math.min(1, received / track.samples);
  if (excess === 0) {
    const values = track.values.slice(from * track.channels, to * track.channels);
    return { values, completeness, resampled: false };
  }
  return { values: resample(track, from, to, startUs), completeness, resampled: true };
}

function hasHole(track: SampleTrack, from: number, to: number, startUs: number, endUs: number): boolean {
  const { tUs, periodUs } = track;
  const longest = HOLE_PERIODS * periodUs;
  const first = tUs[from] as number;
  if (first - startUs > periodUs / 2) {
    const silence = from > track.head ? first - (tUs[from - 1] as number) : first - startUs + periodUs / 2;
    if (silence > longest) return true;
  }
  for (let i = from + 1; i < to; i++) {
    if ((tUs[i] as number) - (tUs[i - 1] as number) > longest) return true;
  }
  return endUs - (tUs[to - 1] as number) > SILENT_END_PERIODS * periodUs;
}

/** Linear interpolation between neighbours at startUs + i·period; before the first and after the last sample it holds (< 1.25 periods). */
function resample(track: SampleTrack, from: number, to: number, startUs: number): Float32Array {
  const { samples, channels, periodUs, tUs, values } = track;
  const out = new Float32Array(samples * channels);
  let right = from;
  for (let i = 0; i < samples; i++) {
    const at = startUs + i * periodUs;
    while (right < to - 1 && (tUs[right] as number) < at) right++;
    const left = Math.max(from, right - 1);
    const span = (tUs[right] as number) - (tUs[left] as number);
    const share = span === 0 ? 0 : Math.min(1, Math.max(0, (at - (tUs[left] as number)) / span));
    for (let c = 0; c < channels; c++) {
      const before = values[left * channels + c] as number;
      const after = values[right * channels + c] as number;
      out[i * channels + c] = before + share * (after - before);
    }
  }
  return out;
}
