/**
 * The k largest values of a vector by magnitude, everything else 0. A kept value is ±(lo + code · step), step = (max − min) /
 * (2^(b−1) − 1) over the kept magnitudes: one of the b bits is the sign. With 1 bit all kept values have their mean magnitude.
 * What is left out is the business of error feedback (docs/algorithm.md §9).
 * Source: Aji, Heafield, EMNLP 2017; Stich et al., NeurIPS 2018 (top-k with memory); Sattler et al., 2019 (ternary, 1 bit).
 */
import type { Stochastic } from './affine.ts';

/** A sparse vector, quantized. The three arrays have one entry for each kept value. */
export interface Sparse {
  /** 1–8, the sign included. */
  readonly bits: number;
  /** Length of the vector that it stands for. */
  readonly length: number;
  /** Least magnitude, float32-exact, ≥ 0. */
  readonly lo: number;
  /** float32-exact, ≥ 0. */
  readonly step: number;
  /** Strictly ascending, each < length. */
  readonly positions: Uint32Array;
  /** 1 where the value is negative. */
  readonly negative: Uint8Array;
  /** Magnitudes, each in [0, 2^(bits − 1) − 1]. */
  readonly codes: Uint8Array;
}

/** Levels of a magnitude above the least. */
export function magnitudeLevels(bits: number): number {
  return 2 ** (bits - 1) - 1;
}

/**
 * Keeps the share's worth of `values` (not mutated), at least one, of equals the earlier. All must be finite.
 * @param share in (0, 1]
 * @param bits 1–8
 */
export function sparsify(values: Float32Array, share: number, bits: number, mode?: Stochastic): Sparse {
  if (!(Number.isInteger(bits) && bits >= 1 && bits <= 8)) throw new RangeError(`${bits} bits: 1 to 8 are possible`);
  const positions = largest(values, Math.min(values.length, Math.max(1, Math.round(share * values.length))));
  const magnitudes = Float32Array.from(positions, (at) => Math.abs(values[at] as number));
  const levels = magnitudeLevels(bits);
  const { lo, step } = scaleOf(magnitudes, levels);
  const random = mode?.stochastic;
  const codes = Uint8Array.from(magnitudes, (magnitude) => {
    if (step === 0) return 0;
    const scaled = (magnitude - lo) / step;
    return Math.min(levels, random ? Math.floor(scaled + random()) : Math.round(scaled));
  });
  const negative = Uint8Array.from(positions, (at) => ((values[at] as number) < 0 ? 1 : 0));
  return { bits, length: values.length, lo, step, positions, negative, codes };
}

/** The `[length]` values that `sparse` stands for, a new array. */
export function densify({ length, lo, step, positions, negative, codes }: Sparse): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < positions.length; i++) {
    const magnitude = lo + (codes[i] as number) * step;
    values[positions[i] as number] = negative[i] === 1 ? -magnitude : magnitude;
  }
  return values;
}

function scaleOf(magnitudes: Float32Array, levels: number): { lo: number; step: number } {
  if (magnitudes.length === 0) return { lo: 0, step: 0 };
  if (levels === 0) {
    const sum = magnitudes.reduce((total, magnitude) => total + magnitude, 0);
    return { lo: Math.fround(sum / magnitudes.length), step: 0 };
  }
  let lo = Infinity;
  let hi = 0;
  for (const magnitude of magnitudes) {
    lo = Math.min(lo, magnitude);
    hi = Math.max(hi, magnitude);
  }
  return { lo, step: Math.fround((hi - lo) / levels) };
}

/** Ascending positions of the `count` largest magnitudes. */
function largest(values: Float32Array, count: number): Uint32Array {
  const magnitudes = values.map(Math.abs);
  const { threshold, above } = nthLargest(magnitudes, count);
  const positions = new Uint32Array(count);
  let equals = count - above;
  let kept = 0;
  for (let at = 0; at < magnitudes.length; at++) {
    const magnitude = magnitudes[at] as number;
    if (magnitude > threshold || (magnitude === threshold && equals-- > 0)) positions[kept++] = at;
  }
  return positions;
}

/** Bits of a float32 below the first 12: sign, exponent and three of the mantissa. */
const BELOW_PREFIX = 20;

/**
 * The `count`-th largest of `magnitudes` (≥ 0), and how many are larger. Bits of floats that are not negative order as the floats
 * do: a histogram of their first bits leaves few to sort, several times faster than sorting all.
 */
function nthLargest(magnitudes: Float32Array, count: number): { threshold: number; above: number } {
  const bits = new Uint32Array(magnitudes.buffer, magnitudes.byteOffset, magnitudes.length);
  const histogram = new Uint32Array(2 ** (32 - BELOW_PREFIX));
  for (const pattern of bits) {
    const at = pattern >>> BELOW_PREFIX;
    histogram[at] = (histogram[at] as number) + 1;
  }
  let above = 0;
  let prefix = histogram.length - 1;
  while (prefix > 0 && above + (histogram[prefix] as number) < count) above += histogram[prefix--] as number;
  const candidates = magnitudes.filter((_, i) => (bits[i] as number) >>> BELOW_PREFIX === prefix).sort();
  const threshold = candidates[candidates.length - (count - above)] ?? 0;
  for (const candidate of candidates) if (candidate > threshold) above++;
  return { threshold, above };
}
