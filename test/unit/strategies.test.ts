/** Strategies: their settings, what may be changed, and how much an update counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { MAX_WEIGHT } from '../../core/wire/limits.ts';
import type { Update } from '../../core/wire/update.ts';
import { createStrategy, STRATEGY_NAMES } from '../../server/strategies/registry.ts';
import { weightsOf } from '../../server/strategies/strategy.ts';
import { sampleUpdate } from '../fixtures/sample-update.ts';

/** 10 windows; accelerometer in all at quality 1, gyroscope in 4 at quality 0.5. */
function lopsided(): Update {
  const base = sampleUpdate();
  const [acc, gyr] = base.modalities;
  if (acc === undefined || gyr === undefined) throw new Error('the sample has two modalities');
  return {
    ...base,
    windows: 10,
    modalities: [
      { ...acc, windowsPresent: 10, meanQuality: 1, weight: 160 },
      { ...gyr, windowsPresent: 4, meanQuality: 0.5, weight: 32 },
    ],
  };
}

test('every strategy carries its own name and a description', () => {
  for (const name of STRATEGY_NAMES) {
    assert.equal(createStrategy(name).settings.strategy, name);
    assert.ok(createStrategy(name).description.length > 10);
  }
});

test('fedavg counts windows, whatever modalities they had', () => {
  assert.deepEqual(weightsOf(lopsided(), createStrategy('fedavg').settings), { head: 160, encoders: [160, 160] });
});

test('fedavg-masked and plr count an encoder by the windows that had its modality', () => {
  for (const name of ['fedavg-masked', 'plr'] as const) {
    assert.deepEqual(weightsOf(lopsided(), createStrategy(name).settings), { head: 160, encoders: [160, 32] });
  }
});

test('qqr weighs the head by the mean quality of what was present', () => {
  const { head, encoders } = weightsOf(lopsided(), createStrategy('qqr').settings);
  assert.equal(head, Math.round((10 * (160 + 32)) / 14));
  assert.deepEqual(encoders, [160, 32]);
});

test('a board whose quality is 0 throughout still has a voice in the head, and no weight leaves the exact range', () => {
  const silent = lopsided();
  const modalities = silent.modalities.map((report) => ({ ...report, meanQuality: 0, weight: 0 }));
  assert.equal(weightsOf({ ...silent, modalities }, createStrategy('qqr').settings).head, 1);
  const most = silent.modalities.map((report) => ({ ...report, windowsPresent: 1024, weight: MAX_WEIGHT }));
  assert.equal(
    weightsOf({ ...silent, windows: 1024, modalities: most }, createStrategy('qqr').settings).head,
    MAX_WEIGHT,
  );
});

test('settings can be changed, and undefined changes nothing', () => {
  const { settings, prototypeMemory } = createStrategy('qqr', {
    learningRate: 0.2,
    modelBits: undefined,
    prototypeMemory: 0,
  });
  assert.equal(settings.learningRate, 0.2);
  assert.equal(settings.modelBits, 2);
  assert.equal(prototypeMemory, 0);
});

test('filling or aligning from prototypes that nobody sends is refused', () => {
  for (const change of [{ sendPrototypes: false }, { sendPrototypes: false, alignWeight: 0 }]) {
    assert.throws(
      () => createStrategy('qqr', change),
      (error: unknown) => error instanceof AppError && error.code === 'config-invalid',
    );
  }
  createStrategy('qqr', { sendPrototypes: false, alignWeight: 0, fill: 'zero-embedding' });
});

test('a share of the model in a code that cannot tell which values these are is refused', () => {
  for (const change of [{ modelBits: 32 }, { modelCode: 'packed' as const }]) {
    assert.throws(
      () => createStrategy('qqr', { modelShare: 0.1, ...change }),
      (error: unknown) => error instanceof AppError && error.code === 'config-invalid',
    );
  }
  createStrategy('fedavg', { modelShare: 0.1, modelCode: 'sign' });
});
