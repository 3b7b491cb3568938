/** Recordings at another rate. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Recording } from '../../core/trace/recording.ts';
import { resampled } from '../../core/trace/resample.ts';

function recordingOf(sampleRateHz: number, timesS: readonly number[], value: (tS: number) => number): Recording {
  const tUs = Float64Array.from(timesS, (tS) => Math.round(tS * 1e6));
  const values = Float32Array.from(timesS.flatMap((tS) => [value(tS), -value(tS)]));
  return {
    subject: 's',
    labels: [],
    modalities: [{ name: 'acc', unit: 'mps2', channels: ['x', 'y'], sampleRateHz, tUs, values }],
  };
}

const every = (rateHz: number, seconds: number) => Array.from({ length: rateHz * seconds + 1 }, (_, i) => i / rateHz);

test('a line stays the line, up and down, away from the ends', () => {
  for (const rate of [10, 33, 50, 80, 200]) {
    const [acc] = resampled(
      recordingOf(100, every(100, 3), (tS) => 2 * tS + 1),
      rate,
    ).modalities;
    assert.ok(acc);
    assert.equal(acc.sampleRateHz, rate);
    assert.equal(acc.tUs.length, 3 * rate + 1);
    acc.tUs.forEach((tUs, i) => {
      assert.equal(tUs, Math.round((i * 1e6) / rate));
      if (i === 0 || i === 3 * rate) return;
      assert.ok(Math.abs((acc.values[2 * i] as number) - (2e-6 * tUs + 1)) < 1e-5, `${rate} Hz at ${tUs}`);
      assert.equal(acc.values[2 * i + 1], -(acc.values[2 * i] as number));
    });
  }
});

test('what the new rate could not show is damped, what it can show stays', () => {
  const amplitudeAt = (hz: number) => {
    const [acc] = resampled(
      recordingOf(100, every(100, 10), (tS) => Math.sin(2 * Math.PI * hz * tS + 0.5)),
      25,
    ).modalities;
    return Math.max(...(acc?.values.filter((_, i) => i % 2 === 0).slice(1, -1) ?? []));
  };
  assert.ok(amplitudeAt(2) > 0.95, `${amplitudeAt(2)}`);
  assert.ok(amplitudeAt(24) < 0.2, `aliased: ${amplitudeAt(24)}`);
});

test('nothing is made over a hole, and a rate that is there already changes nothing', () => {
  const times = every(50, 4).filter((tS) => tS < 1.5 || tS > 2.5);
  const recording = recordingOf(50, times, (tS) => tS);
  const [acc] = resampled(recording, 20).modalities;
  assert.ok(acc);
  assert.ok(acc.tUs.every((tUs) => tUs <= 1.48e6 || tUs >= 2.52e6));
  assert.ok(acc.tUs.some((tUs) => tUs === 1.45e6) && acc.tUs.some((tUs) => tUs === 2.55e6));
  assert.equal(resampled(recording, 50).modalities[0], recording.modalities[0]);
});

test('any times and values: strictly increasing times on the new grid, values within those recorded', () => {
  const steps = fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      steps,
      fc.integer({ min: 1, max: 400 }).filter((rate) => rate !== 50),
      fc.infiniteStream(fc.integer({ min: -50, max: 50 })),
      (us, rate, stream) => {
        const times = us.map((_, i) => us.slice(0, i + 1).reduce((sum, step) => sum + step, 0) / 1e6);
        const [acc] = resampled(
          recordingOf(50, times, () => stream.next().value as number),
          rate,
        ).modalities;
        assert.ok(acc);
        acc.tUs.forEach((tUs, i) => {
          assert.ok(i === 0 || tUs > (acc.tUs[i - 1] as number));
          assert.equal(tUs, Math.round((Math.round((tUs * rate) / 1e6) * 1e6) / rate));
        });
        assert.ok(acc.values.every((value) => Math.abs(value) <= 50.001));
      },
    ),
  );
});
