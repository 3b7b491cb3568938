/**
 * Uniform affine quantization of a vector to b bits:
 *   lo = min v, step = max(max v − lo, 1e-12) / (2^b − 1), code = round((v − lo) / step), value = lo + code · step.
 * `bits` 32 stands for float32 unquantized.
 */

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
