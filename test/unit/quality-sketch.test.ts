import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { MEASURE_NAMES, MEASURES } from '../../core/qqr/measures.ts';
import { createQualityReference } from '../../core/qqr/quality.ts';
import { mergeSketches, priorOf, SKETCH_LENGTH, sketchOf } from '../../core/qqr/quality-sketch.ts';

/** Measures of a made-up healthy sensor that moves: noise about −3, an offset about 0.4. */
function measuresOf(rng: Rng, noise = -3): Float32Array {
  const measures = new Float32Array(MEASURE_NAMES.length).fill(Number.NaN);
  measures[MEASURES.held] = 0;
  measures[MEASURES.clip] = 0.01;
  measures[MEASURES.variance] = -1;
  measures[MEASURES.noise] = noise + 0.2 * rng.normal();
  measures[MEASURES.offset] = 0.4 + 0.5 * rng.normal();
  return measures;
}

const board = (name: string, windows: number, noise?: number) => {
  const rng = createRng(name);
  return sketchOf(Array.from({ length: windows }, () => measuresOf(rng, noise)));
};

test('sketches add up to the same fleet in any order and grouping', () => {
  const [a, b, c] = [board('a', 100), board('b', 60), board('c', 200)];
  const all = mergeSketches([a, b, c]);
  assert.deepEqual(mergeSketches([c, mergeSketches([b, a])]), all);
  assert.equal(all.counts.length, SKETCH_LENGTH);
  assert.equal(
    all.counts.reduce((sum, count) => sum + count, 0),
    2 * 360,
  );
  assert.ok(all.counts.every(Number.isInteger));
});

test('median and spread of the fleet come back to within half a bin', () => {
  const prior = priorOf(mergeSketches(Array.from({ length: 20 }, (_, i) => board(`board ${i}`, 250))));
  const [center, spread] = prior.offset?.[3] ?? [Number.NaN, Number.NaN];
  assert.ok(Math.abs(center - 0.4) < 1 / 16 && Math.abs(spread - 0.5) < 0.06, `${center} ${spread}`);
});

test('a level that few windows showed is not known, nor is a measure that never spoke', () => {
  const prior = priorOf(board('a', 99));
  assert.deepEqual(prior.noise, [undefined, undefined, undefined, undefined]);
  assert.deepEqual(priorOf(board('a', 1000)).tilt, [undefined, undefined, undefined, undefined]);
});

test('no board outvotes the others, however long it has run', () => {
  const fleet = [board('old', 50_000, -2), ...Array.from({ length: 9 }, (_, i) => board(`new ${i}`, 250, -3))];
  const center = priorOf(mergeSketches(fleet)).noise?.[3]?.[0] as number;
  assert.ok(Math.abs(center + 3) < 0.2, `${center}`);
});

test('a new board of a kind that no prior knows begins from its fleet', () => {
  const rng = createRng('new');
  const kind = { unit: 'hPa', sampleRateHz: 25 };
  const fleet = priorOf(mergeSketches([board('a', 100), board('b', 100)]));
  const noisy = measuresOf(rng, -0.5);
  assert.ok(createQualityReference(kind).score(noisy, 1).quality > 0.9);
  const { quality, why } = createQualityReference({ ...kind, fleet }).score(noisy, 1);
  assert.ok(quality < 0.1 && why === 'noise');
  assert.ok(createQualityReference({ ...kind, fleet }).score(measuresOf(rng), 1).quality > 0.8);
});

test('readings beyond the bins are counted in the outermost', () => {
  const measures = measuresOf(createRng('far'));
  measures[MEASURES.offset] = 50;
  const low = measures.slice();
  low[MEASURES.offset] = Number.NEGATIVE_INFINITY;
  assert.equal(
    sketchOf([measures, low]).counts.reduce((sum, count) => sum + count, 0),
    4,
  );
});
