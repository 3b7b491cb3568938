import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { measure } from '../../core/qqr/measures.ts';
import { createQualityReference, type QualityReference } from '../../core/qqr/quality.ts';
import type { PartialPrior } from '../../core/qqr/quality-prior.ts';
import { applyFault, type FaultKind } from '../../core/trace/faults.ts';

const ACC = { unit: 'mps2', sampleRateHz: 50 };
const SIGMA = Float32Array.of(2, 2, 2);

/** Walking with a sensor on the hip, roughly: gravity, steps at 2 Hz, their harmonic, sensor noise. */
function walk(rng: Rng, scale = 1): Float32Array {
  const phase = 6 * rng.next();
  return Float32Array.from({ length: 128 * 3 }, (_, i) => {
    const [t, c] = [Math.floor(i / 3) / 50, i % 3];
    const steps = 2 * Math.sin(2 * Math.PI * 2 * t + phase + c) + Math.sin(2 * Math.PI * 6 * t + phase);
    return scale * (c === 2 ? 9.7 : 1.2) + steps + 0.15 * rng.normal();
  });
}

/** Scores `count` windows and lets them teach; returns the last score. */
function feed(reference: QualityReference, count: number, next: () => Float32Array, unit = 'mps2') {
  let score = reference.score(measure(next(), 3, unit), 1);
  for (let i = 0; i < count; i++) {
    const measures = measure(next(), 3, unit);
    score = reference.score(measures, 1);
    reference.learn(measures, score);
  }
  return score;
}

const broken = (rng: Rng, kind: FaultKind, severity = 0.9) => applyFault(walk(rng), 3, { kind, severity }, SIGMA, rng);

test('a new board is judged by the prior: walking is fine', () => {
  const rng = createRng('walk');
  const reference = createQualityReference(ACC);
  for (let i = 0; i < 50; i++) {
    assert.ok(reference.score(measure(walk(rng), 3, 'mps2'), 1).quality > 0.8);
  }
});

for (const [kind, least, whys] of [
  ['noise', 20, ['noise', 'highFrequency', 'jump']],
  ['clip', 20, ['clip']],
  ['stuck', 20, ['held']],
  ['drift', 6, ['ramp', 'level', 'offset']],
  ['burst', 20, ['held', 'clip', 'jump']],
] as const) {
  test(`of 20 windows with a severe ${kind} a new board finds at least ${least} bad, and says why`, () => {
    const rng = createRng(kind);
    const reference = createQualityReference(ACC);
    const scores = Array.from({ length: 20 }, () => reference.score(measure(broken(rng, kind), 3, 'mps2'), 1));
    const bad = scores.filter(({ quality }) => quality < 0.5);
    assert.ok(bad.length >= least, `${bad.length}`);
    for (const { why } of bad) assert.ok((whys as readonly (string | null)[]).includes(why), `${why}`);
  });
}

test('every score below 1 has its reason, and only those', () => {
  const rng = createRng('why');
  const reference = createQualityReference(ACC);
  const fault = () => applyFault(walk(rng), 3, { kind: 'drift', severity: rng.next() }, SIGMA, rng);
  for (let i = 0; i < 100; i++) {
    const { quality, why } = reference.score(measure(i % 2 === 0 ? walk(rng) : fault(), 3, 'mps2'), 1);
    assert.equal(why === null, quality === 1);
  }
  const unknown = createQualityReference({ unit: 'hPa', sampleRateHz: 50 });
  const nothing = measure(walk(rng), 3, 'hPa').fill(Number.NaN);
  assert.deepEqual(unknown.score(nothing, 1), { quality: 1, why: null });
});

/** A board on a table; the sensor's own noise. */
const still = (rng: Rng, at: readonly number[], noise: number) =>
  Float32Array.from({ length: 384 }, (_, i) => (at[i % 3] as number) + noise * rng.normal());

test('a gyroscope that holds a reading of a fast turn is held, though its bias is the larger number', () => {
  const reference = createQualityReference({ unit: 'radps', sampleRateHz: 50 });
  for (const rate of [0.5, 5, 30]) {
    const held = new Float32Array(3 * 128).fill(rate);
    assert.deepEqual(reference.score(measure(held, 3, 'radps'), 1).why, 'held', `${rate} rad/s`);
  }
});

for (const [unit, why, healthy, wrong] of [
  ['mps2', 'gravity', [0.1, 0.1, 9.8], [0.1, 0.1, 11.8]],
  ['radps', 'bias', [0.01, 0, 0.01], [0.35, 0, 0]],
] as const) {
  test(`at rest ${why} is judged by a limit that no history excuses`, () => {
    const rng = createRng(why);
    const reference = createQualityReference({ unit, sampleRateHz: 50 });
    const next = (at: readonly number[]) => () => still(rng, at, unit === 'mps2' ? 0.02 : 0.003);
    assert.ok(feed(reference, 10, next(healthy), unit).quality > 0.9);
    const before = reference.state();
    assert.ok(feed(reference, 600, next(wrong), unit).quality < 0.1);
    assert.deepEqual(reference.state(), before);
    assert.equal(reference.score(measure(next(wrong)(), 3, unit), 1).why, why);
  });
}

test('what the fleet reads takes the place of the built-in prior, level by level', () => {
  const rng = createRng('fleet');
  const noisy = () => Float32Array.from(walk(rng), (value) => value + 1.5 * rng.normal());
  const scoreWith = (fleet: PartialPrior) =>
    createQualityReference({ ...ACC, fleet }).score(measure(noisy(), 3, 'mps2'), 1).quality;
  const wide = [-1.5, 1] as const;
  assert.ok(scoreWith({}) < 0.5);
  assert.ok(scoreWith({ noise: [wide, undefined, undefined, undefined] }) < 0.5);
  const levels = [wide, wide, wide, wide];
  assert.ok(
    scoreWith({
      noise: levels,
      highFrequency: levels,
      jump: [
        [3, 1],
        [3, 1],
        [3, 1],
        [3, 1],
      ],
    }) > 0.8,
  );
});

test('quality is at most the share of samples that came', () => {
  const measures = measure(walk(createRng('walk')), 3, 'mps2');
  const reference = createQualityReference(ACC);
  assert.deepEqual(reference.score(measures, 0.6), { quality: 0.6, why: 'completeness' });
  assert.deepEqual(reference.score(measures, 0.3), { quality: 0.3, why: 'completeness' });
});

test('a board learns its own usual: what the prior finds odd but mild becomes good', () => {
  const rng = createRng('heavy');
  const heavy = () => walk(rng, 1.25);
  const reference = createQualityReference({ ...ACC, sampleRateHz: 100 });
  assert.ok(feed(reference, 60, heavy).quality > 0.8);
  assert.ok(reference.score(measure(walk(rng), 3, 'mps2'), 1).quality > 0.8);
});

test('an hour of noise does not become usual on the way, and one good window resets the patience', () => {
  const rng = createRng('degraded');
  const reference = createQualityReference(ACC);
  feed(reference, 100, () => walk(rng));
  for (let hour = 0; hour < 6; hour++) {
    assert.ok(feed(reference, 450, () => broken(rng, 'noise')).quality < 0.5);
    assert.ok(feed(reference, 3, () => walk(rng)).quality > 0.8);
  }
});

test('a board that was refitted is learned anew after its patience is over, a restart in between', () => {
  const rng = createRng('refitted');
  const odd = () => walk(rng, 1.8);
  let reference = createQualityReference(ACC);
  feed(reference, 100, () => walk(rng));
  assert.ok(feed(reference, 490, odd).quality < 0.5);
  reference = createQualityReference(ACC, reference.state());
  assert.ok(feed(reference, 60, odd).quality > 0.8);
});

test('a stuck sensor never becomes usual', () => {
  const rng = createRng('stuck');
  const reference = createQualityReference(ACC);
  feed(reference, 100, () => walk(rng));
  const before = reference.state();
  assert.ok(feed(reference, 2000, () => broken(rng, 'stuck')).quality < 0.01);
  assert.deepEqual(reference.state(), before);
});

test('a unit without a prior starts with the fixed limits and then judges by its own history', () => {
  const rng = createRng('pressure');
  const air = (size: number) => () =>
    Float32Array.from({ length: 384 }, (_, i) => Math.sin(i / 90) + size * rng.normal());
  const reference = createQualityReference({ unit: 'hPa', sampleRateHz: 50 });
  assert.ok(reference.score(measure(air(1)(), 3, 'hPa'), 1).quality > 0.9);
  feed(reference, 100, air(0.01), 'hPa');
  assert.ok(reference.score(measure(air(0.01)(), 3, 'hPa'), 1).quality > 0.9);
  assert.ok(reference.score(measure(air(0.3)(), 3, 'hPa'), 1).quality < 0.1);
});

test('saved as JSON and gone on from, the scores are the same to the bit', () => {
  const rng = createRng('save');
  const windows = Array.from({ length: 400 }, (_, i) =>
    measure(i % 3 === 0 ? broken(rng, 'drift', 0.3) : walk(rng), 3, 'mps2'),
  );
  const whole = createQualityReference(ACC);
  let saved = createQualityReference(ACC);
  for (const measures of windows) {
    const score = whole.score(measures, 1);
    assert.deepEqual(saved.score(measures, 1), score);
    whole.learn(measures, score);
    saved.learn(measures, score);
    saved = createQualityReference(ACC, JSON.parse(JSON.stringify(saved.state())));
  }
  assert.ok(JSON.stringify(saved.state()).length < 4000);
});
