/** PNR's filling against the PyTorch reference and against its equation. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createRng } from '../../core/math/rng.ts';
import { loadBackend } from '../../core/model/backend.ts';
import { createKernels } from '../../core/model/kernels.ts';
import { type CompensateInput, planCompensate } from '../../core/qqr/compensate.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { assertClose } from './close.ts';
import { plainFilling } from './plain-network.ts';
import { PNR } from './vectors-network.ts';

const tf = await loadBackend();
const k = createKernels(tf);

/** Class weights [B·M, C] and fillings [B, M·d]; null when the plan finds nothing to fill. */
function fill(prototypes: PrototypeSet, input: Omit<CompensateInput, 'prototypes'>, z: number[], temperature: number) {
  const results: { weights: Float32Array; filling: Float32Array }[] = [];
  tf.tidy(() => {
    const plan = planCompensate(k, [{ ...input, prototypes }], temperature);
    if (plan === null) return;
    const width = prototypes.modalities * prototypes.dim;
    const { weights, filling } = plan.apply(k.constant(Float32Array.from(z), [1, input.size, width]));
    results.push({ weights: weights.dataSync<'float32'>(), filling: filling.dataSync<'float32'>() });
  });
  return results[0] ?? null;
}

const prototypesAB: PrototypeSet = {
  modalities: 2,
  classes: 3,
  dim: 4,
  values: Float32Array.from([PNR.prototypesA, PNR.prototypesB].flat(2)),
  weight: new Float64Array(6).fill(1),
};
const onlyA: Omit<CompensateInput, 'prototypes'> = {
  size: 2,
  present: Float32Array.of(1, 0, 1, 0),
  quality: Float32Array.of(0.3, 0, 1, 0),
};
/** Modality b's own values must not matter: it is missing. */
const embeddingsOfA = PNR.z.flatMap((z) => [...z, 9, 9, 9, 9]);

test('class weights and fillings equal the reference', () => {
  const got = fill(prototypesAB, onlyA, embeddingsOfA, PNR.temperature);
  assert.ok(got !== null);
  const zeros = [0, 0, 0];
  assertClose(
    got.weights,
    PNR.weights.flatMap((w) => [...zeros, ...w]),
    1e-5,
  );
  assertClose(
    got.filling,
    PNR.filling.flatMap((f) => [0, 0, 0, 0, ...f]),
    1e-5,
  );
});

test('a class that one of the two modalities has never seen gets no weight', () => {
  for (const unseen of [1, 4]) {
    const prototypes = { ...prototypesAB, weight: prototypesAB.weight.map((w, i) => (i === unseen ? 0 : w)) };
    const got = fill(prototypes, onlyA, embeddingsOfA, PNR.temperature);
    assert.ok(got !== null);
    assert.equal(got.weights[3 + 1], 0);
    assertClose([(got.weights[3] as number) + (got.weights[5] as number)], [1], 1e-6);
  }
});

test('nothing is planned when nothing is missing, nothing is present, or no class is known to both', () => {
  const all = Float32Array.of(1, 1, 1, 1);
  assert.equal(fill(prototypesAB, { size: 2, present: all, quality: all }, embeddingsOfA, 0.25), null);
  const none = Float32Array.of(0, 0, 0, 0);
  assert.equal(fill(prototypesAB, { size: 2, present: none, quality: none }, embeddingsOfA, 0.25), null);
  const apart = { ...prototypesAB, weight: Float64Array.of(1, 0, 0, 0, 1, 1) };
  assert.equal(fill(apart, onlyA, embeddingsOfA, 0.25), null);
});

test('any modalities, classes, gaps and qualities: the equation of docs/algorithm.md §4, zero where nothing can be filled', () => {
  const world = fc.record({
    seed: fc.nat(),
    modalities: fc.integer({ min: 1, max: 4 }),
    classes: fc.integer({ min: 1, max: 5 }),
    size: fc.integer({ min: 1, max: 4 }),
    gaps: fc.double({ min: 0, max: 1, noNaN: true }),
    temperature: fc.double({ min: 0.1, max: 2, noNaN: true }),
  });
  fc.assert(
    fc.property(world, ({ seed, modalities, classes, size, gaps, temperature }) => {
      const dim = 6;
      const rng = createRng(seed);
      const chance = () => (rng.next() < gaps ? 0 : 1);
      const prototypes: PrototypeSet = {
        modalities,
        classes,
        dim,
        values: Float32Array.from({ length: modalities * classes * dim }, () => rng.normal()),
        weight: Float64Array.from({ length: modalities * classes }, chance),
      };
      const present = Float32Array.from({ length: size * modalities }, chance);
      const quality = present.map((p) => p * rng.int(3) * 0.5);
      const z = Array.from({ length: size * modalities }, () => normalized(Array.from({ length: dim }, rng.normal)));
      const got = fill(prototypes, { size, present, quality }, z.flat(), temperature);
      const expected = z.flatMap((own, row) => {
        if (present[row] === 1) return own.map(() => 0);
        const [from, m] = [row - (row % modalities), row % modalities];
        const ofWindow = <T>(all: ArrayLike<T>) => Array.from(all).slice(from, from + modalities);
        return [...plainFilling(ofWindow(z), ofWindow(present), ofWindow(quality), m, prototypes, temperature)];
      });
      assertClose(got?.filling ?? expected.map(() => 0), expected, 2e-5);
    }),
    { numRuns: 200 },
  );
});

/** Mean 0, mean square 1, as the layer norm leaves it. */
function normalized(values: number[]): number[] {
  const mean = values.reduce((a, b) => a + b) / values.length;
  const scale = Math.sqrt(values.length / values.reduce((sum, v) => sum + (v - mean) ** 2, 0));
  return values.map((v) => (v - mean) * scale);
}
