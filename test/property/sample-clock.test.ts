import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createReadSchedule } from '../../agent/sensors/read-schedule.ts';
import { createSampleClock } from '../../agent/sensors/sample-clock.ts';
import { createRng } from '../../core/math/rng.ts';

interface Run {
  readonly rateHz: number;
  /** Of the oscillator. */
  readonly off: number;
  readonly fifoSeconds: number;
  /** Delay of each read, before and after the level is latched, microseconds. */
  readonly delayUs: (random: () => number) => number;
  readonly seconds: number;
  readonly seed: number;
  /** Phase and rate change then, as after a reset of the chip, seconds. */
  readonly restartAtS?: number;
  /** The oscillator is off by so much then, from 10 s on, as another supply voltage makes it. */
  readonly laterOff?: number;
}

/** As measured on idle boards, with one read in ten hit by something else for up to 20 ms. */
const USUAL = (random: () => number) => (random() < 0.1 ? random() * 20_000 : -200 * Math.log(1 - random()));
/** Any delay up to 20 ms is as likely as any other: worse than a loaded board. */
const WORST = (random: () => number) => random() * 20_000;
/** Without a FIFO a delay beyond a period loses samples. */
const SHORT = (random: () => number) => random() * 1000;

const START_US = 5e6;

/** Plays a chip's oscillator, the sampler's schedule and delays; the errors of all times that were given, with the true time. */
function play(run: Run) {
  const rng = createRng(run.seed);
  const delays = rng.fork('delays').next;
  const clock = createSampleClock({ sampleRateHz: run.rateHz, polled: run.fifoSeconds === 0 });
  const schedule = createReadSchedule({ fifoSeconds: run.fifoSeconds, sampleRateHz: run.rateHz }, rng.fork('aim').next);
  let periodUs = 1e6 / (run.rateHz * (1 + run.off));
  let firstUs = START_US + rng.next() * periodUs;
  const samples: { readonly trueUs: number; readonly errorUs: number; readonly tUs: number }[] = [];
  let nowUs = START_US;
  let read = 0;
  let hasFound = false;
  let restartUs = run.restartAtS === undefined ? Number.POSITIVE_INFINITY : START_US + run.restartAtS * 1e6;
  while (nowUs < START_US + run.seconds * 1e6) {
    // Timers have milliseconds and come late.
    nowUs = Math.max(nowUs + 1, 1000 * Math.ceil(schedule.nextUs(nowUs, hasFound, clock) / 1000));
    if (nowUs >= restartUs) {
      restartUs = Number.POSITIVE_INFINITY;
      clock.restart();
      firstUs = nowUs + (0.2 + rng.next()) * periodUs;
      read = 0;
      continue;
    }
    if (run.laterOff !== undefined && nowUs > START_US + 10e6) {
      const laterUs = 1e6 / (run.rateHz * (1 + run.laterOff));
      firstUs += read * (periodUs - laterUs);
      periodUs = laterUs;
    }
    if (delays() < 0.5) nowUs += run.delayUs(delays);
    const there = Math.floor((nowUs - firstUs) / periodUs) + 1;
    nowUs += delays() < 0.5 ? run.delayUs(delays) : 100;
    hasFound = there > read;
    if (!hasFound) continue;
    const from = run.fifoSeconds === 0 ? there - 1 : read;
    for (const [i, tUs] of clock.stamp(there - from, nowUs).entries()) {
      const trueUs = firstUs + (from + i) * periodUs;
      assert.ok(tUs > (samples.at(-1)?.tUs ?? Number.NEGATIVE_INFINITY), `times rise: ${samples.at(-1)?.tUs}, ${tUs}`);
      assert.ok(Number.isInteger(tUs) && tUs <= Math.ceil(nowUs), 'a sample is not later than it was known');
      samples.push({ trueUs, errorUs: tUs - trueUs, tUs });
    }
    read = there;
  }
  const worstMs = (fromS: number, toS = Number.POSITIVE_INFINITY) => {
    let worst = 0;
    for (const { trueUs, errorUs } of samples) {
      const atS = (trueUs - START_US) / 1e6;
      if (atS >= fromS && atS < toS) worst = Math.max(worst, Math.abs(errorUs) / 1000);
    }
    return worst;
  };
  const rateError = Math.abs((clock.rateHz() ?? Number.POSITIVE_INFINITY) * periodUs * 1e-6 - 1);
  return { worstMs, rateError, samples };
}

const CHIPS = [
  { rateHz: 100, fifoSeconds: 0.85 },
  { rateHz: 200, fifoSeconds: 0.4 },
  { rateHz: 1000, fifoSeconds: 0.085 },
] as const;

const oscillator = fc.double({ min: -0.05, max: 0.05, noNaN: true });

for (const chip of CHIPS) {
  test(`times at ${chip.rateHz} Hz are within a millisecond of the truth, reads late by up to 20 ms now and then`, () => {
    const settled: number[] = [];
    const rates: number[] = [];
    fc.assert(
      fc.property(oscillator, fc.nat(), (off, seed) => {
        const { worstMs, rateError } = play({ ...chip, off, seed, delayUs: USUAL, seconds: 40 });
        settled.push(worstMs(3));
        rates.push(rateError);
        assert.ok(worstMs(3) < 3, `${worstMs(3)} ms after 3 s`);
        assert.ok(worstMs(20) < 2, `${worstMs(20)} ms after 20 s`);
        assert.ok(rateError < 0.001, `rate off by ${100 * rateError} %`);
      }),
      { numRuns: 25 },
    );
    settled.sort((a, b) => a - b);
    assert.ok((settled[Math.floor(0.8 * settled.length)] ?? 9) < 1, `four runs of five: ${settled}`);
    console.log(
      `  ${chip.rateHz} Hz: worst sample of a run after 3 s: median ${settled[settled.length >> 1]?.toFixed(2)} ms, ` +
        `worst run ${settled.at(-1)?.toFixed(2)} ms; rate within ${(100 * Math.max(...rates)).toFixed(4)} %`,
    );
  });
}

test('when every delay up to 20 ms is as likely, times are within 5 ms and the rate within 0.1 %', () => {
  fc.assert(
    fc.property(fc.constantFrom(...CHIPS), oscillator, fc.nat(), (chip, off, seed) => {
      const { worstMs, rateError } = play({ ...chip, off, seed, delayUs: WORST, seconds: 40 });
      assert.ok(worstMs(10) < 5, `${worstMs(10)} ms at ${chip.rateHz} Hz`);
      assert.ok(rateError < 0.001, `rate off by ${100 * rateError} %`);
    }),
    { numRuns: 25 },
  );
});

test('a chip without a FIFO has times within 2 ms, and a sample that nobody fetched leaves a hole of a period', () => {
  fc.assert(
    fc.property(oscillator, fc.nat(), (off, seed) => {
      const { worstMs, rateError } = play({ rateHz: 100, fifoSeconds: 0, off, seed, delayUs: SHORT, seconds: 30 });
      assert.ok(worstMs(5) < 2, `${worstMs(5)} ms`);
      assert.ok(rateError < 0.001, `rate off by ${100 * rateError} %`);
    }),
    { numRuns: 20 },
  );
});

test('after a reset the times are right again at once, since the oscillator is known', () => {
  fc.assert(
    fc.property(oscillator, fc.nat(), (off, seed) => {
      const chip = { rateHz: 200, fifoSeconds: 0.4 };
      const { worstMs } = play({ ...chip, off, seed, delayUs: USUAL, seconds: 30, restartAtS: 20 });
      assert.ok(worstMs(20.5, 30) < 5, `${worstMs(20.5, 30)} ms`);
      assert.ok(worstMs(23, 30) < 2, `${worstMs(23, 30)} ms`);
    }),
    { numRuns: 15 },
  );
});

test('an oscillator that changes by some percents at once is followed, and its past forgotten', () => {
  for (const [off, laterOff] of [
    [0, -0.03],
    [0.02, 0.05],
  ] as const) {
    const { worstMs, rateError } = play({ ...CHIPS[0], off, laterOff, seed: 5, delayUs: USUAL, seconds: 40 });
    assert.ok(worstMs(20) < 3, `${worstMs(20)} ms from ${off} to ${laterOff}`);
    assert.ok(rateError < 0.001, `rate off by ${100 * rateError} %`);
  }
});

test('a rate far from the nominal one never drives times into the future, and is told', () => {
  for (const off of [-0.4, 0.6, 1]) {
    const { worstMs, rateError } = play({ rateHz: 100, fifoSeconds: 0.85, off, seed: 7, delayUs: USUAL, seconds: 40 });
    assert.ok(worstMs(20) < 5, `${worstMs(15)} ms at ${off}`);
    assert.ok(rateError < 0.002, `rate off by ${100 * rateError} %`);
  }
});

test('in a settled run neighbours are a period apart, by at most a twentieth more or less', () => {
  const { samples } = play({ rateHz: 100, fifoSeconds: 0.85, off: 0.03, seed: 3, delayUs: USUAL, seconds: 30 });
  const periodUs = 1e6 / 103;
  for (let i = 1000; i < samples.length; i++) {
    const step = (samples[i]?.tUs ?? 0) - (samples[i - 1]?.tUs ?? 0);
    assert.ok(Math.abs(step / periodUs - 1) < 0.055, `step of ${step} µs`);
  }
});
