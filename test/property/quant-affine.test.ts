import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { boundsOf, dequantize, quantize } from '../../core/quant/affine.ts';
import { isCleanlyPacked, pack, packedBytes, unpack } from '../../core/quant/pack.ts';

const bits = fc.integer({ min: 1, max: 8 });
const float = fc.float({ noNaN: true, min: -1000, max: 1000 });
const vector = fc.array(float, { maxLength: 70 }).map((values) => Float32Array.from(values));

test('unpack undoes pack, in the bytes promised, with clean padding', () => {
  const codes = bits.chain((b) => fc.tuple(fc.constant(b), fc.uint8Array({ max: 2 ** b - 1, maxLength: 70 })));
  fc.assert(
    fc.property(codes, ([b, codes]) => {
      const packed = pack(codes, b);
      assert.equal(packed.length, packedBytes(codes.length, b));
      assert.ok(isCleanlyPacked(packed, b, codes.length));
      assert.deepEqual(unpack(packed, b, codes.length), codes);
    }),
    { numRuns: 1000 },
  );
});

test('code i occupies bits i·b … i·b + b − 1 from the least significant bit of the first byte', () => {
  const codes = bits.chain((b) => fc.tuple(fc.constant(b), fc.uint8Array({ max: 2 ** b - 1, maxLength: 20 })));
  fc.assert(
    fc.property(codes, ([b, codes]) => {
      const packed = pack(codes, b);
      const bitAt = (at: number) => ((packed[at >> 3] as number) >> (at & 7)) & 1;
      for (const [i, code] of codes.entries()) {
        for (let j = 0; j < b; j++) assert.equal(bitAt(i * b + j), (code >> j) & 1);
      }
    }),
  );
});

test('no value moves by more than half a step, and none leaves the bounds', () => {
  fc.assert(
    fc.property(vector, bits, (values, b) => {
      const quantized = quantize(values, b);
      const { lo, hi } = boundsOf(quantized);
      const rounding = 2 ** -22 * Math.max(Math.abs(lo), Math.abs(hi));
      for (const [i, value] of dequantize(quantized).entries()) {
        const error = Math.abs(value - (values[i] as number));
        assert.ok(error <= quantized.step / 2 + rounding, `value ${values[i]} became ${value}, step ${quantized.step}`);
        assert.ok(value >= lo && value <= hi);
      }
    }),
    { numRuns: 1000 },
  );
});

test('stochastic rounding moves no value by more than a step', () => {
  fc.assert(
    fc.property(vector, bits, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (values, b, draw) => {
      const quantized = quantize(values, b, { stochastic: () => draw });
      const rounding = 2 ** -22 * Math.max(1, ...values.map(Math.abs));
      for (const [i, value] of dequantize(quantized).entries()) {
        assert.ok(Math.abs(value - (values[i] as number)) <= quantized.step + rounding);
      }
    }),
  );
});
