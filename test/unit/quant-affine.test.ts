import assert from 'node:assert/strict';
import test from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { boundsOf, dequantize, isBits, quantize } from '../../core/quant/affine.ts';
import { unpack } from '../../core/quant/pack.ts';

test('a constant vector comes back exactly at every width', () => {
  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8, 32]) {
    for (const value of [0, -0.1, 3.5]) {
      const values = new Float32Array(5).fill(value);
      assert.deepEqual(dequantize(quantize(values, bits)), values, `${value} at ${bits} bits`);
    }
  }
});

test('nothing and a single value are vectors too', () => {
  for (const bits of [1, 8, 32]) {
    assert.deepEqual(dequantize(quantize(new Float32Array(0), bits)), new Float32Array(0));
    assert.deepEqual(dequantize(quantize(Float32Array.of(-2.25), bits)), Float32Array.of(-2.25));
  }
  assert.ok(quantize(new Float32Array(0), 4).step > 0);
});

test('32 bits carry float32 unchanged, little-endian', () => {
  const values = Float32Array.of(1, -0, 1e-40, 3.4e38);
  const quantized = quantize(values, 32);
  assert.deepEqual([quantized.lo, quantized.step, quantized.packed.length], [0, 0, 16]);
  assert.deepEqual([...quantized.packed.subarray(0, 4)], [0, 0, 0x80, 0x3f]);
  assert.deepEqual(dequantize(quantized), values);
});

test('lo and step are float32, so that both sides compute the same values', () => {
  const rng = createRng('exact');
  const { lo, step } = quantize(
    Float32Array.from({ length: 100 }, () => rng.normal()),
    3,
  );
  assert.equal(Math.fround(lo), lo);
  assert.equal(Math.fround(step), step);
});

test('ties go to the even code', () => {
  const codes = unpack(quantize(Float32Array.of(0, 0.5, 1.5, 2.5, 3), 2).packed, 2, 5);
  assert.deepEqual([...codes], [0, 0, 2, 2, 3]);
});

test('stochastic rounding is right on average and stays within the codes', () => {
  const rng = createRng('stochastic');
  const values = Float32Array.from({ length: 20000 }, (_, i) => (i === 0 ? 0 : i === 1 ? 1 : 0.3));
  const decoded = dequantize(quantize(values, 1, { stochastic: rng.next }));
  const mean = decoded.subarray(2).reduce((sum, value) => sum + value, 0) / (values.length - 2);
  assert.ok(Math.abs(mean - 0.3) < 0.01, `mean ${mean}`);
  assert.deepEqual([decoded[0], decoded[1]], [0, 1]);
});

test('NaN and infinities are carried to where a receiver sees them', () => {
  for (const bad of [NaN, Infinity, -Infinity]) {
    for (const bits of [2, 32]) {
      const { lo, hi } = boundsOf(quantize(Float32Array.of(1, bad, 2), bits));
      assert.ok(!Number.isFinite(lo) || !Number.isFinite(hi), `${bad} at ${bits} bits`);
    }
  }
});

test('other widths than 1 to 8 and 32 are a defect of the caller', () => {
  for (const bits of [0, 9, 16, 2.5, NaN, -1]) {
    assert.equal(isBits(bits), false);
    assert.throws(() => quantize(Float32Array.of(1), bits), RangeError);
  }
});
