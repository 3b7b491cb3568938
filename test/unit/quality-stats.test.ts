import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { mad, mean, median, medianInPlace, quantile, sampleStd } from '../../core/math/stats.ts';

const numbers = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), {
  minLength: 1,
  maxLength: 200,
});
const fewDistinct = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 200 });

test('the median is the middle of the sorted numbers', () => {
  fc.assert(
    fc.property(fc.oneof(numbers, fewDistinct), (values) => {
      const sorted = [...values].sort((a, b) => a - b);
      const [low, high] = [sorted[(values.length - 1) >> 1] as number, sorted[values.length >> 1] as number];
      assert.equal(median(values), (low + high) / 2);
    }),
  );
});

test('taking the median in place loses and changes no number', () => {
  fc.assert(
    fc.property(fc.oneof(numbers, fewDistinct), (values) => {
      const array = Float64Array.from(values);
      medianInPlace(array);
      assert.deepEqual(array.sort(), Float64Array.from(values).sort());
    }),
  );
});

test('known values', () => {
  assert.equal(mean([1, 2, 6]), 3);
  assert.equal(sampleStd([1, 2, 3, 4]), Math.sqrt(5 / 3));
  assert.equal(sampleStd([7]), 0);
  assert.equal(mad([1, 1, 2, 2, 4, 6, 9]), 1);
  assert.equal(quantile([4, 1, 3, 2], 0.25), 1.75);
  assert.equal(quantile([4, 1, 3, 2], 1), 4);
  assert.ok([mean([]), median([]), sampleStd([]), quantile([], 0.5), mad([])].every(Number.isNaN));
});
