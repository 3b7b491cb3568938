/** A prediction: the head weighed with the prototypes' evidence, and "don't know" where nothing is sensed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBackend } from '../../core/model/backend.ts';
import { mostProbable } from '../../core/model/evaluate.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { initParams } from '../../core/model/params.ts';
import { type PredictSettings, predict } from '../../core/model/predict.ts';
import { DEFAULT_SETTINGS } from '../../core/model/settings.ts';
import { prototypeEvidence } from '../../core/qqr/evidence.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { assertClose } from '../golden/close.ts';
import { toyBatch, toyPrototypes, toySpec } from '../golden/toy.ts';

const spec = toySpec(2);
const network = createNetwork(await loadBackend(), spec);
const params = initParams(spec, 1);
const prototypes = toyPrototypes(spec, 3);
/** The head alone. */
const SETTINGS: PredictSettings = { ...DEFAULT_SETTINGS, fill: 'zero-embedding', evidenceWeight: 0 };
/** Window 1 lacks modality 0, window 2 has nothing. */
const batch = toyBatch(spec, 5, 2, [
  [1, 0],
  [2, 0],
  [2, 1],
]);
const rowOf = (probabilities: Float32Array, i: number) => [...probabilities.subarray(3 * i, 3 * i + 3)];

test('without evidence a prediction is the head alone', () => {
  const { probabilities } = network.infer({ params, prototypes, batch, fill: 'zero-embedding', fillTemperature: 0.25 });
  const predicted = predict(network, { params, prototypes, batch, settings: SETTINGS });
  for (const i of [0, 1, 3, 4]) assert.deepEqual(rowOf(predicted, i), rowOf(probabilities, i));
});

test('with evidence the head is multiplied by what the prototypes say, to the power of its weight', () => {
  const { probabilities, embeddings } = network.infer({ ...SETTINGS, params, prototypes, batch });
  const evidence = prototypeEvidence({ embeddings, present: batch.present, prototypes, temperature: 0.2 });
  for (const evidenceWeight of [0.5, 1]) {
    const predicted = predict(network, { params, prototypes, batch, settings: { ...SETTINGS, evidenceWeight } });
    for (const i of [0, 1, 3, 4]) {
      const weighed = rowOf(probabilities, i).map(
        (p, c) => p * Math.exp(evidenceWeight * (evidence[3 * i + c] as number)),
      );
      const total = weighed.reduce((sum, p) => sum + p, 0);
      assertClose(
        rowOf(predicted, i),
        weighed.map((p) => p / total),
        1e-5,
      );
    }
  }
});

test('a window without any sensor is answered with "don\'t know", whatever the settings', () => {
  for (const evidenceWeight of [0, 1]) {
    for (const fill of ['zero-input', 'zero-embedding', 'pnr', 'label'] as const) {
      const settings = { ...SETTINGS, evidenceWeight, fill };
      const predicted = predict(network, { params, prototypes, batch, settings });
      assert.deepEqual(rowOf(predicted, 2), [0, 0, 0]);
      assert.equal(mostProbable(predicted, 2, 3), -1);
    }
  }
});

test('where no prototype is known, evidence changes nothing', () => {
  const none = emptyPrototypes(2, 3, spec.embedding);
  const alone = predict(network, { params, prototypes: none, batch, settings: SETTINGS });
  const weighed = predict(network, {
    ...{ params, batch, prototypes: none },
    settings: { ...SETTINGS, evidenceWeight: 1 },
  });
  assertClose(weighed, alone, 1e-6);
});

test("PMM's filling needs a label: at prediction it is PNR's", () => {
  const ofFill = (fill: PredictSettings['fill']) =>
    predict(network, { params, prototypes, batch, settings: { ...SETTINGS, fill } });
  assert.deepEqual(ofFill('label'), ofFill('pnr'));
  assert.notDeepEqual(ofFill('label'), ofFill('zero-embedding'));
});
