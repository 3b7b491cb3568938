/** When the prototypes are sure enough of an unlabelled window to teach it, and when they had better keep quiet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import { pseudoLabels } from '../../core/qqr/pseudo-label.ts';

/** Two modalities, three classes, d = 1. Modality 1 has not seen class 2; nobody has seen class 1. */
const PROTOTYPES: PrototypeSet = {
  modalities: 2,
  classes: 3,
  dim: 1,
  values: Float32Array.of(0, 99, 2, /* */ 0, 99, 99),
  weight: Float64Array.of(1, 0, 1, 1, 0, 0),
};

/** Of one window, at temperature 1. */
function labelOf(present: readonly [number, number], z: readonly [number, number], leastConfidence: number): number {
  const input = {
    embeddings: z.map((value) => Float32Array.of(value)),
    present: Float32Array.from(present),
    prototypes: PROTOTYPES,
    temperature: 1,
  };
  return pseudoLabels(input, leastConfidence)[0] as number;
}

/** Of the nearer class 0, of the unseen class and of the other, from modality 0 alone: softmax of −z² and −(z − 2)², times ln 1/3 for the unseen. */
function confidenceAt(z: number): number {
  const [own, other] = [Math.exp(-(z ** 2)), Math.exp(-((z - 2) ** 2))];
  const [p0, p2] = [own / (own + other), other / (own + other)];
  return p0 / (p0 + 1 / 3 + p2);
}

test('the most probable class is taken from exactly its confidence on', () => {
  const confidence = confidenceAt(0.3);
  assert.equal(labelOf([1, 0], [0.3, 0], confidence - 1e-6), 0);
  assert.equal(labelOf([1, 0], [0.3, 0], confidence + 1e-6), -1);
  assert.equal(labelOf([1, 0], [1.9, 0], 0.5), 2);
});

test('modalities that agree are surer than one, and those that disagree keep quiet', () => {
  const alone = confidenceAt(0);
  assert.equal(labelOf([1, 1], [0, 0], alone + 0.05), 0);
  assert.equal(labelOf([1, 1], [2, 0], 0.8), -1);
});

test('a window without any modality is nothing, whatever suffices', () => {
  assert.equal(labelOf([0, 0], [0, 0], 0.01), -1);
});

test('a class that no present modality has a prototype of is never taught', () => {
  // Half-way between its prototypes modality 0 finds 0 and 2 less sure than nothing known is sure of 1, in sum of both modalities.
  const strange: PrototypeSet = { ...PROTOTYPES, weight: Float64Array.of(0, 0, 0, 0, 0, 0) };
  const input = {
    embeddings: [Float32Array.of(0), Float32Array.of(0)],
    present: Float32Array.of(1, 1),
    prototypes: strange,
    temperature: 1,
  };
  assert.deepEqual([...pseudoLabels(input, 0.01)], [-1]);
  assert.equal(labelOf([0, 1], [99, 99], 0.01), 0, 'of one class seen, that one');
});

test('each window is judged by its own row', () => {
  const input = {
    embeddings: [Float32Array.of(0, 2, 1, 0), Float32Array.of(0, 0, 0, 0)],
    present: Float32Array.of(1, 1, 1, 0, 1, 0, 0, 0),
    prototypes: PROTOTYPES,
    temperature: 1,
  };
  assert.deepEqual([...pseudoLabels(input, 0.6)], [0, 2, -1, -1]);
});
