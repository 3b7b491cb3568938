/** Placing one clock on another from readings that took their time. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { bestReading, type ClockReading, fitClock } from '../hardware/clock-fit.ts';

const OFFSET_US = 3_600_000_123;
const RATE = 1.0004;
const far = (nearUs: number) => OFFSET_US + RATE * nearUs;

/** Of the delay, `share` passed before the far clock was read. */
const reading = (beforeUs: number, delayUs: number, share: number): ClockReading => ({
  beforeUs,
  farUs: far(beforeUs + share * delayUs),
  afterUs: beforeUs + delayUs,
});

describe('a clock on another', () => {
  test('offset and rate are found exactly when readings are symmetrical', () => {
    const fit = fitClock([0, 10, 20, 60].map((s) => reading(s * 1e6, 200, 0.5)));
    assert.ok(Math.abs(fit.rate - RATE) < 1e-9, `rate ${fit.rate}`);
    assert.ok(Math.abs(fit.toFar(33e6) - far(33e6)) < 0.01);
    assert.ok(Math.abs(fit.errorUs - 100) < 0.1, `${fit.errorUs}`);
  });

  test('the error stays within what it says, however the delays are shared', () => {
    for (let seed = 1; seed <= 50; seed++) {
      const { next } = createRng(seed);
      const readings = Array.from({ length: 12 }, (_, i) => reading(i * 5e6, 100 + 900 * next(), next()));
      const fit = fitClock(readings);
      for (const { beforeUs, afterUs } of readings) {
        const middle = (beforeUs + afterUs) / 2;
        const errorUs = Math.abs(fit.toFar(middle) - far(middle));
        assert.ok(errorUs <= fit.errorUs + 1, `seed ${seed}: ${errorUs} us, said ${fit.errorUs}`);
      }
    }
  });

  test('the fastest answer of a group is the best', () => {
    const fastest = reading(2e6, 40, 0.9);
    assert.equal(bestReading([reading(1e6, 300, 0.5), fastest, reading(3e6, 41, 0.5)]), fastest);
  });

  test('too few readings are refused', () => {
    assert.throws(() => bestReading([]), RangeError);
    assert.throws(() => fitClock([reading(0, 10, 0.5)]), RangeError);
  });
});
