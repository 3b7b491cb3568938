/**
 * What a window's signal says about its sensor (docs/algorithm.md §10), computed on the window alone.
 * With x the samples of one axis, d = Δx, d² = Δ²x:
 *   variance      ln(mean AC power + 1e-4)             flat     share of |d| < 1e-5, worst axis
 *   clip          share of samples at the window's own rail, worst axis
 *   highFrequency ln(mean d²² / (6·variance) + 1e-4)   noise    ln(median |d²| / (0.6745·√6) + 1e-4), mean over axes
 *   jump          ln(max |d| / (median |d| + 1e-2)), worst axis
 *   offset        ln(|mean|), worst axis               ramp     ln(|mean of last quarter − mean of first|), worst axis
 *   held          longest run in which no axis changes, as a share of the window
 *   level         ln(| |mean vector| − rest |), where rest is gravity for an accelerometer and 0 for anything else
 * Two are known only while the sensor lies still (both its power and its noise floor are small), and are NaN otherwise:
 *   gravity       | |mean acceleration| − gravity |     bias     |mean angular rate|
 * `tilt` needs two modalities (`measure-tilt.ts`) and is NaN here.
 * The constants suit signals of order 1, so values are divided by the unit's scale first: 1 g, 1 rad/s.
 */
import { medianInPlace } from '../math/stats.ts';

/** Position of each measure in a vector of measures. */
export const MEASURES = {
  variance: 0,
  flat: 1,
  clip: 2,
  highFrequency: 3,
  noise: 4,
  jump: 5,
  offset: 6,
  ramp: 7,
  held: 8,
  level: 9,
  gravity: 10,
  bias: 11,
  tilt: 12,
} as const;

export type MeasureName = keyof typeof MEASURES;

export const MEASURE_NAMES = Object.keys(MEASURES) as readonly MeasureName[];

/** Physical size of "1" per unit, and the length of the mean vector of a sensor at rest; 1 and 0 for a unit that is not listed. */
const UNITS: Readonly<Record<string, { readonly scale: number; readonly rest: number }>> = {
  mps2: { scale: 9.80665, rest: 1 },
  radps: { scale: 1, rest: 0 },
  uT: { scale: 50, rest: 1 },
};

/** Physical size of "1" of a unit. */
export function scaleOf(unit: string): number {
  return UNITS[unit]?.scale ?? 1;
}

/** Measures of the power and of the noise floor below which a sensor lies still: 0.02 g or rad/s of movement, 0.007 of noise. */
const STILL = { variance: -8, noise: -5 } as const;

/** Whether these measures are those of a sensor that does not move. */
export function liesStill(measures: Float32Array): boolean {
  return (measures[MEASURES.variance] as number) < STILL.variance && (measures[MEASURES.noise] as number) < STILL.noise;
}

/** What one axis contributes, before logarithms. */
interface AxisMeasures {
  mean: number;
  power: number;
  flat: number;
  clip: number;
  curvature: number;
  noise: number;
  jump: number;
  ramp: number;
}

/**
 * Measures of one modality's window, indexed by `MEASURES`.
 * @param values `[T, channels]` row-major in physical units, T ≥ 4, finite; not changed
 * @param unit `mps2`, `radps`, …
 */
export function measure(values: Float32Array, channels: number, unit: string): Float32Array {
  const { scale, rest } = UNITS[unit] ?? { scale: 1, rest: 0 };
  const samples = values.length / channels;
  const axis = new Float64Array(samples);
  const scratch = new Float64Array(samples);
  let [power, curvature, noise, squaredMean] = [0, 0, 0, 0];
  let [flat, clip, jump, offset, ramp] = [0, 0, 0, 0, 0];
  for (let c = 0; c < channels; c++) {
    for (let t = 0; t < samples; t++) axis[t] = (values[t * channels + c] as number) / scale;
    const of = measureAxis(axis, scratch);
    power += of.power / channels;
    curvature += of.curvature / channels;
    noise += of.noise / channels;
    squaredMean += of.mean * of.mean;
    flat = Math.max(flat, of.flat);
    clip = Math.max(clip, of.clip);
    jump = Math.max(jump, of.jump);
    offset = Math.max(offset, Math.abs(of.mean));
    ramp = Math.max(ramp, Math.abs(of.ramp));
  }
  const out = new Float32Array(MEASURE_NAMES.length);
  out[MEASURES.variance] = Math.log(power + 1e-4);
  out[MEASURES.flat] = flat;
  out[MEASURES.clip] = clip;
  out[MEASURES.highFrequency] = Math.log(curvature / (6 * power + 1e-4) + 1e-4);
  out[MEASURES.noise] = Math.log(noise + 1e-4);
  out[MEASURES.jump] = Math.log(jump + 1e-2);
  out[MEASURES.offset] = Math.log(offset + 1e-2);
  out[MEASURES.ramp] = Math.log(ramp + 1e-2);
  out[MEASURES.held] = longestHeld(values, channels) / samples;
  const level = Math.abs(Math.sqrt(squaredMean) - rest);
  out[MEASURES.level] = Math.log(level + 1e-2);
  const still = liesStill(out);
  out[MEASURES.gravity] = still && unit === 'mps2' ? level : Number.NaN;
  out[MEASURES.bias] = still && unit === 'radps' ? level : Number.NaN;
  out[MEASURES.tilt] = Number.NaN;
  return out;
}

function measureAxis(axis: Float64Array, scratch: Float64Array): AxisMeasures {
  const { length } = axis;
  const { mean, power, clip } = level(axis);
  let flat = 0;
  let steepest = 0;
  for (let t = 1; t < length; t++) {
    const step = Math.abs((axis[t] as number) - (axis[t - 1] as number));
    scratch[t - 1] = step;
    if (step < 1e-5) flat++;
    if (step > steepest) steepest = step;
  }
  const jump = steepest / (medianInPlace(scratch.subarray(0, length - 1)) + 1e-2);
  let curvature = 0;
  for (let t = 2; t < length; t++) {
    const bend = (axis[t] as number) - 2 * (axis[t - 1] as number) + (axis[t - 2] as number);
    curvature += bend * bend;
    scratch[t - 2] = Math.abs(bend);
  }
  // 0.6745·√6: the median of |d²| of white noise is 0.6745·√6 times its standard deviation.
  const noise = medianInPlace(scratch.subarray(0, length - 2)) / (0.6745 * Math.sqrt(6));
  flat /= length - 1;
  curvature /= length - 2;
  return { mean, power, clip, flat, jump, curvature, noise, ramp: rampOf(axis) };
}

/** Mean, power around it, and the share of samples at the highest or the lowest value. */
function level(axis: Float64Array): { mean: number; power: number; clip: number } {
  let sum = 0;
  let highest = Number.NEGATIVE_INFINITY;
  let lowest = Number.POSITIVE_INFINITY;
  for (const value of axis) {
    sum += value;
    if (value > highest) highest = value;
    if (value < lowest) lowest = value;
  }
  const mean = sum / axis.length;
  const near = 1e-4 * (highest - lowest + 1e-6);
  let power = 0;
  let atHighest = 0;
  let atLowest = 0;
  for (const value of axis) {
    power += (value - mean) * (value - mean);
    if (highest - value < near) atHighest++;
    if (value - lowest < near) atLowest++;
  }
  return { mean, power: power / axis.length, clip: Math.max(atHighest, atLowest) / axis.length };
}

function rampOf(axis: Float64Array): number {
  const quarter = axis.length >> 2;
  let rise = 0;
  for (let t = 0; t < quarter; t++) rise += (axis[axis.length - 1 - t] as number) - (axis[t] as number);
  return rise / quarter;
}

/** Samples in the longest run that repeats one reading; 0 when no reading is repeated. */
function longestHeld(values: Float32Array, channels: number): number {
  let longest = 0;
  let run = 1;
  for (let at = channels; at < values.length; at += channels) {
    let isHeld = true;
    for (let c = 0; isHeld && c < channels; c++) isHeld = values[at + c] === values[at + c - channels];
    run = isHeld ? run + 1 : 1;
    if (run > 1 && run > longest) longest = run;
  }
  return longest;
}
