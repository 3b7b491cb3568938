/** Accuracy and cross-entropy of probabilities. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accuracyOf, crossEntropyOf, mostProbable } from '../../core/model/evaluate.ts';

const probabilities = Float32Array.of(0.7, 0.2, 0.1, 0.1, 0.1, 0.8, 0.4, 0.4, 0.2);

test('accuracy is the share of labelled windows whose most probable class is theirs', () => {
  assert.equal(accuracyOf(probabilities, Int32Array.of(0, 2, 1), 3), 2 / 3);
  assert.equal(accuracyOf(probabilities, Int32Array.of(0, 1, -1), 3), 1 / 2);
});

test('of equally probable classes the first is the answer', () => {
  assert.equal(mostProbable(probabilities, 2, 3), 0);
});

test('cross-entropy is the mean of −ln p, finite where p is 0', () => {
  const expected = -(Math.log(0.7) + Math.log(0.8)) / 2;
  assert.ok(Math.abs(crossEntropyOf(probabilities, Int32Array.of(0, 2, -1), 3) - expected) < 1e-6);
  assert.ok(Number.isFinite(crossEntropyOf(Float32Array.of(1, 0), Int32Array.of(1), 2)));
});

test('without a labelled window there is no score', () => {
  assert.ok(Number.isNaN(accuracyOf(probabilities, Int32Array.of(-1, -1, -1), 3)));
  assert.ok(Number.isNaN(crossEntropyOf(new Float32Array(), new Int32Array(), 3)));
});
