/**
 * Uniform affine quantization of a vector to b bits (docs/algorithm.md §9):
 *   lo = min v, step = max(max v − lo, 1e-12) / (2^b − 1), code = round((v − lo) / step), value = lo + code · step.
 * `bits` 32 stands for float32 unquantized.
 * Codes are computed in float32 with ties to even, as PyTorch does. lo and step are float32 before any code is computed and
 * value = float32(lo + code · step) from one double expression: board and aggregator dequantize to the same bits.
 */
import { pack, unpack } from './pack.ts';
import { packFloat32, unpackFloat32 } from './raw.ts';

/** A quantized vector as it travels. */
export interface Quantized {
  /** 1–8, or 32. */
  readonly bits: number;
  /** Number of values. */
  readonly length: number;
  /** float32-exact; 0 when bits is 32. */
  readonly lo: number;
  /** float32-exact, > 0; 0 when bits is 32. */
  readonly step: number;
  /** Packed codes, `ceil(length · bits / 8)` bytes, least significant bits first (bits 32: float32 little-endian). */
  readonly packed: Uint8Array;
}

/** Stochastic rounding: up with the probability of the fraction. */
export interface Stochastic {
  /** Uniform in [0, 1). */
  readonly stochastic: () => number;
}

const LEAST_RANGE = Math.fround(1e-12);
/** Adding and subtracting 1.5 · 2⁵² leaves a double below 2⁵¹ at an integer, ties to even (IEEE 754 default rounding). */
const ROUND_TO_EVEN = 1.5 * 2 ** 52;

/** Whether `bits` is a width that values may travel with: 1–8, or 32. */
export function isBits(bits: number): boolean {
  return bits === 32 || (Number.isInteger(bits) && bits >= 1 && bits <= 8);
}

/**
 * Quantizes `values` (not mutated). NaN and infinities are not hidden: they end up in lo or step (bits 32: in the values),
 * where every receiver refuses them. Throws RangeError when `bits` is not a width.
 */
export function quantize(values: Float32Array, bits: number, mode?: Stochastic): Quantized {
  if (!isBits(bits)) throw new RangeError(`${bits} bits: 1 to 8 or 32 are possible`);
  const length = values.length;
  if (bits === 32) return { bits, length, lo: 0, step: 0, packed: packFloat32(values) };
  const levels = 2 ** bits - 1;
  const { lo, hi } = rangeOf(values);
  const step = Math.fround(Math.max(Math.fround(hi - lo), LEAST_RANGE) / levels);
  const codes = new Uint8Array(length);
  const random = mode?.stochastic;
  for (let i = 0; i < length; i++) {
    const scaled = Math.fround(Math.fround((values[i] as number) - lo) / step);
    const code = random ? Math.floor(scaled + random()) : scaled + ROUND_TO_EVEN - ROUND_TO_EVEN;
    codes[i] = Math.min(code, levels);
  }
  return { bits, length, lo, step, packed: pack(codes, bits) };
}

/** The `[length]` values that `quantized` stands for, a new array. Trusts its argument: `packed` is as long as `length` asks. */
export function dequantize(quantized: Quantized): Float32Array {
  const { bits, length, lo, step, packed } = quantized;
  if (bits === 32) return unpackFloat32(packed);
  const decoded = Float32Array.from({ length: 2 ** bits }, (_, code) => lo + code * step);
  const values = new Float32Array(length);
  const codes = unpack(packed, bits, length);
  for (let i = 0; i < length; i++) values[i] = decoded[codes[i] as number] as number;
  return values;
}

/** The least and the greatest value that `quantized` can stand for, whatever its codes; NaN if any value is. */
export function boundsOf(quantized: Quantized): { readonly lo: number; readonly hi: number } {
  const { bits, lo, step, packed } = quantized;
  if (bits === 32) return rangeOf(unpackFloat32(packed));
  return { lo, hi: Math.fround(lo + (2 ** bits - 1) * step) };
}

/** Least and greatest value; 0 and 0 of nothing; NaN if any is. */
function rangeOf(values: Float32Array): { lo: number; hi: number } {
  if (values.length === 0) return { lo: 0, hi: 0 };
  let lo = Infinity;
  let hi = -Infinity;
  for (let i = 0; i < values.length; i++) {
    lo = Math.min(lo, values[i] as number);
    hi = Math.max(hi, values[i] as number);
  }
  return { lo, hi };
}
