import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { MEASURE_NAMES, MEASURES, type MeasureName, measure } from '../../core/qqr/measures.ts';

const still = createRng('still');
/** A phone on a table: gravity on z, sensor noise. */
const CALM = window((_t, c) => (c === 2 ? 9.8 : 0.1) + 0.05 * still.normal());

function window(at: (t: number, c: number) => number): Float32Array {
  return Float32Array.from({ length: 128 * 3 }, (_, i) => at(Math.floor(i / 3), i % 3));
}

const reads = (values: Float32Array, name: MeasureName, unit = 'mps2') =>
  measure(values, 3, unit)[MEASURES[name]] as number;

test('the same reading over and over is held, one axis alone is only flat', () => {
  const stuck = CALM.map((value, i) => (i < 64 * 3 ? value : (CALM[i % 3] as number)));
  assert.equal(reads(stuck, 'held'), 64 / 128);
  const oneAxis = CALM.map((value, i) => (i % 3 === 1 ? 0.5 : value));
  assert.equal(reads(oneAxis, 'held'), 0);
  assert.equal(reads(oneAxis, 'flat'), 1);
});

test('a stretch that reads zero is held', () => {
  assert.equal(
    reads(
      CALM.map((value, i) => (i >= 30 && i < 60 ? 0 : value)),
      'held',
    ),
    10 / 128,
  );
});

test('values at a rail are clipped', () => {
  const wave = window((t, c) => Math.max(-1, Math.min(1, 3 * Math.sin(t / 5 + c))));
  assert.ok(reads(wave, 'clip') > 0.3);
  assert.ok(reads(CALM, 'clip') < 0.03);
});

test('white noise has all of its power in the high frequencies', () => {
  const rng = createRng('noise');
  assert.ok(
    Math.abs(
      reads(
        window(() => rng.normal()),
        'highFrequency',
        'radps',
      ),
    ) < 0.2,
  );
  assert.ok(
    reads(
      window((t) => Math.sin(t / 20)),
      'highFrequency',
      'radps',
    ) < -7,
  );
});

test('noise is the standard deviation of white noise, whatever slow motion is under it', () => {
  const rng = createRng('noise');
  const moving = window((t) => 0.2 * rng.normal() + 3 * Math.sin(t / 20));
  assert.ok(Math.abs(Math.exp(reads(moving, 'noise', 'radps')) - 0.2) < 0.03);
});

test('an accelerometer at rest has the level of gravity in any orientation, a biased one has not', () => {
  const tilted = window((_t, c) => 9.80665 * ([0.6, 0, 0.8][c] as number));
  assert.ok(reads(tilted, 'level') < -4.5);
  assert.ok(
    reads(
      tilted.map((value) => value + 2),
      'level',
    ) > -1.5,
  );
  assert.ok(
    reads(
      CALM.map(() => 0),
      'level',
      'radps',
    ) < -4.5,
  );
});

test('a ramp and an offset show their size in g', () => {
  const ramp = window((t, c) => (c === 0 ? (9.80665 * t) / 127 : 0));
  assert.ok(Math.abs(Math.exp(reads(ramp, 'ramp')) - 0.75 - 0.01) < 0.01);
  assert.ok(Math.abs(Math.exp(reads(ramp, 'offset')) - 0.5 - 0.01) < 0.01);
});

test('a window that never changes has measures, all finite but those of another sensor and of two sensors', () => {
  const measures = measure(new Float32Array(12), 3, 'mps2');
  const silent = MEASURE_NAMES.filter((name) => !Number.isFinite(measures[MEASURES[name]]));
  assert.deepEqual(silent, ['bias', 'tilt']);
});

test('gravity and bias are read at rest only, each by its own sensor', () => {
  const rest = window((_t, c) => (c === 2 ? 9.80665 * 1.1 : 0));
  assert.ok(Math.abs(reads(rest, 'gravity') - 0.1) < 1e-5);
  assert.ok(Number.isNaN(reads(rest, 'bias')));
  const turned = window((_t, c) => (c === 0 ? 0.3 : 0) + 0.004 * still.normal());
  assert.ok(Math.abs(reads(turned, 'bias', 'radps') - 0.3) < 0.002);
  assert.ok(Number.isNaN(reads(turned, 'gravity', 'radps')));
  const waved = window((t, c) => (c === 0 ? 0.3 * Math.sin(t / 10) : 0));
  assert.ok(Number.isNaN(reads(waved, 'bias', 'radps')));
  const shaken = window(() => 0.3 + 0.02 * still.normal());
  assert.ok(Number.isNaN(reads(shaken, 'bias', 'radps')));
});
