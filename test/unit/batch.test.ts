/** Windows to batches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeBatch } from '../../core/model/batch.ts';
import type { ModelSpec } from '../../core/model/spec.ts';

const spec: ModelSpec = {
  modalities: [
    { name: 'acc', unit: 'mps2', channels: ['x', 'y'], sampleRateHz: 10, samples: 3 },
    { name: 'gyr', unit: 'radps', channels: ['z'], sampleRateHz: 10, samples: 2 },
  ],
  classes: ['a', 'b'],
  windowStatistics: false,
  conv: [],
  embedding: 2,
  hidden: 2,
};
const normalization = {
  mean: [Float32Array.of(1, 10), Float32Array.of(-1)],
  std: [Float32Array.of(2, 4), Float32Array.of(0.5)],
};
const acc = Float32Array.of(1, 10, 3, 14, -1, 6);
const gyr = Float32Array.of(-1, 0);

test('channels are z-scored with their own mean and deviation, windows stacked', () => {
  const windows = [
    { values: [acc, gyr], quality: [1, 0.5], label: 1 },
    { values: [Float32Array.from(acc, (v) => v + 4), gyr], quality: [0.25, 1], label: 0 },
  ];
  const batch = makeBatch(windows, spec, normalization);
  assert.equal(batch.size, 2);
  assert.deepEqual(batch.inputs[0], Float32Array.of(0, 0, 1, 1, -1, -1, 2, 1, 3, 2, 1, 0));
  assert.deepEqual(batch.inputs[1], Float32Array.of(0, 2, 0, 2));
  assert.deepEqual(batch.present, Float32Array.of(1, 1, 1, 1));
  assert.deepEqual(batch.quality, Float32Array.of(1, 0.5, 0.25, 1));
  assert.deepEqual(batch.labels, Int32Array.of(1, 0));
});

test('an absent modality is zeros, and neither present nor of any quality', () => {
  const batch = makeBatch([{ values: [null, gyr], quality: [0.9, 0.8], label: -1 }], spec, normalization);
  assert.deepEqual(batch.inputs[0], new Float32Array(6));
  assert.deepEqual(batch.present, Float32Array.of(0, 1));
  assert.deepEqual(batch.quality, Float32Array.of(0, Math.fround(0.8)));
  assert.deepEqual(batch.labels, Int32Array.of(-1));
});

test('the windows stay as they were', () => {
  const own = acc.slice();
  makeBatch([{ values: [own, gyr], quality: [1, 1], label: 0 }], spec, normalization).inputs[0]?.fill(7);
  assert.deepEqual(own, acc);
});

test('no windows make an empty batch', () => {
  const batch = makeBatch([], spec, normalization);
  assert.equal(batch.size, 0);
  assert.equal(batch.inputs.length, 2);
});

test('a window or a normalization of another shape is refused by name', () => {
  const wrong = { code: 'shape-mismatch', where: "modality 'acc'" };
  assert.throws(() => makeBatch([{ values: [gyr, gyr], quality: [1, 1], label: 0 }], spec, normalization), wrong);
  const oneChannel = { mean: [Float32Array.of(1)], std: [Float32Array.of(1)] };
  assert.throws(() => makeBatch([{ values: [acc, gyr], quality: [1, 1], label: 0 }], spec, oneChannel), wrong);
});
