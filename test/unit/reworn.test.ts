/** Wearing a board differently: a rotation of the frame, one for all sensors, and another pace, with nothing invented. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reworn } from '../../agent/learn/reworn.ts';
import { createRng } from '../../core/math/rng.ts';

const T = 64;
const SEEDS = Array.from({ length: 30 }, (_, i) => `wearing ${i}`);

/** `[T, 3]` of one vector throughout. */
function constant(x: number, y: number, z: number): Float32Array {
  return Float32Array.from({ length: 3 * T }, (_, i) => [x, y, z][i % 3] as number);
}

function worn(values: readonly (Float32Array | null)[], channels: readonly number[], seed: string) {
  const window = { values, quality: values.map(() => 1), label: 2 };
  return reworn(window, channels, createRng(seed));
}

const row = (values: Float32Array | null | undefined, t: number) => [...(values?.subarray(3 * t, 3 * t + 3) ?? [])];
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * (b[i] as number), 0);

test('gravity keeps its length and turns by at most ten degrees, somewhere by more than two', () => {
  const angles = SEEDS.map((seed) => {
    const { values } = worn([constant(0, 0, 9.81)], [3], seed);
    const now = row(values[0], 10);
    assert.ok(Math.abs(Math.hypot(...now) - 9.81) < 1e-4);
    return (Math.acos(Math.min(1, dot(now, [0, 0, 9.81]) / 9.81 ** 2)) * 180) / Math.PI;
  });
  assert.ok(Math.max(...angles) <= 10.01, String(angles));
  assert.ok(Math.max(...angles) > 2);
});

test('all three-axis sensors of a window are turned together: the angle between them stays', () => {
  for (const seed of SEEDS) {
    const { values } = worn([constant(1, 2, 3), constant(-2, 0.5, 1)], [3, 3], seed);
    assert.ok(Math.abs(dot(row(values[0], 5), row(values[1], 5)) - dot([1, 2, 3], [-2, 0.5, 1])) < 1e-4);
  }
});

test('a sensor of another number of axes is not turned, and an absent one stays absent', () => {
  const { values, label } = worn([new Float32Array(2 * T).fill(4), null], [2, 3], 'any');
  assert.deepEqual(values[0], new Float32Array(2 * T).fill(4));
  assert.equal(values[1], null);
  assert.equal(label, 2);
});

test('time is stretched by at most a tenth and shifted by at most an eighth, within what was measured', () => {
  const ramp = Float32Array.from({ length: T }, (_, t) => t);
  const paces = SEEDS.map((seed) => {
    const out = worn([ramp], [1], seed).values[0] as Float32Array;
    assert.ok(out.every((value) => value >= 0 && value <= T - 1));
    const pace = (out[40] as number) - (out[39] as number);
    const middle = out[T / 2] as number;
    assert.ok(pace > 0.899 && pace < 1.101, String(pace));
    assert.ok(Math.abs(middle - T / 2) <= T / 8 + 1e-3, String(middle));
    return pace;
  });
  assert.ok(Math.max(...paces) > 1.02 && Math.min(...paces) < 0.98);
});

test('the window itself is left alone, and a seed always comes to the same', () => {
  const values = constant(1, 2, 3);
  const first = worn([values], [3], 'again');
  assert.deepEqual(values, constant(1, 2, 3));
  assert.deepEqual(worn([values], [3], 'again'), first);
});
