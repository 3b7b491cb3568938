import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSampleCheck } from '../../agent/sensors/sample-check.ts';

const MODALITY = { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 100, fullScale: 39 } as const;

/** Feeds bursts of ten samples at `rateHz` for `seconds`; when `found` first was true, seconds. */
function feed(
  check: ReturnType<typeof createSampleCheck>,
  seconds: number,
  sample: (i: number) => readonly [number, number, number],
  found: () => boolean,
  rateHz = 100,
  from = 0,
): number | null {
  for (let i = 0; i < seconds * rateHz; i += 10) {
    const values = Float32Array.from(Array.from({ length: 10 }, (_, k) => sample(i + k)).flat());
    check.take(values, 1e6 * (from + (i + 10) / rateHz));
    if (found()) return (i + 10) / rateHz;
  }
  return null;
}

const moving = (i: number) => [i % 7, 0, 9.8] as const;

test('two constant axes are no stuck sensor, all three for a second are, and one different sample ends it', () => {
  const check = createSampleCheck(MODALITY);
  assert.equal(feed(check, 10, moving, check.isStuck), null);
  const after = feed(check, 3, () => [1, 2, 3], check.isStuck);
  assert.ok(after !== null && after > 0.95 && after < 1.2, `${after} s`);
  check.take(Float32Array.of(1, 2, 3.5), 20e6);
  assert.equal(check.isStuck(), false);
});

test('single peaks at full scale are motion, a tenth of a second of them is saturation, on either side', () => {
  const check = createSampleCheck(MODALITY);
  assert.equal(
    feed(check, 10, (i) => [i % 20 === 0 ? 39 : i % 7, 0, 9.8], check.isSaturated),
    null,
  );
  const after = feed(check, 3, (i) => [i % 7, i % 5 === 0 ? -40 : 0, 9.8], check.isSaturated);
  assert.ok(after !== null && after <= 2, `${after} s`);
  feed(check, 2, moving, () => false);
  assert.equal(check.isSaturated(), false);
});

for (const rateHz of [85, 115, 200]) {
  test(`${rateHz} samples per second of 100 are found within a window, and told`, () => {
    const check = createSampleCheck(MODALITY);
    assert.equal(
      feed(check, 5, moving, () => check.wrongRateHz() !== null),
      null,
    );
    const after = feed(check, 5, moving, () => check.wrongRateHz() !== null, rateHz, 5);
    assert.ok(after !== null && after < 2.5, `${after} s`);
    feed(check, 3, moving, () => false, rateHz, 5 + Number(after));
    assert.ok(Math.abs(Number(check.wrongRateHz()) - rateHz) < 1, `${check.wrongRateHz()}`);
    feed(check, 3, moving, () => false, 100, 8 + Number(after));
    assert.equal(check.wrongRateHz(), null);
  });
}

test('an oscillator that is 8 % off is not called wrong: windows can take it', () => {
  const check = createSampleCheck(MODALITY);
  assert.equal(
    feed(check, 60, moving, () => check.wrongRateHz() !== null, 108),
    null,
  );
});

test('bursts without samples are a rate of nothing', () => {
  const check = createSampleCheck(MODALITY);
  feed(check, 3, moving, () => false);
  for (let k = 1; k <= 25; k++) check.take(new Float32Array(0), 3e6 + k * 1e5);
  assert.equal(check.wrongRateHz(), 0);
});
