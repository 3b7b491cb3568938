/**
 * Whole training steps (PNR, PLR, missing windows, an unseen class) against PyTorch's automatic differentiation, one board alone
 * and side by side with others. The numbers are made by training-step.py beside this file.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { loadBackend } from '../../core/model/backend.ts';
import type { TrainInput } from '../../core/model/network.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { assertClose } from './close.ts';

interface Oracle {
  readonly modalities: readonly { readonly name: string; readonly samples: number; readonly channels: number }[];
  readonly conv: ModelSpec['conv'];
  readonly embedding: number;
  readonly hidden: number;
  readonly classes: number;
  readonly learningRate: number;
  readonly fillTemperature: number;
  readonly alignWeight: number;
  readonly alignTemperature: number;
  readonly params: readonly number[];
  readonly inputs: readonly (readonly number[])[];
  readonly present: readonly number[];
  readonly labels: readonly number[];
  readonly prototypes: readonly number[];
  readonly known: readonly number[];
  readonly losses: readonly number[];
  /** Parameters after each step. */
  readonly after: readonly (readonly number[])[];
}

const oracle = JSON.parse(readFileSync('test/golden/vectors-training-step.json', 'utf8')) as Oracle;
const spec: ModelSpec = {
  modalities: oracle.modalities.map(({ name, samples, channels }) => ({
    name,
    unit: 'mps2',
    channels: ['x', 'y', 'z'].slice(0, channels),
    sampleRateHz: 50,
    samples,
  })),
  classes: Array.from({ length: oracle.classes }, (_, c) => `class ${c}`),
  conv: oracle.conv,
  embedding: oracle.embedding,
  hidden: oracle.hidden,
  windowStatistics: true,
};
const settings: TrainSettings = {
  ...DEFAULT_SETTINGS,
  learningRate: oracle.learningRate,
  localSteps: oracle.after.length,
  fill: 'pnr',
  fillTemperature: oracle.fillTemperature,
  alignWeight: oracle.alignWeight,
  alignTemperature: oracle.alignTemperature,
};
const input: TrainInput = {
  params: Float32Array.from(oracle.params),
  prototypes: {
    modalities: spec.modalities.length,
    classes: oracle.classes,
    dim: oracle.embedding,
    values: Float32Array.from(oracle.prototypes),
    weight: Float64Array.from(oracle.known),
  },
  batch: {
    size: oracle.labels.length,
    inputs: oracle.inputs.map((values) => Float32Array.from(values)),
    present: Float32Array.from(oracle.present),
    quality: Float32Array.from(oracle.present),
    labels: Int32Array.from(oracle.labels),
  },
  settings,
};
const network = createNetwork(await loadBackend(), spec);

test('losses and parameters after one and after three steps equal PyTorch', () => {
  const once = network.train({ ...input, settings: { ...settings, localSteps: 1 } });
  assertClose(once.params, oracle.after[0] ?? [], 1e-5);
  const all = network.train(input);
  assertClose(all.params, oracle.after.at(-1) ?? [], 1e-5);
  assertClose(all.losses, oracle.losses, 1e-5);
});

test('boards that train side by side learn what each learns alone', () => {
  const rng = createRng(20261124);
  const boards = Array.from({ length: 7 }, (_, g): TrainInput => {
    if (g === 3) return input;
    const present = input.batch.present.map((p) => (g === 5 ? 1 : rng.next() < 0.3 ? 0 : p));
    const channels = spec.modalities.length;
    const inputs = input.batch.inputs.map((values, m) => {
      const each = values.length / input.batch.size;
      return values.map((_, i) => rng.normal() * (present[Math.floor(i / each) * channels + m] as number));
    });
    const labels = input.batch.labels.map((label) => (g === 6 ? -1 : rng.next() < 0.2 ? -1 : label));
    return {
      ...input,
      params: input.params.map((value) => value + 0.1 * rng.normal()),
      prototypes: { ...input.prototypes, values: input.prototypes.values.map((value) => value + 0.1 * rng.normal()) },
      batch: { ...input.batch, inputs, present, quality: present, labels },
    };
  });
  for (const changes of [
    {},
    { fill: 'label' },
    { fill: 'zero-input', alignLoss: 'distance', proximalWeight: 0.3 },
  ] as const) {
    const changed = { ...settings, ...changes };
    const together = network.trainAll(boards.map((board) => ({ ...board, settings: changed })));
    for (const [g, board] of boards.entries()) {
      const alone = network.train({ ...board, settings: changed });
      const side = together[g];
      assert.ok(side);
      assertClose(side.params, alone.params, 1e-5);
      assertClose(side.losses, alone.losses, 1e-5);
      assertClose(side.probabilities, alone.probabilities, 1e-5);
      for (let b = 0; b < board.batch.size; b++) {
        for (const [m, own] of side.embeddings.entries()) {
          if (board.batch.present[b * 2 + m] === 0) continue; // of an absent window nobody reads
          const row = (all: Float32Array | undefined) =>
            all?.subarray(b * spec.embedding, (b + 1) * spec.embedding) ?? [];
          assertClose(row(own), row(alone.embeddings[m]), 1e-5);
        }
      }
    }
  }
});

test('windows without a label teach nothing: a batch of them leaves the parameters alone', () => {
  const labels = new Int32Array(input.batch.size).fill(-1);
  const out = network.train({ ...input, batch: { ...input.batch, labels } });
  assert.deepEqual(out.params, input.params);
  assert.deepEqual([...out.losses], [0, 0, 0]);
});

test('boards of different batch sizes or settings are not trained side by side', () => {
  assert.throws(() => network.trainAll([input, { ...input, settings: { ...settings } }]), RangeError);
  assert.deepEqual(network.trainAll([]), []);
});
