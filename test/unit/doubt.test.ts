/** The second opinion: which windows get one, what it is asked about, and how the two are put together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Batch } from '../../core/model/batch.ts';
import { DOUBTED_BELOW, withoutDoubted } from '../../core/model/doubt.ts';
import { accuracyOf } from '../../core/model/evaluate.ts';
import type { InferInput, Network } from '../../core/model/network.ts';
import { predict } from '../../core/model/predict.ts';
import { predictionAt } from '../../core/model/prediction.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';

/** Two modalities of two values a window; input values tell window and modality. */
function batchOf(quality: readonly (readonly [number, number])[]): Batch {
  const size = quality.length;
  const present = Float32Array.from(quality.flat(), (value) => (value < 0 ? 0 : 1));
  const input = (m: number) =>
    Float32Array.from({ length: size * 2 }, (_, i) => (present[Math.floor(i / 2) * 2 + m] === 1 ? 10 * m + i : 0));
  return {
    size,
    inputs: [input(0), input(1)],
    present,
    quality: Float32Array.from(quality.flat(), (value) => Math.max(0, value)),
    labels: Int32Array.from(quality, (_, i) => i % 2),
  };
}

const BAD = DOUBTED_BELOW - 0.01;

test('a window gets a second opinion when it has a sensor to doubt and another to go by', () => {
  const batch = batchOf([
    [1, DOUBTED_BELOW], // nothing to doubt
    [BAD, 1],
    [BAD, BAD], // nothing else to go by
    [-1, BAD], // nothing else to go by
    [1, BAD],
    [-1, -1],
  ]);
  const undoubted = withoutDoubted(batch);
  assert.deepEqual(undoubted?.rows, [1, 4]);
  assert.deepEqual([...(undoubted?.batch.present ?? [])], [0, 1, 1, 0]);
  assert.deepEqual([...(undoubted?.batch.quality ?? [])], [0, 1, 1, 0]);
  assert.deepEqual(
    undoubted?.batch.inputs.map((input) => [...input]),
    [
      [0, 0, 8, 9],
      [12, 13, 0, 0],
    ],
  );
  assert.deepEqual([...(undoubted?.batch.labels ?? [])], [1, 0]);
  assert.equal(withoutDoubted(batchOf([[1, 1]])), null);
});

/** Says 0.8 : 0.2 with both sensors, 0.1 : 0.9 with the second alone. */
function twoMinds(calls: InferInput[] = []): Network {
  return {
    train: () => assert.fail('nothing is trained'),
    trainAll: () => assert.fail('nothing is trained'),
    infer(input) {
      calls.push(input);
      const { size, present } = input.batch;
      const rows = Array.from({ length: size }, (_, i) => (present[2 * i] === 1 ? [0.8, 0.2] : [0.1, 0.9]));
      return { probabilities: Float32Array.from(rows.flat()), embeddings: [] };
    },
    tensorCount: () => 0,
  };
}

const prototypes = emptyPrototypes(2, 2, 1);
const SETTINGS = { fill: 'zero-embedding', fillTemperature: 1, evidenceWeight: 0, alignTemperature: 1 } as const;

function said(gateWeight: number, batch: Batch, temperature?: number, calls?: InferInput[]): Float32Array {
  const input = { params: new Float32Array(), prototypes, batch, settings: { ...SETTINGS, gateWeight } };
  return predict(twoMinds(calls), temperature === undefined ? input : { ...input, temperature });
}

test('γ leads from the one opinion to the other, and sound windows keep theirs', () => {
  const batch = batchOf([
    [1, 1],
    [BAD, 1],
  ]);
  const odds = (of: Float32Array, row: number) => (of[2 * row] as number) / (of[2 * row + 1] as number);
  for (const gamma of [0, 0.25, 0.5, 1]) {
    const probabilities = said(gamma, batch);
    assert.ok(Math.abs(odds(probabilities, 0) - 4) < 1e-4);
    assert.ok(Math.abs(Math.log(odds(probabilities, 1) / (4 ** (1 - gamma) * (1 / 9) ** gamma))) < 1e-5);
    assert.ok(Math.abs((probabilities[2] as number) + (probabilities[3] as number) - 1) < 1e-6);
  }
});

test('the network is asked again for doubted windows only, and not at all with γ = 0', () => {
  const doubted = batchOf([
    [1, 1],
    [BAD, 1],
  ]);
  const calls: InferInput[] = [];
  said(0.5, doubted, 1, calls);
  assert.deepEqual(
    calls.map(({ batch }) => batch.size),
    [2, 1],
  );
  calls.length = 0;
  said(0, doubted, 1, calls);
  said(0.5, batchOf([[1, 1]]), 1, calls);
  assert.equal(calls.length, 2);
});

test('a temperature changes confidences as it says and no prediction', () => {
  const batch = batchOf([
    [1, 1],
    [BAD, 1],
  ]);
  const [plain, tempered] = [said(0.5, batch), said(0.5, batch, 2)];
  for (const row of [0, 1]) {
    const [before, after] = [predictionAt(plain, row, 2), predictionAt(tempered, row, 2)];
    assert.equal(before.class, after.class);
    const odds = (p: number) => p / (1 - p);
    assert.ok(Math.abs(odds(after.confidence) ** 2 - odds(before.confidence)) < 1e-3);
  }
});

test('a window without any sensor is "don\'t know" at every setting, and counts as wrong', () => {
  const batch = batchOf([
    [-1, -1],
    [1, 1],
  ]);
  for (const gamma of [0, 0.5, 1]) {
    for (const temperature of [1, 3]) {
      const probabilities = said(gamma, batch, temperature);
      assert.deepEqual([...probabilities.subarray(0, 2)], [0, 0]);
      assert.deepEqual(predictionAt(probabilities, 0, 2), { class: null, confidence: 0 });
      assert.equal(accuracyOf(probabilities, Int32Array.of(0, 0), 2), 0.5);
    }
  }
});
