import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { measureTilt } from '../../core/qqr/measure-tilt.ts';

const GRAVITY = 9.80665;
const SECONDS = 2.56;

/** A board that turns about its x axis at `rate` rad/s: gravity turns the other way in it. */
function turning(rate: number, rateHz: { readonly acc: number; readonly gyr: number }) {
  const acc = Float32Array.from({ length: SECONDS * rateHz.acc * 3 }, (_, i) => {
    const angle = (rate * Math.floor(i / 3)) / rateHz.acc;
    return GRAVITY * ([0, Math.sin(angle), Math.cos(angle)][i % 3] as number);
  });
  const gyr = Float32Array.from({ length: SECONDS * rateHz.gyr * 3 }, (_, i) => (i % 3 === 0 ? rate : 0));
  return [
    { values: acc, sampleRateHz: rateHz.acc },
    { values: gyr, sampleRateHz: rateHz.gyr },
  ] as const;
}

for (const rate of [0, 0.7, -3, 12]) {
  test(`both sensors agree on a turn of ${rate} rad/s`, () => {
    const [acc, gyr] = turning(rate, { acc: 50, gyr: 50 });
    assert.ok(Math.exp(measureTilt(acc, gyr)) - 0.01 < 2e-3);
  });
}

test('they agree at rates of their own', () => {
  const [acc, gyr] = turning(2, { acc: 50, gyr: 100 });
  assert.ok(Math.exp(measureTilt(acc, gyr)) - 0.01 < 0.01);
});

test('a turn about any axis, and one about changing axes, is followed', () => {
  const rng = createRng('turn');
  const samples = 128;
  const gyr = new Float32Array(samples * 3);
  const acc = new Float32Array(samples * 3);
  let down = [0.6 * GRAVITY, 0, 0.8 * GRAVITY];
  const rate = [rng.normal(), rng.normal(), rng.normal()];
  for (let t = 0; t < samples; t++) {
    acc.set(down, 3 * t);
    for (let c = 0; c < 3; c++) rate[c] = (rate[c] as number) + 0.2 * rng.normal();
    gyr.set(rate, 3 * t);
    const steps = 200; // dg/dt = g × ω, in small steps of Euler's
    for (let i = 0; i < steps; i++) {
      const [[a, b, c], [x, y, z]] = [down as [number, number, number], rate as [number, number, number]];
      const h = 1 / 50 / steps;
      down = [a + h * (b * z - c * y), b + h * (c * x - a * z), c + h * (a * y - b * x)];
    }
  }
  const tilt = measureTilt({ values: acc, sampleRateHz: 50 }, { values: gyr, sampleRateHz: 50 });
  assert.ok(Math.exp(tilt) - 0.01 < 0.01, `${Math.exp(tilt)}`);
});

test('a bias of b rad/s across gravity shows as b times half a window', () => {
  const [acc, gyr] = turning(0, { acc: 50, gyr: 50 });
  const biased = { ...gyr, values: gyr.values.map((value, i) => (i % 3 === 1 ? value + 0.2 : value)) };
  const angle = Math.exp(measureTilt(acc, biased)) - 0.01;
  assert.ok(Math.abs(angle - (0.2 * SECONDS) / 2) < 0.01, `${angle}`);
});

test('a gyroscope that is stuck while the board turns disagrees, and so does an accelerometer', () => {
  const [acc, gyr] = turning(1, { acc: 50, gyr: 50 });
  const stuckGyr = { ...gyr, values: gyr.values.map(() => 0) };
  assert.ok(Math.exp(measureTilt(acc, stuckGyr)) > 1);
  const stuckAcc = { ...acc, values: acc.values.map((_, i) => acc.values[i % 3] as number) };
  assert.ok(Math.exp(measureTilt(stuckAcc, gyr)) > 1);
});

test('without acceleration there is nothing to say', () => {
  const [acc, gyr] = turning(1, { acc: 50, gyr: 50 });
  assert.ok(Number.isNaN(measureTilt({ ...acc, values: acc.values.map(() => 0) }, gyr)));
});
