import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { createRng } from '../../core/math/rng.ts';
import { joinRecordings, playlist } from '../../core/trace/order.ts';
import type { Recording } from '../../core/trace/recording.ts';

const WANTED = [{ name: 'acc', unit: 'mps2', channels: ['x'], sampleRateHz: 50, samples: 128 }];

/** `count` samples from t = 0 whose values are consecutive numbers from `first` on. */
function recording(first: number, count: number, labels: Recording['labels'], unit = 'mps2'): Recording {
  const tUs = Float64Array.from({ length: count }, (_, i) => i * 20_000);
  const values = Float32Array.from({ length: count }, (_, i) => first + i);
  return {
    subject: 'ada',
    labels,
    modalities: [{ name: 'acc', unit, channels: ['x'], sampleRateHz: 50, tUs, values }],
  };
}

const RECORDINGS = [
  recording(0, 400, [
    { tUs: 0, label: 'sit' },
    { tUs: 200 * 20_000, label: 'walk' },
  ]),
  recording(1000, 400, [{ tUs: 200 * 20_000, label: 'turn' }]),
];

const options = (order: 'shuffled' | 'recorded', seed = 1) => {
  return { wanted: WANTED, windowSeconds: 2.56, overlap: 0.5, classes: ['sit', 'walk'], order, rng: createRng(seed) };
};

test('recorded order keeps every window, labelled or not, and carries no label into the next recording', () => {
  const windows = playlist(RECORDINGS, options('recorded'));
  assert.deepEqual(
    windows.map(({ label, values }) => [label, values[0]?.[0]]),
    [
      ['sit', 0],
      ['sit', 64],
      ['walk', 200],
      ['walk', 264],
      [null, 1000],
      [null, 1064],
      ['turn', 1200],
      ['turn', 1264],
    ],
  );
});

test('the hole between two recordings is in no window', () => {
  const long = recording(0, 150, [{ tUs: 0, label: 'sit' }]);
  const joined = joinRecordings([long, long], 500_000);
  const times = joined.modalities[0]?.tUs as Float64Array;
  assert.equal((times[150] as number) - (times[149] as number), 500_000);
  assert.deepEqual(
    playlist([long, long], options('recorded')).map(({ values }) => values[0]?.[0]),
    [0, 0],
  );
});

test('shuffled order keeps the windows of the classes, renumbered, in an order that the seed decides', () => {
  const firsts = (seed: number) =>
    playlist(RECORDINGS, options('shuffled', seed)).map(({ values }) => values[0]?.[0] as number);
  assert.deepEqual(
    firsts(1).sort((a, b) => a - b),
    [0, 64, 200, 264],
  );
  assert.deepEqual(firsts(5), firsts(5));
  assert.ok([1, 2, 3, 4].some((seed) => firsts(seed).join() !== firsts(5).join()));
  assert.deepEqual(
    playlist(RECORDINGS, options('shuffled')).map(({ index }) => index),
    [0, 1, 2, 3],
  );
});

test('recordings of one subject with different sensors are refused', () => {
  assert.throws(
    () => joinRecordings([...RECORDINGS, recording(0, 10, [], 'g')]),
    (error) => error instanceof AppError && error.code === 'data-format' && error.where === 'subject ada',
  );
});
