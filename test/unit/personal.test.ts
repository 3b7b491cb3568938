/** Prototypes of a board's own: what they are made of, how they mix with the fleet's, and that they only touch its own predictions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { roundingOf } from '../../agent/learn/delta.ts';
import { finishTraining, initialCheckpoint, trainingInput } from '../../agent/learn/round-work.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import type { TrainOutput } from '../../core/model/network.ts';
import { DEFAULT_SETTINGS, type TrainSettings } from '../../core/model/settings.ts';
import { addOwn, personalPrototypes } from '../../core/qqr/personal.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { temporaryPath } from '../fixtures/stored-motion.ts';
import { assertClose } from '../golden/close.ts';
import { toySpec } from '../golden/toy.ts';

/** One modality, two or three classes, d = 1. */
function prototypes(values: readonly number[], weight: readonly number[]): PrototypeSet {
  return {
    modalities: 1,
    classes: values.length,
    dim: 1,
    values: Float32Array.from(values),
    weight: Float64Array.from(weight),
  };
}

test('own sums fade by a tenth a round and count windows by weight', () => {
  const first = addOwn(undefined, prototypes([2, Number.NaN], [3, 0]));
  assertClose(first, [6, 3, 0, 0], 1e-6);
  assertClose(addOwn(first, prototypes([4, 1], [1, 2])), [0.9 * 6 + 4, 0.9 * 3 + 1, 2, 2], 1e-5);
});

test('sums of another shape are forgotten', () => {
  assertClose(addOwn(new Float32Array(7).fill(5), prototypes([2, 1], [1, 1])), [2, 1, 1, 1], 1e-6);
});

test("a prototype is the board's own and the fleet's mean by windows; what only one of them has is its", () => {
  const fleet = prototypes([10, 20, Number.NaN], [5, 5, 0]);
  const own = Float32Array.of(6, 3, 0, 0, 8, 2); // 3 windows at 2; none; 2 windows at 4
  const mixed = personalPrototypes(fleet, own, 1);
  assertClose(mixed.values, [(6 + 10) / 4, 20, 4], 1e-6);
  assert.ok(mixed.weight.every((weight) => weight > 0));
  assertClose(personalPrototypes(fleet, own, 1e6).values.subarray(0, 2), [10, 20], 1e-4);
  assert.equal(personalPrototypes(fleet, undefined, 1), fleet);
  assert.equal(personalPrototypes(fleet, new Float32Array(3), 1), fleet);
});

const spec = toySpec(1);
const [B, C, DIM] = [4, spec.classes.length, spec.embedding];
const GLOBAL = {
  ...firstGlobal(spec, 1),
  normalization: {
    mean: spec.modalities.map(({ channels }) => new Float32Array(channels.length)),
    std: spec.modalities.map(({ channels }) => new Float32Array(channels.length).fill(1)),
  },
};
/** To the fleet class 0 is at 0 and class 1 at 1; this person's class 1 is at 0, and its class 0 at −1. */
const FLEET: PrototypeSet = {
  ...GLOBAL.prototypes,
  values: GLOBAL.prototypes.values.slice(),
  weight: GLOBAL.prototypes.weight.slice(),
};
FLEET.weight.fill(1, 0, 2);
FLEET.values.fill(1, DIM, 2 * DIM);

function round(settings: Partial<TrainSettings>, own: Float32Array | undefined, isBlind = false) {
  const all = { ...DEFAULT_SETTINGS, windowsPerRound: B, sendPrototypes: true, evidenceWeight: 1, ...settings };
  const plan: RoundPlan = { round: 2, kind: 'training', modelVersion: 1, deadlineMs: 0, spec, settings: all };
  const windows = Array.from({ length: B }, (_, i) => ({
    label: spec.classes[i % 2] as string,
    values: spec.modalities.map(({ samples, channels }) =>
      isBlind ? null : new Float32Array(samples * channels.length),
    ),
    quality: [1],
  }));
  const before = { ...initialCheckpoint(GLOBAL), own };
  const input = trainingInput(windows, plan, { ...GLOBAL, prototypes: FLEET }, before, 'pi-1');
  const out: TrainOutput = {
    params: GLOBAL.params.map((value) => value + 0.01),
    embeddings: [Float32Array.from({ length: B * DIM }, (_, i) => (Math.floor(i / DIM) % 2) - 1)],
    probabilities: new Float32Array(B * C).fill(1 / C),
    losses: new Float32Array(5),
  };
  return finishTraining(windows, plan, before, input, out, roundingOf('pi-1', 2));
}

test('a board that knows its person predicts its own stream better, and sends the same model and prototypes', () => {
  const learned = round({ personalPrior: 1 }, undefined);
  assert.equal(learned.online.correct, 2, 'before it has seen anything it has what the fleet has: all is class 0');
  const knowing = round({ personalPrior: 1 }, learned.own);
  assert.equal(knowing.online.correct, 4);
  const plain = round({}, undefined);
  assert.equal(plain.own, undefined);
  assert.deepEqual({ ...knowing, online: null, own: null }, { ...plain, online: null, own: null });
  assert.equal(knowing.online.overconfidence, plain.online.overconfidence, "the fleet's temperature is the fleet's");
});

test("where there is no sensor, “don't know” is never right", () => {
  const { correct, count } = round({ personalPrior: 1 }, undefined, true).online;
  assert.deepEqual([correct, count], [0, 4]);
});

test("a board's own sums survive a restart with the rest of its checkpoint", (t) => {
  const path = temporaryPath(t);
  const params = Float32Array.of(1);
  const checkpoint = {
    round: 1,
    cursor: 1,
    seq: 1,
    modelVersion: 1,
    params,
    residual: params,
    own: Float32Array.of(3, 4),
    history: Float32Array.of(5),
  };
  const store = openAgentStore(path);
  store.commitTraining(checkpoint, { round: 1, seq: 1, payload: new Uint8Array(1) }, []);
  store.close();
  const again = openAgentStore(path);
  assert.deepEqual(again.checkpoint(), checkpoint);
  again.close();
});
