/** The network's promises: determinism, no leaks, learning, slices, what it leaves alone and what it refuses. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createRng } from '../../core/math/rng.ts';
import { loadBackend } from '../../core/model/backend.ts';
import { type Batch, sliceBatch } from '../../core/model/batch.ts';
import { accuracyOf } from '../../core/model/evaluate.ts';
import { createNetwork } from '../../core/model/network-tf.ts';
import { initParams, paramLayout } from '../../core/model/params.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { assertClose } from '../golden/close.ts';
import { settings, toyBatch, toyPrototypes, toySpec } from '../golden/toy.ts';
import { trainingDigest } from './training-digest.ts';

const tf = await loadBackend();
const spec = toySpec(2);
const prototypes = toyPrototypes(spec, 3);
const params = initParams(spec, 1);
const inference = { params, prototypes, fill: 'pnr', fillTemperature: 0.25 } as const;

test('two runs give the same bits, in one process and in another', () => {
  const once = trainingDigest(tf, 'pnr');
  assert.equal(trainingDigest(tf, 'pnr'), once);
  assert.notEqual(trainingDigest(tf, 'zero-embedding'), once);
  const program = fileURLToPath(new URL(import.meta.url.replace(/network\.test\.(\w+)$/, 'training-digest.$1')));
  assert.equal(execFileSync(process.execPath, [program], { encoding: 'utf8' }), once);
});

test('200 training calls and predictions leave no tensor behind', () => {
  const network = createNetwork(tf, spec);
  const before = network.tensorCount();
  for (let i = 0; i < 200; i++) {
    const batch = toyBatch(spec, 1 + (i % 12), i, i % 2 === 0 ? [[0, i % 2]] : []);
    const fill = (['zero-input', 'zero-embedding', 'pnr'] as const)[i % 3] ?? 'pnr';
    network.train({ params, prototypes, batch, settings: { ...settings, fill } });
    network.infer({ ...inference, fill, batch });
  }
  assert.equal(network.tensorCount(), before);
});

test('inputs are never mutated', () => {
  const batch = toyBatch(spec, 4, 1, [[1, 0]]);
  const before = structuredClone({ params, prototypes, batch });
  const network = createNetwork(tf, spec);
  network.train({ params, prototypes, batch, settings });
  network.infer({ ...inference, batch });
  assert.deepEqual({ params, prototypes, batch }, before);
});

test('E steps lower the loss of their windows, and there are E losses', () => {
  const { losses } = createNetwork(tf, spec).train({
    params,
    prototypes,
    batch: toyBatch(spec, 10, 4),
    settings: { ...settings, localSteps: 8 },
  });
  assert.equal(losses.length, 8);
  assert.ok((losses[7] as number) < 0.8 * (losses[0] as number), String(losses));
});

test('E steps in one call equal E calls of one step', () => {
  const network = createNetwork(tf, spec);
  const batch = toyBatch(spec, 10, 4, [[2, 1]]);
  const together = network.train({ params, prototypes, batch, settings: { ...settings, localSteps: 3 } });
  let apart = params;
  for (let e = 0; e < 3; e++) {
    apart = network.train({ params: apart, prototypes, batch, settings: { ...settings, localSteps: 1 } }).params;
  }
  assert.deepEqual(together.params, apart);
});

test('step e + 1 sees the e-th rehearsal, and what is reported comes from the windows as they are', () => {
  const network = createNetwork(tf, spec);
  const batches = [11, 12, 13].map((seed) => twelve(seed));
  const [batch, ...rehearsals] = batches as [Batch, ...Batch[]];
  const together = network.train({ params, prototypes, batch, rehearsals, settings: { ...settings, localSteps: 3 } });
  let apart = params;
  for (const one of batches) {
    apart = network.train({ params: apart, prototypes, batch: one, settings: { ...settings, localSteps: 1 } }).params;
  }
  assert.deepEqual(together.params, apart);
  const plain = network.train({ params, prototypes, batch, settings: { ...settings, localSteps: 1 } });
  assert.deepEqual(together.embeddings, plain.embeddings);
  assert.deepEqual(together.probabilities, plain.probabilities);
});

test('a sensor that is hidden from the head is still drawn to its prototypes, and to nothing else', () => {
  const network = createNetwork(tf, spec);
  const whole = twelve(14);
  const hidden = { ...whole, present: whole.present.map((p, i) => (i % 2 === 1 ? 0 : p)), sensed: whole.present };
  const group = paramLayout(spec).groups[1];
  assert.ok(group);
  const encoder = (all: Float32Array) => [...all.subarray(group.offset, group.offset + group.size)];
  const learnt = (batch: Batch, alignWeight: number) =>
    encoder(network.train({ params, prototypes, batch, settings: { ...settings, alignWeight } }).params);
  assert.deepEqual(learnt(hidden, 0), encoder(params));
  assert.notDeepEqual(learnt(hidden, 1), encoder(params));
  const { sensed, ...gone } = hidden;
  assert.deepEqual(learnt(gone, 1), encoder(params));
});

test('without a step, embeddings and probabilities come all the same and parameters stay', () => {
  const batch = toyBatch(spec, 3, 5);
  const output = createNetwork(tf, spec).train({ params, prototypes, batch, settings: { ...settings, localSteps: 0 } });
  assert.deepEqual(output.params, params);
  assert.equal(output.losses.length, 0);
  assert.deepEqual(output.probabilities, createNetwork(tf, spec).infer({ ...inference, batch }).probabilities);
});

test('a single pass over a separable stream is learnt, also with one sensor missing half the time', () => {
  const network = createNetwork(tf, spec);
  let current = initParams(spec, 2);
  for (let round = 0; round < 60; round++) {
    const batch = separable(spec, 10, round, round % 2 === 0 ? null : round % 4 === 1 ? 0 : 1);
    current = network.train({ params: current, prototypes: emptyPrototypes(2, 3, 5), batch, settings }).params;
  }
  const held = separable(spec, 300, 1000, null);
  const { probabilities } = network.infer({ ...inference, params: current, batch: held });
  assert.ok(accuracyOf(probabilities, held.labels, 3) > 0.95);
});

test('probabilities of a training call are those of a prediction before it', () => {
  const network = createNetwork(tf, spec);
  const batch = toyBatch(spec, 10, 6, [
    [0, 0],
    [1, 1],
  ]);
  for (const fill of ['zero-input', 'zero-embedding', 'pnr'] as const) {
    const { probabilities } = network.train({ params, prototypes, batch, settings: { ...settings, fill } });
    assert.deepEqual(probabilities, network.infer({ ...inference, fill, batch }).probabilities);
  }
});

test('a prediction over many windows equals predictions of few', () => {
  const network = createNetwork(tf, spec);
  const batch = toyBatch(spec, 1100, 7, [
    [0, 0],
    [600, 1],
    [1099, 1],
  ]);
  const whole = network.infer({ ...inference, batch }).probabilities;
  const parts = [0, 511, 512, 600, 1099].flatMap((i) => [
    ...network.infer({ ...inference, batch: only(batch, i) }).probabilities,
  ]);
  const rows = [0, 511, 512, 600, 1099].flatMap((i) => [...whole.subarray(3 * i, 3 * i + 3)]);
  assertClose(rows, parts, 1e-6);
  assert.equal(network.infer({ ...inference, batch: toyBatch(spec, 0, 1) }).probabilities.length, 0);
});

test('the encoder of a modality that no window has stays as it is, except when zeros go through it', () => {
  const batch = toyBatch(spec, 3, 8, [
    [0, 1],
    [1, 1],
    [2, 1],
  ]);
  const group = paramLayout(spec).groups[1];
  assert.ok(group);
  const encoder = (all: Float32Array) => all.subarray(group.offset, group.offset + group.size);
  for (const fill of ['zero-input', 'zero-embedding', 'pnr'] as const) {
    const output = createNetwork(tf, spec).train({ params, prototypes, batch, settings: { ...settings, fill } });
    const isSame = encoder(output.params).every((value, i) => value === encoder(params)[i]);
    assert.equal(isSame, fill !== 'zero-input', fill);
  }
});

test('values of absent windows do not matter to what is learnt from the others', () => {
  const batch = toyBatch(spec, 4, 9, [[1, 0]]);
  const each = (batch.inputs[0]?.length ?? 0) / 4;
  const noisy = { ...batch, inputs: batch.inputs.map((all) => all.slice()) };
  noisy.inputs[0]?.fill(3, each, 2 * each);
  const network = createNetwork(tf, spec);
  for (const fill of ['zero-embedding', 'pnr'] as const) {
    const learnt = [batch, noisy].map((b) =>
      network.train({ params, prototypes, batch: b, settings: { ...settings, fill } }),
    );
    assertClose(learnt[0]?.params ?? [], learnt[1]?.params ?? [], 1e-6);
  }
});

test('parameters or prototypes of another network are refused', () => {
  const batch = toyBatch(spec, 2, 1);
  const network = createNetwork(tf, spec);
  const wrong = { code: 'shape-mismatch' };
  assert.throws(() => network.train({ params: params.subarray(1), prototypes, batch, settings }), wrong);
  assert.throws(() => network.infer({ ...inference, prototypes: emptyPrototypes(2, 4, 5), batch }), wrong);
});

test('a window too short for the convolutions is a configuration error', () => {
  const short = { ...spec, modalities: spec.modalities.map((m) => ({ ...m, samples: 4 })) };
  assert.throws(() => createNetwork(tf, short), { code: 'config-invalid' });
});

/** Twelve windows with every sensor. */
function twelve(seed: number): Batch {
  return toyBatch(spec, 12, seed);
}

/** Three classes told apart by the level of either sensor's first channel. */
function separable(spec: ModelSpec, size: number, seed: number, missing: number | null): Batch {
  const batch = toyBatch(
    spec,
    size,
    seed,
    missing === null ? [] : Array.from({ length: size }, (_, b) => [b, missing]),
  );
  const rng = createRng(seed);
  const inputs = spec.modalities.map(({ samples, channels }, m) => {
    const values = new Float32Array(size * samples * channels.length);
    if (m === missing) return values;
    return values.map((_, i) => {
      const label = batch.labels[Math.floor(i / (samples * channels.length))] as number;
      return 0.5 * rng.normal() + (i % channels.length === 0 ? 1.5 * (label - 1) : 0);
    });
  });
  return { ...batch, inputs };
}

const only = (batch: Batch, i: number): Batch => sliceBatch(batch, i, i + 1);
