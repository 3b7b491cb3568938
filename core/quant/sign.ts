/**
 * One bit a value: its sign, times the mean magnitude of the vector. Written as affine codes of 1 bit (lo = −s, step = 2 s), so
 * that whoever reads 1-bit codes reads these. Unlike affine codes of 1 bit, whose two levels are the extremes, the level is
 * where most values are; with error feedback that is enough to learn by.
 * Source: Bernstein et al., ICML 2018 (signSGD); Karimireddy et al., ICML 2019 (scaled sign with error feedback).
 */
import type { Quantized } from './affine.ts';
import { pack } from './pack.ts';

const LEAST_LEVEL = Math.fround(1e-12);

/** `values` (not mutated) as ±s, s the mean of |v|; 0 counts as negative. NaN and infinities end up in lo and step. */
export function quantizeSign(values: Float32Array): Quantized {
  let sum = 0;
  for (const value of values) sum += Math.abs(value);
  const level = Math.fround(Math.max(sum / Math.max(values.length, 1), LEAST_LEVEL));
  const codes = Uint8Array.from(values, (value) => (value > 0 ? 1 : 0));
  return { bits: 1, length: values.length, lo: -level, step: 2 * level, packed: pack(codes, 1) };
}
