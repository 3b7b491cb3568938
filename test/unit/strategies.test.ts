/** Strategies: their settings, what may be changed, and how much an update counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { decodeRoundPlan } from '../../core/wire/decode-downlink.ts';
import { MAX_WEIGHT } from '../../core/wire/limits.ts';
import { encodeRoundPlan } from '../../core/wire/messages.ts';
import type { Update } from '../../core/wire/update.ts';
import { createStrategy, STRATEGY_NAMES } from '../../server/strategies/registry.ts';
import { weightsOf } from '../../server/strategies/strategy.ts';
import { SAMPLE_SPEC, sampleUpdate } from '../fixtures/sample-update.ts';

/** 10 windows; accelerometer in all at quality 1, gyroscope in 4 at quality 0.5. The board weighs by presence, or by quality. */
function lopsided(by: 'presence' | 'quality'): Update {
  const base = sampleUpdate();
  const [acc, gyr] = base.modalities;
  if (acc === undefined || gyr === undefined) throw new Error('the sample has two modalities');
  return {
    ...base,
    windows: 10,
    modalities: [
      { ...acc, windowsPresent: 10, meanQuality: 1, weight: 160 },
      { ...gyr, windowsPresent: 4, meanQuality: 0.5, weight: by === 'presence' ? 64 : 32 },
    ],
  };
}

const isInvalid = (error: unknown) => error instanceof AppError && error.code === 'config-invalid';

test('every strategy carries its own name and a description', () => {
  for (const name of STRATEGY_NAMES) {
    assert.equal(createStrategy(name).settings.strategy, name);
    assert.ok(createStrategy(name).description.length > 10);
  }
});

test("every strategy's settings reach a board whole", () => {
  for (const name of STRATEGY_NAMES) {
    const { settings } = createStrategy(name);
    const plan = { round: 1, kind: 'training', modelVersion: 1, deadlineMs: 0, spec: SAMPLE_SPEC, settings } as const;
    assert.deepEqual(decodeRoundPlan(encodeRoundPlan(plan)), { ok: true, value: plan }, name);
  }
});

test('fedavg counts windows, whatever modalities they had', () => {
  const { settings } = createStrategy('fedavg');
  assert.deepEqual(weightsOf(lopsided('presence'), settings), { head: 160, encoders: [160, 160] });
});

test('all others that train on every window count an encoder by the windows that had its modality', () => {
  for (const name of STRATEGY_NAMES.filter((known) => known !== 'fedavg' && known !== 'drop-incomplete')) {
    const { settings } = createStrategy(name);
    assert.deepEqual(weightsOf(lopsided('presence'), settings), { head: 160, encoders: [160, 64] }, name);
  }
});

test('with quality weights the head is weighed by the mean quality of what was present', () => {
  const { head, encoders } = weightsOf(lopsided('quality'), createStrategy('qqr', { qualityWeights: true }).settings);
  assert.equal(head, Math.round((10 * (160 + 32)) / 14));
  assert.deepEqual(encoders, [160, 32]);
});

test('a board whose quality is 0 throughout still has a voice in the head, and no weight leaves the exact range', () => {
  const { settings } = createStrategy('qqr', { qualityWeights: true });
  const silent = lopsided('quality');
  const modalities = silent.modalities.map((report) => ({ ...report, meanQuality: 0, weight: 0 }));
  assert.equal(weightsOf({ ...silent, modalities }, settings).head, 1);
  const most = silent.modalities.map((report) => ({ ...report, windowsPresent: 1024, weight: MAX_WEIGHT }));
  assert.equal(weightsOf({ ...silent, windows: 1024, modalities: most }, settings).head, MAX_WEIGHT);
});

test('settings can be changed, and undefined changes nothing', () => {
  const { settings, prototypeMemory, serverRate } = createStrategy('qqr', {
    learningRate: 0.2,
    modelBits: undefined,
    prototypeMemory: 0,
    serverRate: 0,
  });
  assert.equal(settings.learningRate, 0.2);
  assert.equal(settings.modelBits, createStrategy('qqr').settings.modelBits);
  assert.deepEqual([prototypeMemory, serverRate], [0, 0]);
});

test('filling, aligning or predicting from prototypes that nobody sends is refused', () => {
  const needs = [
    { fill: 'pnr' },
    { fill: 'label' },
    { alignWeight: 0.1 },
    { alignWeight: 0.1, alignLoss: 'distance' },
    { evidenceWeight: 1 },
  ] as const;
  for (const change of needs) {
    assert.throws(() => createStrategy('fedavg-masked', change), isInvalid, JSON.stringify(change));
    createStrategy('fedavg-masked', { ...change, sendPrototypes: true });
  }
  for (const name of ['qqr', 'plr', 'pmm', 'fedproto'] as const) {
    assert.throws(() => createStrategy(name, { sendPrototypes: false }), isInvalid, name);
  }
  createStrategy('qqr', { sendPrototypes: false, alignWeight: 0, evidenceWeight: 0 });
});

test('where boards keep their models, no prototype needs one: fedproto sends prototypes, local-only nothing', () => {
  const [alone, proto] = [createStrategy('local-only').settings, createStrategy('fedproto').settings];
  assert.deepEqual([alone.shareModel, alone.sendPrototypes], [false, false]);
  assert.deepEqual([proto.shareModel, proto.sendPrototypes, proto.alignLoss], [false, true, 'distance']);
});

test('a share of the model in a code that cannot tell which values these are is refused', () => {
  for (const change of [{ modelBits: 32 }, { modelCode: 'packed' as const }]) {
    assert.throws(() => createStrategy('qqr', { modelShare: 0.1, ...change }), isInvalid);
  }
  createStrategy('fedavg', { modelShare: 0.1, modelCode: 'sign' });
});

test('one bit between the extremes, whose debts grow without end, is refused; signs and the largest values are not', () => {
  for (const modelCode of ['affine', 'stochastic', 'packed'] as const) {
    assert.throws(() => createStrategy('qqr', { modelBits: 1, modelCode }), isInvalid, modelCode);
  }
  createStrategy('qqr', { modelBits: 1, modelCode: 'sign' });
  createStrategy('qqr', { modelBits: 1, modelShare: 0.1 });
});

test('where incomplete windows are dropped, the head counts those that taught', () => {
  const dropping = lopsided('presence');
  const modalities = dropping.modalities.map((report) => ({ ...report, weight: 48 })); // 3 of the 10 windows were complete
  const weights = weightsOf({ ...dropping, modalities }, createStrategy('drop-incomplete').settings);
  assert.deepEqual(weights, { head: 48, encoders: [48, 48] });
});
