/**
 * The training step against the plain float64 network: loss, embeddings, probabilities, and every parameter's gradient
 * against central differences, for one to three modalities, every filling, missing data and unseen classes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBackend } from '../../core/model/backend.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { initParams, paramLayout } from '../../core/model/params.ts';
import type { Fill } from '../../core/model/settings.ts';
import { assertClose } from './close.ts';
import { type PlainInput, plainForward } from './plain-network.ts';
import { settings, toyBatch, toyPrototypes, toySpec } from './toy.ts';

const tf = await loadBackend();
const STEP = 1e-5;

interface Case {
  readonly name: string;
  readonly modalities: number;
  readonly absent: [number, number][];
  readonly unknown: [number, number][];
}

const CASES: readonly Case[] = [
  { name: 'one modality, nothing missing', modalities: 1, absent: [], unknown: [] },
  { name: 'one modality, missing in one window', modalities: 1, absent: [[2, 0]], unknown: [[0, 1]] },
  { name: 'two modalities, nothing missing', modalities: 2, absent: [], unknown: [] },
  {
    name: 'two modalities, each missing somewhere, both in one window',
    modalities: 2,
    absent: [
      [0, 0],
      [1, 1],
      [3, 0],
      [3, 1],
    ],
    unknown: [[1, 2]],
  },
  {
    name: 'two modalities, one missing everywhere',
    modalities: 2,
    absent: [
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
    ],
    unknown: [],
  },
  {
    name: 'three modalities, classes known to some only',
    modalities: 3,
    absent: [
      [0, 0],
      [1, 1],
      [2, 1],
      [2, 2],
    ],
    unknown: [
      [0, 0],
      [2, 1],
    ],
  },
  {
    name: 'three modalities, no prototypes at all',
    modalities: 3,
    absent: [[0, 2]],
    unknown: [0, 1, 2].flatMap((m) => [0, 1, 2].map((c): [number, number] => [m, c])),
  },
];

for (const { name, modalities, absent, unknown } of CASES) {
  for (const fill of ['zero-input', 'zero-embedding', 'pnr'] as const) {
    test(`${name}: ${fill}`, () => checkStep(modalities, absent, unknown, fill));
  }
}

function checkStep(modalities: number, absent: [number, number][], unknown: [number, number][], fill: Fill): void {
  const spec = toySpec(modalities);
  const params = initParams(spec, 7).map((value, i) => value + 0.1 * Math.sin(i)); // no zero biases
  const input = {
    spec,
    params,
    batch: toyBatch(spec, 4, 11, absent),
    prototypes: toyPrototypes(spec, 13, unknown),
    // Step size 1: the change of a parameter is its gradient. λ is not 1, so that it is seen to matter.
    settings: { ...settings, fill, alignWeight: 0.7, alignTemperature: 0.9, learningRate: 1, localSteps: 1 },
  };
  const plain = plainForward(input);
  const output = createNetwork(tf, spec).train(input);
  assertClose(output.losses, [plain.loss], 1e-5);
  assertClose(output.probabilities, plain.probabilities.flat(), 1e-5);
  for (const [m, embeddings] of output.embeddings.entries()) {
    const isThere = (_: unknown, b: number) => input.batch.present[b * modalities + m] === 1;
    const rows = plain.embeddings.map((_, b) => embeddings.slice(b * spec.embedding, (b + 1) * spec.embedding));
    assertClose(
      rows.filter(isThere).flatMap((row) => [...row]),
      plain.embeddings.filter(isThere).flatMap((z) => [...(z[m] ?? [])]),
      1e-5,
    );
  }
  const gradient = params.map((value, i) => value - (output.params[i] as number));
  assertClose(gradient, numericGradient(input, plain.fillings), 2e-5);
  assert.ok(
    gradient.some((g) => Math.abs(g) > 0.05),
    'a gradient of nothing proves nothing',
  );
}

function numericGradient(input: PlainInput, fillings: (readonly number[])[][]): number[] {
  const params = Float64Array.from(input.params);
  return Array.from({ length: paramLayout(input.spec).total }, (_, i) => {
    const kept = params[i] as number;
    const lossAt = (value: number) => {
      params[i] = value;
      return plainForward({ ...input, params }, fillings).loss;
    };
    const slope = (lossAt(kept + STEP) - lossAt(kept - STEP)) / (2 * STEP);
    params[i] = kept;
    return slope;
  });
}
