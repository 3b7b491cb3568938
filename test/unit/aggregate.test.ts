/** Prototypes, normalization and averaging on numbers that can be checked by hand. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addUpdate, createRoundSums, meanDelta, temporalPrototypes } from '../../core/qqr/aggregate.ts';
import { channelSums, mergeNormalization } from '../../core/qqr/normalization.ts';
import { emptyPrototypes, localPrototypes, persist } from '../../core/qqr/prototype.ts';

test('a local prototype is the weighted mean embedding of its class', () => {
  const acc = Float32Array.of(1, 2, 3, 4, 10, 20); // [3, 2]
  const gyr = Float32Array.of(-1, -2, -3, -4, -5, -6);
  const weights = Float32Array.of(1, 1, 1, 0, 0.5, 0); // [3, 2]
  const set = localPrototypes([acc, gyr], Int32Array.of(0, 0, 2), weights, 3);
  assert.deepEqual([set.modalities, set.classes, set.dim], [2, 3, 2]);
  assert.deepEqual([...set.weight], [2, 0, 0.5, 1, 0, 0]);
  assert.deepEqual([...set.values.slice(0, 2)], [2, 3]);
  assert.deepEqual([...set.values.slice(4, 6)], [10, 20]);
  assert.deepEqual([...set.values.slice(6, 8)], [-1, -2]);
});

test('persistent prototypes: first sight is taken whole, later ones move by 1 − β, unseen cells stay', () => {
  const table = (values: number[], weight: number[]) => ({
    ...emptyPrototypes(1, 3, 1),
    values: Float32Array.from(values),
    weight: Float64Array.from(weight),
  });
  const before = table([1, 0, 5], [16, 0, 16]);
  const after = persist(before, table([2, 7, 0], [32, 16, 0]), 0.75);
  assert.deepEqual([...after.values], [1.25, 7, 5]);
  assert.deepEqual([...after.weight], [32, 16, 16]);
  assert.deepEqual([...before.values], [1, 0, 5]);
});

test('channel sums are multiples of 2⁻¹⁰ and skip windows without the modality', () => {
  const sums = channelSums([Float32Array.of(0.1, 1, 0.2, 2), null, Float32Array.of(0.3, 3, 0.4, 4)], 2);
  assert.equal(sums.count, 4);
  assert.deepEqual(sums.sum, [1, 10]);
  assert.deepEqual(sums.sumSquares, [Math.round(0.3 * 1024) / 1024, 30]);
});

test('the normalization is that of all samples together', () => {
  const a = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)];
  const b = [Float32Array.of(7, 8, 9)];
  const { mean, std } = mergeNormalization([[channelSums(a, 1)], [channelSums(b, 1)]], [1]);
  assert.equal(mean[0]?.[0], 5);
  assert.equal(std[0]?.[0], Math.fround(Math.sqrt(60 / 9)));
});

test('a modality that no board had gets mean 0 and deviation 1, a stuck channel a floor', () => {
  const stuck = channelSums([Float32Array.of(9, 9, 9)], 1);
  const { mean, std } = mergeNormalization([[stuck, null]], [1, 2]);
  assert.deepEqual([...(mean[1] ?? [])], [0, 0]);
  assert.deepEqual([...(std[1] ?? [])], [1, 1]);
  assert.equal(mean[0]?.[0], 9);
  assert.equal(std[0]?.[0], Math.fround(1e-3));
});

test('a group that nobody weighed, and a class that nobody saw, stay as they are', () => {
  const groups = [
    { group: 0, offset: 0, size: 2 },
    { group: -1, offset: 2, size: 1 },
  ];
  const sums = createRoundSums({ total: 3, groups, modalities: 1, classes: 2, dim: 1 });
  addUpdate(sums, {
    deltas: [
      { group: 0, weight: 0, values: Float32Array.of(5, 5) },
      { group: -1, weight: 16, values: Float32Array.of(1) },
    ],
    prototypes: [{ modality: 0, classes: [1], weights: [16], values: Float32Array.of(0.5) }],
  });
  addUpdate(sums, { deltas: [{ group: -1, weight: 48, values: Float32Array.of(2) }], prototypes: [] });
  assert.deepEqual([...meanDelta(sums).values], [0, 0, 1.75]);
  const { weight, values } = temporalPrototypes(sums);
  assert.deepEqual([...weight], [0, 16]);
  assert.equal(values[1], 0.5);
});
