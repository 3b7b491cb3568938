import assert from 'node:assert/strict';
import test from 'node:test';
import type { GlobalState } from '../../core/model/global-state.ts';
import { paramLayout } from '../../core/model/params.ts';
import { DEFAULT_SETTINGS } from '../../core/model/settings.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import {
  decodeGlobalModel,
  decodeGlobalPrototypes,
  decodeReceipt,
  decodeRoundClosed,
  decodeRoundPlan,
  decodeStatus,
} from '../../core/wire/decode-downlink.ts';
import type { DeviceStatus, Receipt, RoundPlan } from '../../core/wire/downlink.ts';
import type { Decoded } from '../../core/wire/frame.ts';
import {
  encodeGlobal,
  encodeReceipt,
  encodeRoundClosed,
  encodeRoundPlan,
  encodeStatus,
  encodeUpdate,
  sizeOfParts,
} from '../../core/wire/messages.ts';
import { groupShapes, groupValues } from '../../core/wire/model-values.ts';
import { REJECT_REASONS } from '../../core/wire/update.ts';
import {
  expectationOf,
  SAMPLE_SPEC,
  sampleCodedUpdate,
  sampleStatistics,
  sampleUpdate,
} from '../fixtures/sample-update.ts';

const PLAN: RoundPlan = {
  round: 3,
  kind: 'training',
  modelVersion: 2,
  deadlineMs: 60_000,
  spec: SAMPLE_SPEC,
  settings: {
    ...DEFAULT_SETTINGS,
    strategy: 'qqr',
    learningRate: 0.1,
    localSteps: 5,
    windowsPerRound: 10,
    fill: 'pnr',
    fillTemperature: 0.25,
    alignWeight: 1,
    alignTemperature: 0.2,
    qualityWeights: false,
    modalityWeights: true,
    sendPrototypes: true,
    prototypeBits: 4,
    modelBits: 2,
  },
};

function taken<T>(decoded: Decoded<T>): T {
  assert.ok(decoded.ok, decoded.ok ? '' : `${decoded.reason}: ${decoded.detail}`);
  return decoded.value;
}

function assertRefused(decoded: Decoded<unknown>, reason: string, what: string): void {
  assert.equal(decoded.ok ? 'taken' : decoded.reason, reason, what);
}

test('an update survives the wire at every width', () => {
  for (const bits of [1, 2, 3, 4, 5, 6, 7, 8, 32]) {
    const update = sampleUpdate({ modelBits: bits, prototypeBits: bits });
    assert.deepEqual(taken(decodeUpdate(encodeUpdate(update), expectationOf(update, SAMPLE_SPEC))), update);
  }
});

test('an update with a coded model survives the wire at every width', () => {
  for (const sparse of [false, true]) {
    for (const modelBits of [1, 2, 3, 4, 5, 6, 7, 8]) {
      const update = sampleCodedUpdate({ modelBits, sparse });
      assert.deepEqual(taken(decodeUpdate(encodeUpdate(update), expectationOf(update, SAMPLE_SPEC))), update);
    }
  }
});

test('a coded model carries the values of the plain one, counted as its part', () => {
  const [plain, coded] = [sampleUpdate({ modelBits: 4 }), sampleCodedUpdate({ modelBits: 4 })];
  const shapes = groupShapes(paramLayout(SAMPLE_SPEC));
  assert.deepEqual(groupValues(coded, shapes), groupValues(plain, shapes));
  const sizes = sizeOfParts(coded, 20_998);
  assert.equal(sizes.model, sizes.payload - encodeUpdate({ ...coded, coded: null }).length);
  assert.equal(sizes.fp32, sizeOfParts(plain, 20_998).fp32);
  assert.ok(sizes.model < sizeOfParts(plain, 20_998).model);
});

test('an update without prototypes, model or a modality survives the wire', () => {
  const full = sampleUpdate();
  const absent = { windowsPresent: 0, meanQuality: 0, weight: 0, prototypes: null, sums: null, why: null };
  const [acc] = full.modalities;
  assert.ok(acc);
  for (const update of [
    { ...full, modalities: [acc, absent], model: full.model.filter(({ group }) => group !== 1) },
    { ...full, modalities: [absent, absent], model: [], ended: true, backlog: 0, seq: 0 },
    sampleStatistics(),
  ]) {
    assert.deepEqual(taken(decodeUpdate(encodeUpdate(update), expectationOf(update, SAMPLE_SPEC))), update);
  }
});

test('a decoded update keeps nothing of the payload that it came in', () => {
  const update = sampleUpdate();
  const payload = encodeUpdate(update);
  const decoded = taken(decodeUpdate(payload, expectationOf(update, SAMPLE_SPEC)));
  payload.fill(0xff);
  assert.deepEqual(decoded, update);
});

test('the parts of an update add up, and float32 counts the full model', () => {
  const update = sampleUpdate();
  const sizes = sizeOfParts(update, 20_998);
  assert.equal(sizes.payload, encodeUpdate(update).length);
  assert.equal(sizes.model, sizes.payload - encodeUpdate({ ...update, model: [] }).length);
  const modalities = update.modalities.map((report) => ({ ...report, prototypes: null }));
  const bare = sizeOfParts({ ...update, modalities }, 20_998);
  assert.equal(bare.prototypes, 0);
  assert.equal(sizes.payload - bare.payload, sizes.prototypes + 2); // each report's own length shrinks to one byte
  assert.equal(sizes.fp32, 4 * (2 * 6 * 32 + 20_998));
  assert.equal(sizeOfParts(sampleStatistics(), 20_998).fp32, 0);
});

test('a round plan survives the wire', () => {
  for (const kind of ['statistics', 'training', 'finished'] as const) {
    const plan = { ...PLAN, kind };
    assert.deepEqual(taken(decodeRoundPlan(encodeRoundPlan(plan))), plan);
  }
});

test('what a plan says of how large and how late an update may be survives the wire, and is left out where it says nothing', () => {
  for (const terms of [{ maxUpdateBytes: 4096 }, { lateRounds: 3 }, { maxUpdateBytes: 1, lateRounds: 100 }, {}]) {
    assert.deepEqual(taken(decodeRoundPlan(encodeRoundPlan({ ...PLAN, ...terms }))), { ...PLAN, ...terms });
  }
  assertRefused(decodeRoundPlan(encodeRoundPlan({ ...PLAN, lateRounds: 101 })), 'out-of-range', 'too late');
});

test('a plan that would make a board build something absurd is refused', () => {
  const bad: [string, object, object][] = [
    ['malformed', { kind: 'sleep' }, {}],
    ['malformed', {}, { fill: 'guess' }],
    ['malformed', { spec: { ...SAMPLE_SPEC, classes: ['a', 'a'] } }, {}],
    ['malformed', { spec: { ...SAMPLE_SPEC, classes: [''] } }, {}],
    ['out-of-range', { spec: { ...SAMPLE_SPEC, classes: [] } }, {}],
    ['out-of-range', { spec: { ...SAMPLE_SPEC, modalities: [] } }, {}],
    ['out-of-range', { spec: { ...SAMPLE_SPEC, hidden: 2 ** 31 } }, {}],
    ['out-of-range', { spec: { ...SAMPLE_SPEC, embedding: 257 } }, {}],
    ['out-of-range', { spec: { ...SAMPLE_SPEC, conv: [{ filters: 1, kernel: 1, stride: 0 }] } }, {}],
    ['out-of-range', {}, { learningRate: NaN }],
    ['out-of-range', {}, { learningRate: Infinity }],
    ['out-of-range', {}, { alignWeight: -1 }],
    ['out-of-range', {}, { alignTemperature: 0 }],
    ['out-of-range', {}, { localSteps: 0 }],
    ['out-of-range', {}, { windowsPerRound: 1025 }],
    ['out-of-range', {}, { modelBits: 9 }],
    ['malformed', {}, { modelCode: 'guess' }],
    ['malformed', {}, { prototypeCode: 'sign' }],
    ['out-of-range', {}, { modelBits: 1 }],
    ['out-of-range', {}, { modelShare: 0 }],
    ['out-of-range', {}, { modelShare: 1.01 }],
    ['out-of-range', {}, { modelShare: NaN }],
    ['out-of-range', {}, { modelShare: 0.5, modelBits: 32 }],
    ['out-of-range', {}, { modelShare: 0.5, modelCode: 'packed' }],
    ['out-of-range', {}, { modelEvery: 0 }],
    ['out-of-range', {}, { modelEvery: 1001 }],
  ];
  for (const [reason, plan, settings] of bad) {
    const broken = { ...PLAN, ...plan, settings: { ...PLAN.settings, ...settings } };
    assertRefused(decodeRoundPlan(encodeRoundPlan(broken)), reason, JSON.stringify([plan, settings]).slice(0, 80));
  }
});

test('a modality that no sensor has is refused', () => {
  const [acc, gyr] = SAMPLE_SPEC.modalities;
  assert.ok(acc && gyr);
  for (const change of [
    { sampleRateHz: 0 },
    { sampleRateHz: NaN },
    { samples: 0 },
    { samples: 2 ** 20 },
    { channels: [] },
    { name: 'acc' },
  ]) {
    const spec: ModelSpec = { ...SAMPLE_SPEC, modalities: [acc, { ...gyr, ...change }] };
    assert.equal(decodeRoundPlan(encodeRoundPlan({ ...PLAN, spec })).ok, false, JSON.stringify(change));
  }
});

function sampleState(): GlobalState {
  const prototypes = emptyPrototypes(2, 3, 4);
  prototypes.values.fill(1.5);
  prototypes.weight.set([1, 0, 2.5, 0, 0, 0.1]);
  const normalization = {
    mean: [Float32Array.of(0, 9.8), Float32Array.of(1)],
    std: [Float32Array.of(1, 2), Float32Array.of(0.5)],
  };
  return { version: 7, params: Float32Array.of(1, -2, 0.1), prototypes, temperature: 1.7, normalization };
}

test('the global state survives the wire; what was never seen travels as zeros', () => {
  const state = sampleState();
  const about = { round: 8, shapeHash: 0xdeadbeef };
  const bytes = encodeGlobal(state, about);
  const model = taken(decodeGlobalModel(bytes.model));
  assert.deepEqual(model, { ...about, version: 7, params: state.params, normalization: state.normalization });
  const { prototypes, ...head } = taken(decodeGlobalPrototypes(bytes.prototypes));
  assert.deepEqual(head, { ...about, version: 7, temperature: 1.7 });
  assert.deepEqual(prototypes.weight, state.prototypes.weight);
  assert.deepEqual([...prototypes.values.subarray(0, 12)], [1.5, 1.5, 1.5, 1.5, 0, 0, 0, 0, 1.5, 1.5, 1.5, 1.5]);
});

test('before round 0 there is no normalization', () => {
  const bytes = encodeGlobal({ ...sampleState(), normalization: null }, { round: 0, shapeHash: 1 });
  assert.equal(taken(decodeGlobalModel(bytes.model)).normalization, null);
});

test('a broken global state is refused', () => {
  const about = { round: 8, shapeHash: 1 };
  const state = sampleState();
  const scale = (std: number) => ({ mean: [Float32Array.of(0)], std: [Float32Array.of(std)] });
  const model = (change: Partial<GlobalState>) => decodeGlobalModel(encodeGlobal({ ...state, ...change }, about).model);
  assertRefused(model({ params: Float32Array.of(1, NaN) }), 'not-finite', 'NaN parameter');
  assertRefused(model({ normalization: scale(0) }), 'out-of-range', 'deviation 0');
  assertRefused(model({ normalization: scale(NaN) }), 'not-finite', 'NaN deviation');
  assertRefused(
    model({ normalization: { mean: [Float32Array.of(0, 1)], std: [Float32Array.of(1)] } }),
    'malformed',
    'uneven',
  );
  const prototypes = (change: object) =>
    decodeGlobalPrototypes(
      encodeGlobal({ ...state, prototypes: { ...state.prototypes, ...change } }, about).prototypes,
    );
  assertRefused(prototypes({ classes: 4 }), 'malformed', 'wrong size');
  assertRefused(prototypes({ dim: 2 ** 31 }), 'out-of-range', 'claimed size');
  assertRefused(prototypes({ weight: Float64Array.of(-1, 0, 0, 0, 0, 0) }), 'out-of-range', 'negative weight');
  assertRefused(prototypes({ weight: Float64Array.of(Infinity, 0, 0, 0, 0, 0) }), 'not-finite', 'endless weight');
  for (const temperature of [0, 0.06, 16.1, NaN, Infinity]) {
    const { prototypes: bytes } = encodeGlobal({ ...state, temperature }, about);
    assertRefused(decodeGlobalPrototypes(bytes), 'out-of-range', `temperature ${temperature}`);
  }
});

test('receipts survive the wire with every verdict and reason', () => {
  const receipts: Receipt[] = [
    { round: 1, seq: 2, verdict: 'accepted', reason: null, final: false },
    { round: 0, seq: 0, verdict: 'duplicate', reason: null, final: true },
    ...REJECT_REASONS.map((reason) => ({ round: 1, seq: 2, verdict: 'rejected', reason, final: true }) as const),
  ];
  for (const receipt of receipts) assert.deepEqual(taken(decodeReceipt(encodeReceipt(receipt))), receipt);
});

test('a receipt that contradicts itself is refused', () => {
  const receipt = { round: 1, seq: 2, final: true };
  assertRefused(
    decodeReceipt(encodeReceipt({ ...receipt, verdict: 'rejected', reason: null })),
    'malformed',
    'no reason',
  );
  assertRefused(
    decodeReceipt(encodeReceipt({ ...receipt, verdict: 'accepted', reason: 'late' })),
    'malformed',
    'a reason',
  );
});

test('the largest round that can close survives the wire', () => {
  const accepted = Array.from({ length: 8192 }, (_, i) => ({ device: `board-${i}`.padEnd(64, 'x'), seq: i }));
  assert.deepEqual(taken(decodeRoundClosed(encodeRoundClosed({ round: 5, accepted }))), { round: 5, accepted });
  assertRefused(
    decodeRoundClosed(encodeRoundClosed({ round: 5, accepted: [{ device: '', seq: 1 }] })),
    'malformed',
    'no name',
  );
});

test('a status survives the wire and is believed on its own topic only', () => {
  for (const state of ['online', 'finished', 'offline'] as const) {
    const status: DeviceStatus = { device: 'pi-1', state, modalities: ['acc', 'gyr'] };
    assert.deepEqual(taken(decodeStatus(encodeStatus(status), 'pi-1')), status);
    assertRefused(decodeStatus(encodeStatus(status), 'pi-2'), 'wrong-device', 'foreign topic');
  }
});

test('an epoch survives the wire in every message, takes the same bytes whatever it is, and nothing where it is not said', () => {
  const update = sampleUpdate();
  const sizes = ['0000000000000001', 'ffffffffffffffff'].map((epoch) => {
    const state = { version: 1, params: new Float32Array(1), prototypes: emptyPrototypes(1, 1, 1), temperature: 1 };
    const { model, prototypes } = encodeGlobal({ ...state, normalization: null }, { round: 1, shapeHash: 2, epoch });
    const receipt = { round: 1, seq: 2, verdict: 'accepted', reason: null, final: true, epoch } as const;
    const status = { device: 'pi', state: 'online', modalities: [], epoch, round: 0 } as const;
    const said = { ...update, epoch };
    assert.deepEqual(taken(decodeUpdate(encodeUpdate(said), expectationOf(said, SAMPLE_SPEC, { epoch }))), said);
    assert.deepEqual(taken(decodeRoundPlan(encodeRoundPlan({ ...PLAN, epoch }))), { ...PLAN, epoch });
    const closed = { round: 1, accepted: [], epoch };
    assert.deepEqual(taken(decodeRoundClosed(encodeRoundClosed(closed))), closed);
    assert.deepEqual(taken(decodeReceipt(encodeReceipt(receipt))), receipt);
    assert.deepEqual(taken(decodeStatus(encodeStatus(status), 'pi')), status);
    assert.equal(taken(decodeGlobalModel(model)).epoch, epoch);
    assert.equal(taken(decodeGlobalPrototypes(prototypes)).epoch, epoch);
    return encodeUpdate(said).length;
  });
  const bare = encodeUpdate(update).length;
  assert.deepEqual(sizes, [bare + 9, bare + 9]);
});

test('an update of another epoch is refused before anything else of it is looked at; one that does not say is taken', () => {
  const update = { ...sampleUpdate(), epoch: '00000000000000aa' };
  const expect = expectationOf(update, SAMPLE_SPEC, { epoch: '00000000000000bb' });
  for (const change of [{}, { shapeHash: 1 }, { round: 99 }])
    assertRefused(decodeUpdate(encodeUpdate({ ...update, ...change }), expect), 'wrong-epoch', JSON.stringify(change));
  assertRefused(decodeUpdate(encodeUpdate({ ...update, device: 'x' }), expect), 'wrong-device', 'another device');
  const { epoch, ...silent } = update;
  assert.ok(decodeUpdate(encodeUpdate(silent), expect).ok, epoch);
});
