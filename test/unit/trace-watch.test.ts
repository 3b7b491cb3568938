/** The watch data set's file: arrays that Python pickled, read without Python and without running what the file asks for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWatch } from '../../core/trace/watch.ts';
import { dictionary, doubles, list, npyOf, text } from '../fixtures/archives.ts';
import { failsWith } from '../fixtures/trace-folder.ts';

/** Two samples of six channels, column-major: channel c of sample i is c + i/10 (+ base). */
const series = (base: number) =>
  doubles(
    [0, 1, 2, 3, 4, 5].flatMap((c) => [base + c, base + c + 0.1]),
    [2, 6],
  );
const CONTENT = {
  X: list([series(0), series(10), series(20), series(30)]),
  y_labels: list([text('PEN'), text('ABD')]),
  y: doubles([1, 0, 1, 0], [4]),
  subject: doubles([10, 2, 10, 10], [4]),
  side: doubles([0, 1, 0, 1], [4]),
};

test('one recording per subject in the order of their numbers, its series on one time axis with a hole of 2 s between', () => {
  const { classes, recordings } = readWatch(npyOf(dictionary(CONTENT)), 'watch.npy');
  assert.deepEqual(classes, ['PEN', 'ABD']);
  assert.deepEqual(
    recordings.map(({ subject }) => subject),
    ['2', '10'],
  );
  const { modalities, labels } = recordings[1] ?? { modalities: [], labels: [] };
  assert.deepEqual(modalities[0]?.tUs, Float64Array.of(0, 20_000, 2_040_000, 2_060_000, 4_080_000, 4_100_000));
  assert.deepEqual(labels, [
    { tUs: 0, label: 'ABD' },
    { tUs: 4_080_000, label: 'PEN' },
  ]);
});

test('acceleration becomes m/s², angular rate stays in rad/s', () => {
  const [acc, gyr] = readWatch(npyOf(dictionary(CONTENT)), 'watch.npy').recordings[0]?.modalities ?? [];
  const g = 9.80665;
  assert.deepEqual(acc?.values, Float32Array.of(10 * g, 11 * g, 12 * g, 10.1 * g, 11.1 * g, 12.1 * g));
  assert.deepEqual(gyr?.values, Float32Array.of(13, 14, 15, 13.1, 14.1, 15.1));
});

test('a file that asks for any other Python object is refused, whatever it would have done', () => {
  for (const call of ['cos\nsystem\n', 'cbuiltins\neval\n', 'cnumpy\nload\n']) {
    const hostile = npyOf(dictionary({ ...CONTENT, X: `${call}${text('true')}\x85R` }));
    assert.throws(
      () => readWatch(hostile, 'evil.npy'),
      failsWith('data-format', /asks for the Python object/, 'evil.npy'),
    );
  }
});

test('instructions that do more than build data are refused', () => {
  for (const instruction of ['i', 'o', '\x81', '\x82', 'P', 'Q', '\x95', 'I']) {
    assert.throws(
      () => readWatch(npyOf(instruction), 'x.npy'),
      failsWith('data-format', /is not one that builds data/),
    );
  }
});

test('every file that is cut off is an error and nothing else', () => {
  const whole = npyOf(dictionary(CONTENT));
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => readWatch(whole.subarray(0, length), 'x.npy'),
      failsWith('data-format', /not a readable array file/, 'x.npy'),
    );
  }
});

test('arrays of another make are refused', () => {
  const wrong = { X: list([doubles([1, 2], [2])]), y_labels: list([]), y: text('no'), subject: doubles([1], [3]) };
  for (const [key, value] of Object.entries(wrong)) {
    assert.throws(
      () => readWatch(npyOf(dictionary({ ...CONTENT, [key]: value })), 'x.npy'),
      failsWith('data-format', /not the watch data set/),
    );
  }
});
