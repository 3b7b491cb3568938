/** Entropy-coded vectors: what was coded comes back, and whatever happened to the bytes, reading them is safe. */
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { dequantize, quantize } from '../../core/quant/affine.ts';
import { boundsOfCoded, type Coded, decodeCoded, encodeDense, encodeSparse } from '../../core/quant/coded.ts';
import { createBitDecoder, createBitEncoder, createBitModels } from '../../core/quant/range-coder.ts';
import { quantizeSign } from '../../core/quant/sign.ts';
import { densify, sparsify } from '../../core/quant/sparse.ts';

const bits = fc.integer({ min: 1, max: 8 });
/** Small integers too, so that magnitudes are equal now and then. */
const float = fc.oneof(fc.float({ noNaN: true, min: -8, max: 8 }), fc.integer({ min: -3, max: 3 }));
const vectors = fc.array(
  fc.array(float, { maxLength: 60 }).map((values) => Float32Array.from(values)),
  { minLength: 1, maxLength: 5 },
);
const share = fc.double({ min: 0.001, max: 1, noNaN: true });

const joined = (parts: readonly Float32Array[]) => Float32Array.from(parts.flatMap((part) => [...part]));
const sizesOf = (parts: readonly Float32Array[]) => parts.map(({ length }) => length);

interface Example {
  readonly coded: Coded;
  readonly sizes: readonly number[];
  /** What has to come back. */
  readonly values: Float32Array;
}

const dense = fc.tuple(vectors, bits, fc.boolean()).map(([parts, b, isSign]): Example => {
  const quantized = parts.map((part) => (isSign ? quantizeSign(part) : quantize(part, b)));
  return { coded: encodeDense(quantized), sizes: sizesOf(parts), values: joined(quantized.map(dequantize)) };
});
const sparse = fc.tuple(vectors, bits, share).map(([parts, b, part]): Example => {
  const vector = sparsify(joined(parts), part, b);
  return { coded: encodeSparse(vector, sizesOf(parts)), sizes: sizesOf(parts), values: densify(vector) };
});
const example = fc.oneof(dense, sparse);

test('what was coded comes back, bit for bit', () => {
  fc.assert(
    fc.property(example, ({ coded, sizes, values }) => {
      assert.deepEqual(decodeCoded(coded, sizes), values);
    }),
    { numRuns: 1000 },
  );
});

test('no value is outside the bounds, whatever the body', () => {
  fc.assert(
    fc.property(example, fc.uint8Array({ maxLength: 60 }), ({ coded, sizes }, body) => {
      const { lo, hi } = boundsOfCoded(coded);
      const values = decodeCoded({ ...coded, body }, sizes);
      assert.ok(values === null || values.every((value) => value >= lo && value <= hi));
    }),
    { numRuns: 1000 },
  );
});

test('bits have one row of bytes only: what can be read is what would be written', () => {
  let taken = 0;
  const bytes = fc.uint8Array({ maxLength: 4 });
  fc.assert(
    fc.property(bytes, fc.integer({ min: 1, max: 40 }), (body, count) => {
      const decoder = createBitDecoder(body);
      const models = createBitModels(1);
      const read = Array.from({ length: count }, () => decoder.read(models, 0));
      if (!decoder.isAtEnd()) return;
      taken++;
      const encoder = createBitEncoder();
      const anew = createBitModels(1);
      for (const bit of read) encoder.write(anew, 0, bit);
      assert.deepEqual(encoder.finish(), body);
    }),
    { numRuns: 5000 },
  );
  assert.ok(taken > 50, `${taken} could be read`);
});

test('the largest are kept, as many as the share says, each with its sign', () => {
  fc.assert(
    fc.property(vectors, bits, share, (parts, b, part) => {
      const values = joined(parts);
      const { positions, lo, step } = sparsify(values, part, b);
      const count = values.length === 0 ? 0 : Math.min(values.length, Math.max(1, Math.round(part * values.length)));
      assert.equal(positions.length, count);
      assert.ok(positions.every((at, i) => i === 0 || at > (positions[i - 1] as number)));
      const kept = new Set(positions);
      const least = Math.min(...Array.from(positions, (at) => Math.abs(values[at] as number)));
      values.forEach((value, at) => {
        assert.ok(kept.has(at) || Math.abs(value) <= least);
      });
      const back = densify(sparsify(values, part, b));
      back.forEach((value, at) => {
        if (!kept.has(at)) {
          assert.equal(value, 0);
          return;
        }
        assert.ok(value * (values[at] as number) >= 0, 'the sign');
        const error = Math.abs(value - (values[at] as number));
        if (b > 1) assert.ok(error <= step / 2 + 2 ** -20 * (lo + 127 * step), `off by ${error}, step ${step}`);
      });
    }),
    { numRuns: 1000 },
  );
});

test('a sign takes the mean magnitude', () => {
  fc.assert(
    fc.property(vectors, (parts) => {
      const values = joined(parts);
      const mean = values.reduce((sum, value) => sum + Math.abs(value), 0) / Math.max(1, values.length);
      dequantize(quantizeSign(values)).forEach((value, i) => {
        assert.ok(Math.abs(Math.abs(value) - mean) <= 1e-6 * (1 + mean));
        assert.ok(value > 0 === (values[i] as number) > 0);
      });
    }),
  );
});
