/** Unlabelled windows in a board's round: which are taken, what they are taught as, and what they leave alone. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundingOf } from '../../agent/learn/delta.ts';
import { withGuesses } from '../../agent/learn/guesses.ts';
import { finishTraining, initialCheckpoint, type LabelledWindow, trainingInput } from '../../agent/learn/round-work.ts';
import { createTrainer } from '../../agent/learn/trainer.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { silentLog } from '../../core/base/log.ts';
import type { Network } from '../../core/model/network.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import { REFERENCE_NETWORK } from '../../core/model/spec.ts';
import { emptyPrototypes, type PrototypeSet } from '../../core/qqr/prototype.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { weightsOf } from '../../server/strategies/strategy.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const B = 4;
const spec = {
  ...REFERENCE_NETWORK,
  modalities: ['acc', 'gyr'].map((name) => ({
    name,
    unit: name === 'acc' ? 'mps2' : 'radps',
    channels: ['x', 'y', 'z'],
    sampleRateHz: 50,
    samples: 128,
  })),
  classes: ['walk', 'sit'],
};
const DIM = spec.embedding;
const base = firstGlobal(spec, 1);
const GLOBAL = {
  ...base,
  version: 1,
  prototypes: farApart(),
  normalization: {
    mean: spec.modalities.map(() => new Float32Array(3)),
    std: spec.modalities.map(() => new Float32Array(3).fill(1)),
  },
};

/** Class 0 at 0, class 1 at 10, in every place and modality. */
function farApart(): PrototypeSet {
  const set = emptyPrototypes(2, 2, DIM);
  set.weight.fill(1);
  for (let m = 0; m < 2; m++) set.values.fill(10, (m * 2 + 1) * DIM, (m * 2 + 2) * DIM);
  return set;
}

/** A window whose every value is `level`; the scripted network embeds it there. */
function level(value: number, label: string): LabelledWindow {
  return { label, values: [0, 1].map(() => new Float32Array(128 * 3).fill(value)), quality: [1, 1] };
}

/** 0 and 2 are labelled; 1 looks like "sit", 3 like nothing in particular. */
const WINDOWS = [level(0, 'walk'), level(10, ''), level(10, 'sit'), level(5, '')];

/** Embeds a window at its first value. Training moves every parameter by 0.01; class 0 is always predicted. */
function network(): Network {
  const embeddingsOf = (inputs: readonly Float32Array[], size: number) =>
    inputs.map((input) =>
      Float32Array.from({ length: size * DIM }, (_, i) => input[Math.floor(i / DIM) * 128 * 3] as number),
    );
  const probabilities = (size: number) => Float32Array.from({ length: size * 2 }, (_, i) => (i % 2 === 0 ? 0.9 : 0.1));
  const train: Network['train'] = ({ params, batch }) => ({
    params: params.map((value) => value + 0.01),
    embeddings: embeddingsOf(batch.inputs, batch.size),
    probabilities: probabilities(batch.size),
    losses: new Float32Array(1),
  });
  return {
    train,
    trainAll: (boards) => boards.map(train),
    infer: ({ batch }) => ({
      probabilities: probabilities(batch.size),
      embeddings: embeddingsOf(batch.inputs, batch.size),
    }),
    tensorCount: () => 0,
  };
}

function planOf(settings: Partial<TrainSettings>): RoundPlan {
  const all = { ...DEFAULT_SETTINGS, windowsPerRound: B, sendPrototypes: true, pseudoLabels: 0.9, ...settings };
  return { round: 2, kind: 'training', modelVersion: 1, deadlineMs: 0, spec, settings: all };
}

function worked(windows: readonly LabelledWindow[], plan = planOf({})) {
  const before = initialCheckpoint(GLOBAL);
  const taught = withGuesses(windows, plan, GLOBAL, before, network());
  const input = trainingInput(taught, plan, GLOBAL, before, 'pi-1');
  const out = network().train(input);
  return { input, work: finishTraining(taught, plan, before, input, out, roundingOf('pi-1', 2)) };
}

test('a window that looks like a class is taught as it, a doubtful one as nothing', () => {
  assert.deepEqual([...worked(WINDOWS).input.batch.labels], [0, 1, 1, -1]);
  assert.deepEqual([...worked(WINDOWS, planOf({ pseudoLabels: 0 })).input.batch.labels], [0, -1, 1, -1]);
});

test('a guess that contradicts a label does not exist: labelled windows are never judged', () => {
  const [guessed] = withGuesses([level(10, 'walk')], planOf({}), GLOBAL, initialCheckpoint(GLOBAL), network());
  assert.equal(guessed?.guess, undefined);
});

test('prototypes and the score on unseen windows come from true labels alone', () => {
  const { work } = worked(WINDOWS);
  assert.deepEqual([work.online.correct, work.online.count], [1, 2]);
  for (const { prototypes } of work.modalities) {
    assert.deepEqual(prototypes?.classes, [0, 1]);
    assert.deepEqual(prototypes?.weights, [16, 16]);
  }
});

test('an update counts as much as windows taught, one by one and in all', () => {
  const plan = planOf({ modalityWeights: true });
  const { work } = worked(WINDOWS, plan);
  const update = {
    device: 'pi-1',
    round: 2,
    seq: 1,
    modelVersion: 1,
    shapeHash: 1,
    windows: B,
    backlog: 0,
    ended: false,
    ...work,
  };
  assert.deepEqual(
    work.modalities.map(({ windowsPresent, weight }) => [windowsPresent, weight]),
    [
      [4, 3 * 16],
      [4, 3 * 16],
    ],
  );
  assert.deepEqual(weightsOf(update, plan.settings), { head: 3 * 16, encoders: [3 * 16, 3 * 16] });
});

test('a round without any label is taught by guesses, or sends no model when there are none', () => {
  const sure = worked([level(0, ''), level(10, ''), level(0, ''), level(10, '')]).work;
  assert.deepEqual([sure.online.count, sure.online.lossSum], [0, 0]);
  assert.ok(sure.modalities.every(({ prototypes, weight }) => prototypes === null && weight === 4 * 16));
  assert.ok(sure.model.length > 0 || sure.coded !== null);
  const none = worked(Array.from({ length: B }, () => level(5, ''))).work;
  assert.ok(none.model.length === 0 && none.coded === null && none.modalities.every(({ weight }) => weight === 0));
});

test('an encoder whose modality only untaught windows had is not sent', () => {
  const blind = { ...level(5, ''), values: [null, new Float32Array(128 * 3).fill(5)] };
  const taught = [0, 1, 2].map(() => ({ ...level(0, 'walk'), values: [new Float32Array(128 * 3), null] }));
  const { work } = worked([blind, ...taught], planOf({ modalityWeights: true }));
  const groups = work.coded?.groups ?? work.model.map(({ group }) => group);
  assert.deepEqual([...groups].sort(), [-1, 0]);
});

for (const [pseudoLabels, used] of [
  [0, [0, 3, 4, 5]],
  [0.9, [0, 2, 3, 4]],
] as const) {
  test(`with pseudoLabels ${pseudoLabels} a board's round uses the windows ${used}, never one of a foreign class`, async (t) => {
    const store = openAgentStore(temporaryPath(t));
    const labels = ['walk', 'run', null, 'sit', 'walk', 'sit', null, null, 'run'];
    store.ingest(
      secondOfMotion(
        0,
        labels.map((label, i) => measuredWindow(i, label)),
      ),
    );
    const trainer = createTrainer({
      device: 'pi-1',
      modalities: spec.modalities,
      store,
      networkFor: async () => network(),
      nextArrival: () => new Promise<void>(() => undefined),
      finite: false,
      log: silentLog,
    });
    assert.equal(await trainer.runRound(planOf({ pseudoLabels }), GLOBAL, new AbortController().signal), 'committed');
    assert.deepEqual(
      store.windowUses().map(({ windowIndex }) => windowIndex),
      used,
    );
    const left = { afterIndex: store.checkpoint()?.cursor ?? -1, classes: spec.classes };
    assert.equal(store.countWindows({ ...left, unlabelled: true }), pseudoLabels === 0 ? 2 : 3);
    assert.equal(store.countWindows(left), pseudoLabels === 0 ? 0 : 1);
    store.close();
  });
}
