/** Evaluation conditions, with a network that tells which modalities it was given. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BatchWindow } from '../../core/model/batch.ts';
import type { InferInput, Network } from '../../core/model/network.ts';
import { createHoldout } from '../../server/holdout.ts';
import { firstGlobal } from '../../server/next-global.ts';
import type { Evaluation } from '../../server/record.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';

const SAMPLES = 128 * 3;
const NORMALIZATION = {
  mean: [new Float32Array(3), new Float32Array(3)],
  std: [Float32Array.of(1, 1, 1), Float32Array.of(1, 1, 1)],
};
const FIRST = firstGlobal(TINY_SPEC, 1);
/** The average is what predictions are made with, so it must differ from the last model here. */
const GLOBAL = { ...FIRST, averaged: FIRST.params.map((value) => value / 2), normalization: NORMALIZATION };

function windowOf(label: number, acc: number, gyr: number): BatchWindow {
  return { values: [new Float32Array(SAMPLES).fill(acc), new Float32Array(SAMPLES).fill(gyr)], quality: [1, 1], label };
}

/** Says class 1 where the accelerometer is there and reads 1, else class 0. */
function createProbe(): Network & { readonly calls: InferInput[] } {
  const calls: InferInput[] = [];
  return {
    calls,
    train: () => assert.fail('nothing is trained'),
    trainAll: () => assert.fail('nothing is trained'),
    infer(input) {
      calls.push(input);
      const { size, inputs, present } = input.batch;
      const probabilities = Float32Array.from({ length: size * 3 }, (_, i) => {
        const row = Math.floor(i / 3);
        const seen = present[row * 2] === 1 && inputs[0]?.[row * SAMPLES] === 1 ? 1 : 0;
        return i % 3 === seen ? 1 : 0;
      });
      return { probabilities, embeddings: [] };
    },
    tensorCount: () => 0,
  };
}

const WINDOWS = {
  clean: [windowOf(1, 1, 0), windowOf(1, 1, 0), windowOf(0, 0, 0), windowOf(2, 1, 0)],
  degraded: {
    acc: [windowOf(1, 9, 0), windowOf(1, 1, 0), windowOf(0, 1, 0), windowOf(2, 1, 0)],
    gyr: [windowOf(1, 1, 9), windowOf(1, 1, 9), windowOf(0, 0, 9), windowOf(2, 1, 9)],
  },
};
/** Class 0 with 0.8, four times. */
const HALF_SURE = Float32Array.from({ length: 12 }, (_, i) => (i % 3 === 0 ? 0.8 : 0.1));
type Calibration = NonNullable<Evaluation['calibration']>;
const SETTINGS = {
  fill: 'pnr',
  fillTemperature: 0.25,
  evidenceWeight: 0,
  alignTemperature: 0.2,
  gateWeight: 0,
} as const;

test('clean, each modality missing, each degraded, with the fill of the strategy', () => {
  const network = createProbe();
  const holdout = createHoldout({ network, spec: TINY_SPEC, windows: WINDOWS, settings: SETTINGS, conditions: 'all' });
  assert.deepEqual(holdout.evaluate(GLOBAL), {
    clean: 0.75,
    missing: { acc: 0.25, gyr: 0.75 },
    degraded: { acc: 0.25, gyr: 0.75 },
    calibration: { untempered: 0.25, served: 0.25 },
  });
  for (const { fill, fillTemperature, params } of network.calls) {
    assert.deepEqual([fill, fillTemperature, params], ['pnr', 0.25, GLOBAL.averaged]);
  }
  const withoutAcc = network.calls[1]?.batch;
  assert.ok(withoutAcc?.inputs[0]?.every((value) => value === 0));
  assert.deepEqual([...(withoutAcc?.quality ?? [])], [0, 1, 0, 1, 0, 1, 0, 1]);
});

test('served with the temperature of the state, which no accuracy depends on', () => {
  const half = { ...createProbe(), infer: () => ({ probabilities: HALF_SURE, embeddings: [] }) };
  const holdout = createHoldout({
    network: half,
    spec: TINY_SPEC,
    windows: { clean: WINDOWS.clean, degraded: {} },
    settings: SETTINGS,
    conditions: 'clean',
  });
  const plain = holdout.evaluate(GLOBAL);
  const tempered = holdout.evaluate({ ...GLOBAL, temperature: 2 });
  assert.equal(tempered.clean, plain.clean);
  const [{ untempered, served }, before] = [tempered.calibration, plain.calibration] as [Calibration, Calibration];
  assert.ok(Math.abs(untempered - before.served) < 1e-6);
  // One of the four windows is right, each is a bin of its own; √0.8 / (√0.8 + 2 √0.1) is what 0.8 becomes
  const sure = Math.sqrt(0.8) / (Math.sqrt(0.8) + 2 * Math.sqrt(0.1));
  assert.ok(Math.abs(before.served - (0.2 + 3 * 0.8) / 4) < 1e-6);
  assert.ok(Math.abs(served - (1 - sure + 3 * sure) / 4) < 1e-6);
});

test('clean alone asks the network once; windows are stacked once for one normalization', () => {
  const network = createProbe();
  const holdout = createHoldout({
    network,
    spec: TINY_SPEC,
    windows: WINDOWS,
    settings: SETTINGS,
    conditions: 'clean',
  });
  const { clean, missing, degraded } = holdout.evaluate(GLOBAL);
  assert.deepEqual({ clean, missing, degraded }, { clean: 0.75, missing: {}, degraded: {} });
  holdout.evaluate({ ...GLOBAL, version: 1 });
  assert.equal(network.calls.length, 2);
  assert.equal(network.calls[0]?.batch, network.calls[1]?.batch);
});
