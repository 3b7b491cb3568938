import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { summarize } from '../../scripts/replay/run-result.ts';

describe('summarize', () => {
  it('divides by n − 1', () => {
    assert.deepEqual(summarize([1, 2, 3, 4]), { mean: 2.5, std: Math.sqrt(5 / 3), values: [1, 2, 3, 4] });
  });
  it('gives a single value no spread', () => {
    assert.deepEqual(summarize([0.5]), { mean: 0.5, std: 0, values: [0.5] });
  });
  it('keeps precision far from zero', () => {
    assert.equal(summarize([1e9 + 1, 1e9 + 2, 1e9 + 3]).std, 1);
  });
  it('refuses nothing and what JSON cannot hold', () => {
    for (const values of [[], [Number.NaN], [1, Number.POSITIVE_INFINITY]]) {
      assert.throws(() => summarize(values), RangeError);
    }
  });
  it('does not keep the array that it was given', () => {
    const values = [1, 2];
    const summary = summarize(values);
    values[0] = 9;
    assert.deepEqual(summary.values, [1, 2]);
  });
});
