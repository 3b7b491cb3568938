import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { alignModalities } from '../../core/stream/align.ts';

const acc = { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 };
const gyr = { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 };

const isShapeMismatch = (part: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === 'shape-mismatch' && part.test(error.message) && error.hint !== undefined;

test('modalities are found by name, whatever their order', () => {
  assert.deepEqual(alignModalities([gyr, { ...acc, name: 'mag' }, acc], [acc, gyr]), [2, 0]);
});

test('a modality that the stream lacks is absent', () => {
  assert.deepEqual(alignModalities([acc], [acc, gyr]), [0, -1]);
});

test('a rate within 10 % is accepted', () => {
  assert.deepEqual(alignModalities([{ ...acc, sampleRateHz: 52 }], [acc]), [0]);
});

for (const [what, found, message] of [
  ['unit', { ...acc, unit: 'g' }, /unit of modality 'acc' is g, the model wants mps2/],
  ['rate', { ...acc, sampleRateHz: 100 }, /rate of modality 'acc' is 100 Hz/],
  ['channels', { ...acc, channels: ['x', 'z', 'y'] }, /channel list of modality 'acc' is x,z,y/],
  ['every name', { ...acc, name: 'accel' }, /the stream carries accel, the model wants acc/],
] as const) {
  test(`another ${what} stops the start`, () => {
    assert.throws(() => alignModalities([found], [acc]), isShapeMismatch(message));
  });
}
