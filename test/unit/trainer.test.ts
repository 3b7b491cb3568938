/**
 * What a board refuses to teach: a modality that it measures otherwise than the fleet's model, a step that diverged, and windows that
 * another learner has taught meanwhile.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTrainer } from '../../agent/learn/trainer.ts';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import type { Network } from '../../core/model/network.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';
import { B, GLOBAL, MODALITIES, PLAN, SETTINGS } from '../fixtures/training-round.ts';

/** Answers as a network would, with the given parameters as what training came to. */
function scriptedNetwork(params: Float32Array): Network {
  const train = () => ({
    params,
    embeddings: [0, 1].map(() => new Float32Array(B * PLAN.spec.embedding)),
    probabilities: new Float32Array(B * 2).fill(0.5),
    losses: new Float32Array(1),
  });
  const infer = () => ({ probabilities: new Float32Array(0), embeddings: [] });
  return { train, trainAll: (boards) => boards.map(train), infer, tensorCount: () => 0 };
}

/** Adds 0.01 to every parameter that it is given. */
function addingNetwork(): Network {
  const none = scriptedNetwork(GLOBAL.params);
  const train: Network['train'] = (input) => ({
    ...none.train(input),
    params: input.params.map((value) => value + 0.01),
  });
  return { ...none, train };
}

function trainerOn(
  path: string,
  modalities: readonly WindowModality[],
  params: Float32Array | Network | Promise<Network>,
) {
  const store = openAgentStore(path);
  if (store.ingestPosition() === null) {
    store.ingest(
      secondOfMotion(
        0,
        Array.from({ length: 3 * B }, (_, i) => measuredWindow(i)),
      ),
    );
  }
  const networkFor = async () => (params instanceof Float32Array ? scriptedNetwork(params) : params);
  const nextArrival = () => new Promise<void>(() => undefined);
  return {
    store,
    trainer: createTrainer({
      device: 'pi-1',
      modalities,
      store,
      networkFor,
      nextArrival,
      finite: false,
      log: silentLog,
    }),
  };
}

for (const [what, change] of [
  ['channels in another order', { channels: ['z', 'y', 'x'] }],
  ['another unit', { unit: 'lef' }],
  ['another rate', { sampleRateHz: 100 }],
  ['windows of another length', { samples: 64 }],
] as const) {
  test(`a board with ${what} ends with shape-mismatch and teaches nothing`, async (t) => {
    const modalities = MODALITIES.map((modality) => (modality.name === 'acc' ? { ...modality, ...change } : modality));
    const { store, trainer } = trainerOn(temporaryPath(t), modalities, GLOBAL.params);
    await assert.rejects(trainer.runRound(PLAN, GLOBAL, new AbortController().signal), { code: 'shape-mismatch' });
    assert.equal(store.checkpoint(), null);
    store.close();
  });
}

for (const [what, value] of [
  ['not a number', Number.NaN],
  ['out of range', 20],
  ['far out of range', 1e6],
] as const) {
  test(`a step that came to something ${what} is dropped whole and leaves no residual`, async (t) => {
    const broken = GLOBAL.params.slice();
    broken[7] = value;
    const { store, trainer } = trainerOn(temporaryPath(t), MODALITIES, broken);
    assert.equal(await trainer.runRound(PLAN, GLOBAL, new AbortController().signal), 'committed');
    const checkpoint = store.checkpoint();
    assert.ok(checkpoint !== null);
    assert.ok(checkpoint.residual.every((owed) => owed === 0));
    assert.equal(checkpoint.residual.length, paramLayout(PLAN.spec).total);
    const [answer, ...more] = store.pending();
    assert.equal(more.length, 0);
    assert.ok(answer !== undefined && answer.payload.length < 1000, 'the round is still answered, without a model');
    store.close();
  });
}

test('a board that keeps its own model trains on from it after a restart, whatever is broadcast', async (t) => {
  const path = temporaryPath(t);
  const settings = { ...createStrategy('local-only').settings, windowsPerRound: B };
  const elsewhere = { ...GLOBAL, params: GLOBAL.params.map((value) => value - 5) };
  for (const [round, global] of [
    [1, GLOBAL],
    [2, elsewhere],
    [3, elsewhere],
  ] as const) {
    const { store, trainer } = trainerOn(path, MODALITIES, addingNetwork());
    const plan = { ...PLAN, settings, round };
    assert.equal(await trainer.runRound(plan, global, new AbortController().signal), 'committed');
    const kept = store.checkpoint()?.params[0] as number;
    assert.ok(Math.abs(kept - (GLOBAL.params[0] as number) - 0.01 * round) < 1e-5, `round ${round}: ${kept}`);
    store.close();
  }
});

test('a residual that grew longer than an update may be is forgotten, and the board goes on sending', async (t) => {
  const trained = GLOBAL.params.slice();
  for (let i = 0; i < 4; i++) trained[i] = (trained[i] as number) + 10; // a step of norm 20: two of them are too long
  const { store, trainer } = trainerOn(temporaryPath(t), MODALITIES, trained);
  const plan = { ...PLAN, settings: { ...SETTINGS, modelEvery: 3 } };
  const owed: number[] = [];
  for (const round of [1, 2, 3]) {
    assert.equal(await trainer.runRound({ ...plan, round }, GLOBAL, new AbortController().signal), 'committed');
    owed.push(Math.hypot(...(store.checkpoint()?.residual ?? [])));
  }
  assert.ok(owed.slice(0, 2).every((norm) => Math.abs(norm - 20) < 0.01) && (owed[2] as number) < 0.1, `${owed}`);
  const sizes = store.pending().map(({ payload }) => payload.length);
  assert.ok((sizes[2] as number) > 100 + (sizes[1] as number), `${sizes}`);
  store.close();
});

test('a board whose database is of another network begins with the broadcast, owes nothing, and counts on', async (t) => {
  const path = temporaryPath(t);
  for (const name of ['qqr', 'local-only'] as const) {
    const { store, trainer } = trainerOn(path, MODALITIES, addingNetwork());
    const foreign = new Float32Array(GLOBAL.params.length + 3).fill(9);
    const seq = (store.checkpoint()?.seq ?? 0) + 1;
    const old = { round: seq, cursor: -1, seq, modelVersion: 1, params: foreign, residual: foreign };
    store.commitTraining(old, { round: seq, seq, payload: new Uint8Array(1) }, []);
    const settings = { ...createStrategy(name).settings, windowsPerRound: B };
    const cursor = store.windowUses().at(-1)?.windowIndex ?? -1;
    store.commitTraining(
      { ...old, cursor, seq: seq + 1 },
      { round: seq, seq: seq + 1, payload: new Uint8Array(1) },
      [],
    );
    const plan = { ...PLAN, settings, round: seq + 2 };
    assert.equal(await trainer.runRound(plan, GLOBAL, new AbortController().signal), 'committed', name);
    const kept = store.checkpoint();
    assert.ok(kept !== null);
    assert.equal(kept.seq, seq + 2);
    const own = GLOBAL.params.map((value) => value + 0.01);
    assert.deepEqual(kept.params, settings.shareModel ? new Float32Array(0) : own, 'a shared model is not kept');
    assert.equal(kept.residual.length, GLOBAL.params.length);
    assert.ok(kept.residual.every((owed) => Math.abs(owed) < 0.02));
    store.close();
  }
});

for (const [which, round, windows] of [
  ['the same round', 3, [0, 1, 2, 3]],
  ['a later round', 4, [0, 1, 2, 3, 4, 5, 6, 7]],
] as const) {
  test(`a learner that is overtaken in the middle of ${which} leaves its work and looks again`, async (t) => {
    const path = temporaryPath(t);
    let answer: (network: Network) => void = () => undefined;
    const slow = new Promise<Network>((resolve) => {
      answer = resolve;
    });
    const overtaken = trainerOn(path, MODALITIES, slow);
    const under = overtaken.trainer.runRound({ ...PLAN, round }, GLOBAL, new AbortController().signal);
    const other = trainerOn(path, MODALITIES, GLOBAL.params);
    assert.equal(await other.trainer.runRound(PLAN, GLOBAL, new AbortController().signal), 'committed');
    answer(scriptedNetwork(GLOBAL.params));
    assert.equal(await under, round === PLAN.round ? 'already-done' : 'committed');
    const uses = other.store.windowUses();
    assert.deepEqual(
      uses.map(({ windowIndex }) => windowIndex),
      windows,
    );
    assert.deepEqual([...new Set(uses.map((use) => use.round))], round === PLAN.round ? [3] : [3, 4]);
    overtaken.store.close();
    other.store.close();
  });
}

test('on a full disk what was learned waits, and is stored after a later ingest, trained once', async (t) => {
  const { store } = trainerOn(temporaryPath(t), MODALITIES, GLOBAL.params);
  let [trained, refusals, arrivals] = [0, 2, 0];
  const full: AgentStore = {
    ...store,
    commitTraining(...args) {
      if (refusals-- > 0) throw new AppError('storage-full', 'no room');
      return store.commitTraining(...args);
    },
  };
  const network = addingNetwork();
  const counting: Network = {
    ...network,
    train(input) {
      trained++;
      return network.train(input);
    },
  };
  const board = {
    device: 'pi-1',
    modalities: MODALITIES,
    store: full,
    networkFor: async () => counting,
    log: silentLog,
  };
  const nextArrival = async () => void arrivals++;
  const signal = new AbortController().signal;
  const waiting = createTrainer({ ...board, nextArrival, finite: false });
  assert.equal(await waiting.runRound(PLAN, GLOBAL, signal), 'committed');
  assert.deepEqual([trained, arrivals, store.checkpoint()?.round], [1, 2, PLAN.round]);
  refusals = 1;
  const replaying = createTrainer({ ...board, nextArrival, finite: true });
  const next = replaying.runRound({ ...PLAN, round: PLAN.round + 1 }, GLOBAL, signal);
  await assert.rejects(next, { code: 'storage-full' });
  store.close();
});

test('what is learned while the aggregator begins anew is dropped, and the same windows are learned from in the new epoch', async (t) => {
  const [before, after] = ['b'.repeat(16), 'a'.repeat(16)] as const;
  const network = addingNetwork();
  let isAnew = false;
  const interrupted: Network = {
    ...network,
    train(input) {
      if (!isAnew) store.adoptEpoch(after); // as the agent does, while its learner is at work
      isAnew = true;
      return network.train(input);
    },
  };
  const { store, trainer } = trainerOn(temporaryPath(t), MODALITIES, Promise.resolve(interrupted));
  store.adoptEpoch(before);
  const signal = new AbortController().signal;
  assert.equal(await trainer.runRound({ ...PLAN, epoch: before }, GLOBAL, signal), 'other-epoch');
  assert.deepEqual([store.checkpoint(), store.pending(), store.windowUses()], [null, [], []]);
  assert.equal(await trainer.runRound({ ...PLAN, epoch: after }, GLOBAL, signal), 'committed');
  assert.equal(store.pending().length, 1);
  store.adoptEpoch('c'.repeat(16));
  assert.equal(await trainer.runRound({ ...PLAN, round: 1, epoch: 'c'.repeat(16) }, GLOBAL, signal), 'committed');
  const { round, seq } = store.checkpoint() ?? assert.fail();
  assert.deepEqual([round, seq, store.windowUses().length], [1, 2, 2 * B]);
  store.close();
});
