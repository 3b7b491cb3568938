/** A board's round as pure functions: what it starts from, what may teach, what is sent and what stays. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundingOf } from '../../agent/learn/delta.ts';
import {
  finishTraining,
  fittingCheckpoint,
  initialCheckpoint,
  type LabelledWindow,
  type RoundWork,
  statisticsWork,
  trainingInput,
} from '../../agent/learn/round-work.ts';
import { AppError } from '../../core/base/errors.ts';
import { createRng } from '../../core/math/rng.ts';
import type { TrainOutput } from '../../core/model/network.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import { dequantize } from '../../core/quant/affine.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { assertClose } from '../golden/close.ts';
import { toySpec } from '../golden/toy.ts';

const spec = toySpec(2);
const SIZE = 6;
const CLASSES = spec.classes.length;
const GLOBAL = {
  ...firstGlobal(spec, 1),
  normalization: {
    mean: spec.modalities.map(({ channels }) => new Float32Array(channels.length)),
    std: spec.modalities.map(({ channels }) => new Float32Array(channels.length).fill(1)),
  },
};

/** Windows 0 and 1 lack modality 1; classes in turn. */
function windows(): LabelledWindow[] {
  const rng = createRng('windows');
  return Array.from({ length: SIZE }, (_, i) => ({
    label: spec.classes[i % CLASSES] as string,
    values: spec.modalities.map(({ samples, channels }, m) =>
      m === 1 && i < 2 ? null : Float32Array.from({ length: samples * channels.length }, () => rng.normal()),
    ),
    quality: [0.5, i < 2 ? 0 : 0.75],
  }));
}

function planOf(settings: Partial<TrainSettings>): RoundPlan {
  const all = { ...DEFAULT_SETTINGS, windowsPerRound: SIZE, ...settings };
  return { round: 4, kind: 'training', modelVersion: 3, deadlineMs: 0, spec, settings: all };
}

/** Embedding of window i: i in every place; the probabilities say class 0 with 0.8. */
function outputOf(params: Float32Array): TrainOutput {
  const embedding = Float32Array.from({ length: SIZE * spec.embedding }, (_, i) => Math.floor(i / spec.embedding));
  const probabilities = Float32Array.from({ length: SIZE * CLASSES }, (_, i) => (i % CLASSES === 0 ? 0.8 : 0.1));
  return { params, embeddings: [embedding, embedding], probabilities, losses: new Float32Array(5) };
}

function worked(settings: Partial<TrainSettings>, step = 0.01, before = initialCheckpoint(GLOBAL)): RoundWork {
  const plan = planOf(settings);
  const input = trainingInput(windows(), plan, GLOBAL, before, 'pi-1');
  const out = outputOf(input.params.map((value) => value + step));
  return finishTraining(windows(), plan, before, input, out, roundingOf('pi-1', plan.round));
}

test('a round starts from the broadcast, or from what the board has when boards keep their own', () => {
  const own = { ...initialCheckpoint(GLOBAL), params: GLOBAL.params.map((value) => value + 1) };
  const startOf = (shareModel: boolean) => trainingInput(windows(), planOf({ shareModel }), GLOBAL, own, 'pi-1').params;
  assert.deepEqual(startOf(true), GLOBAL.params);
  assert.deepEqual(startOf(false), own.params);
});

test('what is left of another network is neither trained on nor owed: the broadcast and nothing are', () => {
  const first = initialCheckpoint(GLOBAL);
  assert.deepEqual(fittingCheckpoint(null, GLOBAL), first);
  const fitting = { ...first, round: 3, seq: 9, residual: first.residual.map(() => 0.5) };
  assert.deepEqual(fittingCheckpoint(fitting, GLOBAL), fitting);
  for (const length of [0, GLOBAL.params.length - 1, GLOBAL.params.length + 1]) {
    const foreign = new Float32Array(length).fill(7);
    const kept = { ...fitting, params: foreign, residual: foreign };
    assert.deepEqual(fittingCheckpoint(kept, GLOBAL), { ...first, round: 3, seq: 9 });
  }
});

test('incomplete windows teach nothing when they are to be dropped: no label, no prototype, no weight', () => {
  const labels = (settings: Partial<TrainSettings>) => [
    ...trainingInput(windows(), planOf(settings), GLOBAL, initialCheckpoint(GLOBAL), 'pi-1').batch.labels,
  ];
  assert.deepEqual(labels({}), [0, 1, 2, 0, 1, 2]);
  assert.deepEqual(labels({ dropIncomplete: true }), [-1, -1, 2, 0, 1, 2]);

  const { modalities } = worked({ dropIncomplete: true, sendPrototypes: true, prototypeBits: 32 });
  assert.deepEqual(
    modalities.map(({ windowsPresent, weight }) => [windowsPresent, weight]),
    [
      [6, 64],
      [4, 64],
    ],
  );
  const prototypes = modalities[0]?.prototypes;
  assert.ok(prototypes);
  // Class 0 is windows 0 and 3, class 1 windows 1 and 4: of each the second remains.
  const first = dequantize(prototypes.values).filter((_, i) => i % spec.embedding === 0);
  assertClose(first, [3, 4, (2 + 5) / 2], 1e-6);
});

test('a rehearsal keeps dropped windows dropped', () => {
  const settings = { dropIncomplete: true, rehearseMissing: 0.5, rehearseFaults: 0.5 };
  const input = trainingInput(windows(), planOf(settings), GLOBAL, initialCheckpoint(GLOBAL), 'pi-1');
  assert.equal(input.rehearsals?.length, DEFAULT_SETTINGS.localSteps - 1);
  for (const { labels } of input.rehearsals ?? []) assert.deepEqual([...labels], [-1, -1, 2, 0, 1, 2]);
});

test('a board without a complete window sends no model, and keeps its parameters as they came out', () => {
  const incomplete = windows().map((window) => ({ ...window, values: [window.values[0] ?? null, null] }));
  const plan = planOf({ dropIncomplete: true });
  const before = initialCheckpoint(GLOBAL);
  const input = trainingInput(incomplete, plan, GLOBAL, before, 'pi-1');
  assert.ok(input.batch.labels.every((label) => label < 0));
  const work = finishTraining(incomplete, plan, before, input, outputOf(input.params), roundingOf('pi-1', 4));
  assert.deepEqual([work.model, work.coded], [[], null]);
  assert.equal(work.online.count, SIZE, 'it has predicted them all the same');
});

test('boards that keep their model send none, and remember what they learned', () => {
  for (const name of ['local-only', 'fedproto'] as const) {
    const settings = { ...createStrategy(name).settings, windowsPerRound: SIZE };
    const first = worked(settings);
    assert.deepEqual([first.model, first.coded], [[], null]);
    assertClose(
      first.params,
      GLOBAL.params.map((value) => value + 0.01),
      1e-7,
    );
    const second = worked(settings, 0.01, { ...initialCheckpoint(GLOBAL), params: first.params });
    assertClose(
      second.params,
      GLOBAL.params.map((value) => value + 0.02),
      1e-6,
    );
    assert.equal(
      first.modalities.some(({ prototypes }) => prototypes !== null),
      name === 'fedproto',
    );
  }
});

test('reports count windows, quality and weight of each modality', () => {
  const report = (settings: Partial<TrainSettings>) =>
    worked(settings).modalities.map(({ windowsPresent, meanQuality, weight }) => [windowsPresent, meanQuality, weight]);
  assert.deepEqual(report({}), [
    [6, 0.5, 96],
    [4, 0.75, 64],
  ]);
  assert.deepEqual(report({ qualityWeights: true }), [
    [6, 0.5, 48],
    [4, 0.75, 48],
  ]);
});

test('predictions are scored before training: right ones and their cross-entropy', () => {
  const { correct, count, lossSum } = worked({}).online;
  assert.deepEqual([correct, count], [2, 6]);
  assert.ok(Math.abs(lossSum + 2 * Math.log(0.8) + 4 * Math.log(0.1)) < 1e-5, `${lossSum}`);
});

test('an encoder whose modality the board did not have stays home when encoders are averaged by modality', () => {
  const without = windows().map((window) => ({ ...window, values: [window.values[0] ?? null, null] }));
  const sent = (modalityWeights: boolean) => {
    const plan = planOf({ modalityWeights });
    const before = initialCheckpoint(GLOBAL);
    const input = trainingInput(without, plan, GLOBAL, before, 'pi-1');
    const out = outputOf(input.params.map((value) => value + 0.01));
    return finishTraining(without, plan, before, input, out, roundingOf('pi-1', 4)).model.map(({ group }) => group);
  };
  assert.deepEqual(sent(true), [0, -1]);
  assert.deepEqual(sent(false), [0, 1, -1]);
});

test('the statistics round sums samples, teaches nothing and leaves the board as it was', () => {
  const before = initialCheckpoint(GLOBAL);
  const work = statisticsWork(windows(), spec, GLOBAL, before);
  assert.deepEqual([work.params, work.residual, work.model], [GLOBAL.params, before.residual, []]);
  const samples = spec.modalities.map((modality) => modality.samples);
  assert.deepEqual(
    work.modalities.map(({ sums }) => sums?.count),
    [6 * (samples[0] as number), 4 * (samples[1] as number)],
  );
});

test('training without a normalization is a defect, not a guess', () => {
  const blind = { ...GLOBAL, normalization: null };
  assert.throws(
    () => trainingInput(windows(), planOf({}), blind, initialCheckpoint(GLOBAL), 'pi-1'),
    (error: unknown) => error instanceof AppError && error.code === 'internal',
  );
});
