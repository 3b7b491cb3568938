import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { sampleStd } from '../../core/math/stats.ts';
import { acStdOf, applyFault, drawFault, FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';

const T = 1000;
const VALUES = Float32Array.from({ length: T * 2 }, (_, i) =>
  i % 2 === 0 ? Math.sin(i / 40) : 5 + 2 * Math.cos(i / 60),
);
const SIGMA = acStdOf([{ values: [VALUES] }], [2])[0] as Float32Array;

function degraded(kind: FaultKind, severity: number, seed = 1) {
  const after = applyFault(VALUES, 2, { kind, severity }, SIGMA, createRng(seed));
  const axis = (of: Float32Array, c: number) => of.filter((_, i) => i % 2 === c);
  return {
    after,
    axis: (c: number) => axis(after, c),
    change: (c: number) =>
      axis(
        after.map((v, i) => v - (VALUES[i] as number)),
        c,
      ),
  };
}

test('the AC standard deviation is taken within windows, not over their levels', () => {
  const low = VALUES.map((value) => value - 100);
  const both = acStdOf([{ values: [VALUES] }, { values: [low] }, { values: [null] }], [2])[0] as Float32Array;
  assert.ok(Math.abs((both[0] as number) - Math.SQRT1_2) < 0.02);
  assert.ok(Math.abs((both[1] as number) - Math.SQRT2) < 0.1);
});

for (const [severity, ratio] of [
  [0, 10],
  [0.8, 1],
  [1, 0.5623],
] as const) {
  test(`noise of severity ${severity} has the signal ${ratio} times its size`, () => {
    for (const c of [0, 1]) {
      const noise = sampleStd(degraded('noise', severity).change(c));
      assert.ok(Math.abs((SIGMA[c] as number) / noise / ratio - 1) < 0.1);
    }
  });
}

test('a clipped axis stays within its limit around the median', () => {
  for (const [severity, sigmas] of [
    [0, 1],
    [1, 0.1],
  ] as const) {
    for (const c of [0, 1]) {
      const axis = degraded('clip', severity).axis(c);
      const width = Math.max(...axis) - Math.min(...axis);
      assert.ok(Math.abs(width / (SIGMA[c] as number) - 2 * sigmas) < 1e-3);
    }
  }
});

test('a stuck sensor repeats its reading from the onset on', () => {
  const { after } = degraded('stuck', 0.5);
  assert.deepEqual(after.subarray(0, 602), VALUES.subarray(0, 602));
  for (let i = 602; i < after.length; i++) assert.equal(after[i], VALUES[600 + (i % 2)]);
  assert.equal(new Set(degraded('stuck', 1).axis(0)).size, 1);
});

test('drift is a bias and a ramp of the same size', () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const change = degraded('drift', 1, seed).change(1);
    const size = 4 * (SIGMA[1] as number);
    assert.ok(Math.abs(Math.abs(change[0] as number) - size) < 1e-3);
    assert.ok(Math.abs(Math.abs((change[T - 1] as number) - (change[0] as number)) - size) < 1e-3);
  }
});

test('bursts read zero on all axes at once and touch nothing else', () => {
  for (const severity of [0, 1]) {
    const { after } = degraded('burst', severity);
    let lost = 0;
    for (let t = 0; t < T; t++) {
      const sample = after.subarray(2 * t, 2 * t + 2);
      if (sample.every((value) => value === 0)) lost++;
      else assert.deepEqual(sample, VALUES.subarray(2 * t, 2 * t + 2));
    }
    assert.ok(lost > 30 && lost <= (0.2 + 0.6 * severity) * T);
  }
});

test('the source is not changed, and the same seed gives the same fault', () => {
  const before = VALUES.slice();
  for (const kind of FAULT_KINDS) assert.deepEqual(degraded(kind, 0.7, 9).after, degraded(kind, 0.7, 9).after);
  assert.deepEqual(VALUES, before);
});

test('faults are drawn from all kinds and the whole range of severity', () => {
  const rng = createRng('draw');
  const drawn = Array.from({ length: 500 }, () => drawFault(FAULT_KINDS, [0.4, 1], rng));
  for (const kind of FAULT_KINDS) assert.ok(drawn.filter((fault) => fault.kind === kind).length > 70);
  const severities = drawn.map(({ severity }) => severity);
  assert.ok(Math.min(...severities) >= 0.4 && Math.min(...severities) < 0.45);
  assert.ok(Math.max(...severities) < 1 && Math.max(...severities) > 0.95);
});
