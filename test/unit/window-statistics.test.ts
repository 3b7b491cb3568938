/** Level and power of each channel, in the layout that encoders read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { windowStatistics } from '../../core/model/window-statistics.ts';
import { assertClose } from '../golden/close.ts';

const power = (variance: number) => 0.4 * Math.log(variance + 1e-3) + 0.5;

test('per window the means of all channels, then the logarithms of their power', () => {
  // Two windows of four samples and two channels.
  const first = [1, 0, 3, 0, 1, 0, 3, 0];
  const second = [-2, 1, -2, -1, -2, 1, -2, -1];
  const statistics = windowStatistics(Float32Array.from([...first, ...second]), 4, 2);
  assertClose(statistics, [2, 0, power(1), power(0), -2, 0, power(0), power(1)], 1e-6);
});

test('a flat channel is finite, and a level beyond any posture is limited', () => {
  const statistics = windowStatistics(Float32Array.from([9, 9, 9, -50, -50, -50]), 3, 1);
  assertClose(statistics, [4, power(0), -4, power(0)], 1e-5);
});

test('windows that are z-scored have power of about unit size', () => {
  const rng = createRng('power');
  const [, logPower] = windowStatistics(
    Float32Array.from({ length: 4096 }, () => rng.normal()),
    4096,
    1,
  );
  assert.ok(Math.abs((logPower as number) - 0.5) < 0.05, `${logPower}`);
});
