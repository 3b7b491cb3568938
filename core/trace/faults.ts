/**
 * Sensor faults on a window (or a longer stretch) of one modality, by severity in [0, 1]. σ is an axis's AC standard deviation:
 *   noise  white noise at a signal-to-noise ratio of 20 … −5 dB against σ
 *   clip   values limited to 1.0 … 0.1 σ around the axis's median
 *   stuck  from 60 … 0 % of the stretch on, the reading repeats
 *   drift  a bias plus a ramp of 0.5 … 4 σ each, signs drawn per axis
 *   burst  2–5 stretches, 20 … 80 % of the samples in all (they may overlap), read 0, as from a bus that answers with empty registers
 * Source: docs/algorithm.md §1, quality imbalance.
 */

import type { Rng } from '../math/rng.ts';
import { median } from '../math/stats.ts';
import type { Window } from '../stream/window.ts';

export const FAULT_KINDS = ['noise', 'clip', 'stuck', 'drift', 'burst'] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** [0, 1] */
  readonly severity: number;
}

/** `[T]` one axis of a stretch; the functions below change it in place. */
type Axis = Float32Array;

/**
 * A new `[T, channels]` array with the fault in it.
 * @param acStd `[channels]` σ in the unit of `values`
 */
export function applyFault(
  values: Float32Array,
  channels: number,
  { kind, severity }: Fault,
  acStd: Float32Array,
  rng: Rng,
): Float32Array {
  const axes = Array.from({ length: channels }, (_, c) => axisOf(values, channels, c));
  if (kind === 'burst') emptyReads(axes, severity, rng);
  axes.forEach((axis, c) => {
    const sigma = acStd[c] as number;
    if (kind === 'noise') addNoise(axis, sigma * 10 ** ((25 * severity - 20) / 20), rng);
    else if (kind === 'clip') clip(axis, (1 - 0.9 * severity) * sigma);
    else if (kind === 'stuck') hold(axis, Math.floor(0.6 * (1 - severity) * axis.length));
    else if (kind === 'drift') drift(axis, (0.5 + 3.5 * severity) * sigma, rng);
  });
  const out = new Float32Array(values.length);
  axes.forEach((axis, c) => {
    for (let t = 0; t < axis.length; t++) out[t * channels + c] = axis[t] as number;
  });
  return out;
}

function axisOf(values: Float32Array, channels: number, c: number): Axis {
  const axis = new Float32Array(values.length / channels);
  for (let t = 0; t < axis.length; t++) axis[t] = values[t * channels + c] as number;
  return axis;
}

/** A kind drawn uniformly from `kinds`, its severity uniformly from [lowest, highest]. */
export function drawFault(kinds: readonly FaultKind[], [lowest, highest]: readonly [number, number], rng: Rng): Fault {
  const kind = kinds[rng.int(kinds.length)] as FaultKind;
  return { kind, severity: lowest + (highest - lowest) * rng.next() };
}

/**
 * Per modality and channel the root of the mean power within windows around each window's own mean, in physical units.
 * NaN for a modality that no window has.
 * @param channels per modality
 */
export function acStdOf(windows: readonly Pick<Window, 'values'>[], channels: readonly number[]): Float32Array[] {
  return channels.map((width, m) => {
    const power = new Float64Array(width);
    let count = 0;
    for (const { values } of windows) {
      const of = values[m];
      if (of === null || of === undefined) continue;
      count++;
      for (let c = 0; c < width; c++) power[c] = (power[c] as number) + axisPower(of, width, c);
    }
    return Float32Array.from(power, (sum) => Math.sqrt(sum / count));
  });
}

function axisPower(values: Float32Array, channels: number, c: number): number {
  let sum = 0;
  let squares = 0;
  for (let i = c; i < values.length; i += channels) sum += values[i] as number;
  const samples = values.length / channels;
  const mean = sum / samples;
  for (let i = c; i < values.length; i += channels) squares += ((values[i] as number) - mean) ** 2;
  return squares / samples;
}

function addNoise(axis: Axis, sigma: number, rng: Rng): void {
  for (let t = 0; t < axis.length; t++) axis[t] = (axis[t] as number) + sigma * rng.normal();
}

function clip(axis: Axis, limit: number): void {
  const center = median(axis);
  for (let t = 0; t < axis.length; t++) {
    axis[t] = Math.min(center + limit, Math.max(center - limit, axis[t] as number));
  }
}

function hold(axis: Axis, from: number): void {
  axis.fill(axis[from] as number, from);
}

function drift(axis: Axis, size: number, rng: Rng): void {
  const bias = rng.next() < 0.5 ? -size : size;
  const ramp = rng.next() < 0.5 ? -size : size;
  for (let t = 0; t < axis.length; t++)
    axis[t] = (axis[t] as number) + bias + (ramp * t) / Math.max(1, axis.length - 1);
}

function emptyReads(axes: readonly Axis[], severity: number, rng: Rng): void {
  const samples = axes[0]?.length ?? 0;
  const lost = Math.floor((0.2 + 0.6 * severity) * samples);
  const bursts = 2 + rng.int(4);
  const length = Math.max(1, Math.floor(lost / bursts));
  for (let burst = 0; burst < bursts; burst++) {
    const from = rng.int(samples - length + 1);
    for (const axis of axes) axis.fill(0, from, from + length);
  }
}
