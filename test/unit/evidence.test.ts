/** What prototypes alone say of a window: by hand on small cases, and what absent modalities and unknown classes do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { prototypeEvidence } from '../../core/qqr/evidence.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { assertClose } from '../golden/close.ts';

/** Two modalities, three classes, d = 2. Modality 1 has not seen class 2. */
const PROTOTYPES: PrototypeSet = {
  modalities: 2,
  classes: 3,
  dim: 2,
  values: Float32Array.of(0, 0, 1, 0, 0, 1, /* */ 1, 1, -1, -1, Number.NaN, Number.NaN),
  weight: Float64Array.of(1, 2, 3, 1, 1, 0),
};
const TEMPERATURE = 0.5;

/** ln softmax over the classes of −‖z − P‖² / (d τ), from squared distances. */
function logSoftmax(squares: readonly number[]): number[] {
  const scores = squares.map((square) => -square / (2 * TEMPERATURE));
  const total = Math.log(scores.reduce((sum, score) => sum + Math.exp(score), 0));
  return scores.map((score) => score - total);
}

function evidenceOf(present: readonly number[], z0: readonly number[], z1: readonly number[]): Float64Array {
  const embeddings = [Float32Array.from(z0), Float32Array.from(z1)];
  return prototypeEvidence({
    embeddings,
    present: Float32Array.from(present),
    prototypes: PROTOTYPES,
    temperature: TEMPERATURE,
  });
}

test('the evidence of a sensor is the logarithm of its softmax over prototypes', () => {
  assertClose(evidenceOf([1, 0], [1, 0], [9, 9]), logSoftmax([1, 0, 2]), 1e-6);
});

test('of a class without a prototype a sensor says ln 1/C, and the others share what is sure', () => {
  const [a, b] = logSoftmax([0, 8]);
  assertClose(evidenceOf([0, 1], [9, 9], [1, 1]), [a as number, b as number, -Math.log(3)], 1e-6);
});

test('present sensors add up, window by window; without any, there is none', () => {
  const both = evidenceOf([1, 1], [0, 1], [-1, -1]);
  const apart = [evidenceOf([1, 0], [0, 1], [0, 0]), evidenceOf([0, 1], [0, 0], [-1, -1])];
  assertClose(
    both,
    Array.from(both, (_, c) => (apart[0]?.[c] as number) + (apart[1]?.[c] as number)),
    1e-12,
  );
  const rows = evidenceOf([0, 0, 1, 1], [5, 5, 0, 1], [5, 5, -1, -1]);
  assertClose(rows, [0, 0, 0, ...both], 1e-12);
});

test('values of an absent sensor are not read', () => {
  const nothing = [Number.NaN, Number.NaN];
  assert.deepEqual(evidenceOf([1, 0], [1, 0], nothing), evidenceOf([1, 0], [1, 0], [0, 0]));
});

test('a sensor that knows no class says the same of each', () => {
  const unknown = { ...PROTOTYPES, weight: new Float64Array(6) };
  const embeddings = [new Float32Array(2), new Float32Array(2)];
  const evidence = prototypeEvidence({
    ...{ embeddings, prototypes: unknown, temperature: 1 },
    present: Float32Array.of(1, 0),
  });
  assertClose(evidence, [0, 0, 0].fill(-Math.log(3)), 1e-12);
});

test('embeddings far from every prototype stay finite', () => {
  const far = evidenceOf([1, 1], [1e4, 1e4], [-1e4, 1e4]);
  assert.ok(far.every(Number.isFinite), `${far}`);
});
