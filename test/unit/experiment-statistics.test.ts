import assert from 'node:assert/strict';
import { test } from 'node:test';
import { slopeOf } from '../../core/math/growth-exponent.ts';
import {
  estimateOf,
  isClear,
  pairedDifference,
  studentCdf,
  studentQuantile,
} from '../../scripts/experiment/statistics.ts';

const near = (actual: number | null | undefined, wanted: number, within = 1e-6) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - wanted) <= within, `${actual} is not ${wanted}`);

test('t quantiles are those of the printed tables', () => {
  // NIST/SEMATECH e-Handbook, table of Student's t, and R's qt() for more digits
  const table: readonly (readonly [p: number, freedom: number, t: number])[] = [
    [0.975, 1, 12.7062047],
    [0.975, 2, 4.3026527],
    [0.975, 4, 2.7764451],
    [0.975, 9, 2.2621572],
    [0.975, 30, 2.0422725],
    [0.95, 5, 2.0150484],
    [0.995, 3, 5.8409093],
    [0.025, 9, -2.2621572],
  ];
  for (const [p, freedom, t] of table) near(studentQuantile(p, freedom), t);
  near(studentQuantile(0.975, 1e6), 1.959966, 1e-5);
});

test('the distribution function of one and two degrees of freedom is the closed form', () => {
  for (const t of [-3, -0.2, 0, 0.7, 2, 40]) {
    near(studentCdf(t, 1), 0.5 + Math.atan(t) / Math.PI, 1e-12);
    near(studentCdf(t, 2), 0.5 + t / (2 * Math.sqrt(2 + t * t)), 1e-12);
  }
});

test('an estimate has mean, sample standard deviation and the interval’s half width', () => {
  const { n, mean, std, half } = estimateOf([1, 2, 3, 4, 5]);
  assert.deepEqual([n, mean], [5, 3]);
  near(std, Math.sqrt(2.5));
  near(half, 1.9632432);
  assert.deepEqual(estimateOf([7]), { n: 1, mean: 7, std: null, half: null });
  assert.throws(() => estimateOf([]), RangeError);
});

test('differences are taken between the same seeds only', () => {
  const a = new Map(Object.entries({ 1: 10, 2: 21, 3: 33, 9: 1000 }));
  const b = new Map(Object.entries({ 3: 30, 1: 9, 2: 19, 8: -1000 }));
  const difference = pairedDifference(a, b);
  assert.deepEqual([difference?.n, difference?.mean], [3, 2]);
  near(difference?.half, (studentQuantile(0.975, 2) * 1) / Math.sqrt(3));
  assert.equal(isClear(difference as NonNullable<typeof difference>), false);
  assert.equal(pairedDifference(a, new Map([['8', 1]])), null);
});

test('a difference is clear when its interval leaves out 0', () => {
  assert.equal(isClear(estimateOf([1, 1.1, 0.9])), true);
  assert.equal(isClear(estimateOf([-1, -1.1, -0.9])), true);
  assert.equal(isClear(estimateOf([1, -1, 0.2])), false);
  assert.equal(isClear(estimateOf([5])), false);
  assert.equal(isClear(estimateOf([0, 0, 0])), false);
});

test('the slope of a line is found, and that of noise around it nearly', () => {
  near(slopeOf([1, 2, 5].map((x) => [x, 3 - 0.5 * x] as const)), -0.5);
  near(slopeOf([1, 2, 3, 4].map((x, i) => [x, 2 * x + (i % 2 === 0 ? 0.1 : -0.1)] as const)), 2, 0.05);
});
