/** What a strategy's guard does to a round: hostile updates through the aggregator's own step, in any order. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { createRng } from '../../core/math/rng.ts';
import { paramLayout } from '../../core/model/params.ts';
import { quantize } from '../../core/quant/affine.ts';
import { decodeUpdate } from '../../core/wire/decode.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { Update } from '../../core/wire/update.ts';
import { parseServerConfig, strategyFrom } from '../../server/config.ts';
import { firstGlobal, nextGlobal } from '../../server/next-global.ts';
import { createStrategy, type StrategyOverrides } from '../../server/strategies/registry.ts';
import { weightWhenLate } from '../../server/strategies/strategy.ts';
import { expectationOf, sampleStatistics, sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';
import { bitsOf } from '../fixtures/scripted-fleet.ts';

const SEED = 20_261_129;
const SPEC = TINY_SPEC;
const FIRST = firstGlobal(SPEC, 1);
const CLASSES = SPEC.classes.map((_, c) => c);

/** A board that learned `change` in every parameter and saw `prototype` in every value of every class. */
function boardOf(device: string, change: number, prototype = 0, weight = 160): Update {
  const base = sampleUpdate({ spec: SPEC });
  const flat = (length: number, value: number) => quantize(new Float32Array(length).fill(value), 32);
  return {
    ...base,
    device,
    modalities: base.modalities.map((report) => ({
      ...report,
      windowsPresent: weight / 16,
      weight,
      prototypes: {
        classes: CLASSES,
        weights: CLASSES.map(() => Math.max(1, Math.floor(weight / 3))),
        values: flat(CLASSES.length * SPEC.embedding, prototype),
      },
    })),
    windows: weight / 16,
    model: paramLayout(SPEC).groups.map(({ group, tensors }) => ({
      group,
      tensors: tensors.map(({ size }) => flat(size, change)),
    })),
  };
}

function after(updates: readonly Update[], overrides: StrategyOverrides, rate = 0) {
  const plain = { serverRate: rate, modelMemory: 0, prototypeMemory: 0, clipFactor: 0 };
  const strategy = createStrategy('qqr', { ...plain, ...overrides });
  return nextGlobal('training', FIRST, updates, SPEC, strategy);
}

/** How far the first parameter moved, to 1e-6. */
function moved(updates: readonly Update[], overrides: StrategyOverrides): number {
  const { global } = after(updates, overrides);
  return Math.round(((global.params[0] as number) - (FIRST.params[0] as number)) * 1e6) / 1e6;
}

const honest = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06].map((change, i) => boardOf(`honest-${i}`, change, 0.5));
const hostile = [boardOf('hostile-0', -3, -16), boardOf('hostile-1', -3, -16)];
const mixed = [...honest, ...hostile];

test('two of eight boards drag the mean along, and neither the trimmed mean nor the median', () => {
  assert.ok(moved(mixed, {}) < -0.7);
  assert.equal(moved(mixed, { robust: 'median' }), 0.025); // of −3, −3, .01, .02, .03, .04, .05, .06
  assert.equal(moved(mixed, { robust: 'trimmed-mean', trim: 0.25 }), 0.025);
  assert.equal(moved(honest, { robust: 'median' }), 0.035);
  assert.ok(moved(mixed, { robust: 'trimmed-mean', trim: 0.1 }) < -0.7, 'a tenth of eight boards is none');
});

test('a clipped update is scaled to the bound as a whole, and said to be', () => {
  const size = Math.sqrt(paramLayout(SPEC).total);
  const { taken } = after(mixed, { clipFactor: 1 });
  const middle = (0.04 + 0.05) / 2;
  assert.deepEqual(
    taken.map(({ wasClipped }) => wasClipped),
    [false, false, false, false, true, true, true, true],
  );
  assert.ok(Math.abs((taken[7]?.norm ?? 0) - 3 * size) < 1e-3, 'the norm is that before clipping');
  assert.equal(moved(mixed, { clipFactor: 1 }), (0.01 + 0.02 + 0.03 + 0.04 + 2 * middle - 2 * middle) / 8);
  assert.equal(moved(mixed, { clipNorm: 0.02 * size }), (0.01 + 5 * 0.02 - 2 * 0.02) / 8);
  assert.ok(after(mixed, {}).taken.every(({ wasClipped }) => !wasClipped));
});

test('as they come, our strategies take nothing as longer than three times the median, and textbook ones anything', () => {
  const usual = createStrategy('qqr', {}).guard;
  assert.equal(moved(mixed, usual), -0.0075); // (0.21 − 2 · 3 · 0.045) / 8
  assert.equal(moved(honest, usual), 0.035, 'honest changes are not touched');
  assert.equal(createStrategy('lean', {}).guard.clipFactor, 3);
  assert.equal(createStrategy('fedavg', {}).guard.clipFactor, 0);
});

test('a prototype is no longer than an embedding can be, and no board has more than its share of a class', () => {
  const first = (overrides: StrategyOverrides, updates = mixed) =>
    after(updates, overrides).global.prototypes.values[0];
  assert.equal(first({}), (6 * 0.5 - 2 * 16) / 8);
  assert.equal(first({ clipFactor: 100 }), (6 * 0.5 - 2 * 1) / 8); // |row| = √4: −1 in each of 4 values
  assert.equal(first({ robust: 'median' }), 0.5);
  const loud = [...honest.map((update) => ({ ...update })), boardOf('loud', 0, -1, 1600)];
  const share = (533 * -1 + 6 * 53 * 0.5) / (533 + 6 * 53);
  assert.ok(Math.abs((first({}, loud) as number) - share) < 1e-6);
  assert.ok(Math.abs((first({ maxShare: 0.2 }, loud) as number) - (0.5 * 318 - 79) / (318 + 79)) < 1e-6);
  assert.ok(moved([...honest, boardOf('loud', -1, 0, 1600)], {}) < -0.5);
  assert.ok(moved([...honest, boardOf('loud', -1, 0, 1600)], { maxShare: 0.2 }) > -0.2);
});

test('the order of the updates changes no bit under any guard, nor does FedAdam', () => {
  const rng = createRng(SEED);
  const updates = Array.from({ length: 9 }, (_, i) => ({ ...sampleUpdate({ spec: SPEC, seed: i }), device: `b${i}` }));
  const guards: StrategyOverrides[] = [
    {},
    { clipFactor: 0.7 },
    { clipNorm: 0.05, maxShare: 0.12 },
    { robust: 'trimmed-mean', trim: 0.3 },
    { robust: 'median', clipFactor: 1 },
  ];
  const seen = new Set<string>();
  for (const guard of guards) {
    const wanted = bitsOf(after(updates, guard, 0.02).global);
    seen.add(wanted);
    for (let i = 0; i < 5; i++) {
      assert.equal(
        bitsOf(after(rng.shuffled(updates), guard, 0.02).global),
        wanted,
        `seed ${SEED}: ${JSON.stringify(guard)}`,
      );
    }
  }
  assert.equal(seen.size, guards.length);
});

test('an encoder is averaged over the boards that had its modality, and stays where nobody had it', () => {
  const lacking = (update: Update): Update => ({ ...update, model: update.model.filter(({ group }) => group !== 1) });
  const range = paramLayout(SPEC).groups.find(({ group }) => group === 1);
  assert.ok(range !== undefined);
  const at = (updates: readonly Update[]) => {
    const { params } = after(updates, { robust: 'median' }).global;
    return Math.round(((params[range.offset] as number) - (FIRST.params[range.offset] as number)) * 1e6) / 1e6;
  };
  assert.equal(at([...honest.slice(0, 3).map(lacking), ...honest.slice(3)]), 0.05);
  assert.equal(at(honest.map(lacking)), 0);
});

/** A board whose sensors read `offset` more than the others'. */
function statisticsOf(device: string, offset: number, count = 1280): Update {
  const base = sampleStatistics(SPEC);
  const modalities = base.modalities.map((report) => ({
    ...report,
    sums: {
      count,
      sum: [count * (1 + offset), count * offset, count * offset],
      sumSquares: [count * (4 + (1 + offset) ** 2), count * (1 + offset ** 2), count * (1 + offset ** 2)],
    },
  }));
  return { ...base, device, modalities };
}

test('in round 0 two liars of seven set the mean scale, and not the boards’ medians, in any order', () => {
  const boards = [0, 0, 0.5, -0.5, 0].map((offset, i) => statisticsOf(`b${i}`, offset));
  const all = [statisticsOf('liar', 1000), ...boards, statisticsOf('other', 1000)];
  const scale = (updates: readonly Update[], overrides: StrategyOverrides) =>
    nextGlobal('statistics', FIRST, updates, SPEC, createStrategy('qqr', overrides)).global.normalization;
  assert.ok((scale(all, {})?.mean[0]?.[0] as number) > 200);
  const robust = scale(all, { robust: 'median' });
  assert.equal(robust?.mean[0]?.[0], 1);
  assert.equal(robust?.std[0]?.[0], Math.fround(Math.sqrt(4.25))); // of 4, 4, 4, 4.25, 4.25 and two that are far off
  assert.deepEqual(scale([...all].reverse(), { robust: 'median' }), robust);
  assert.deepEqual(scale(boards, { robust: 'trimmed-mean' })?.mean[0]?.[0], 1);
});

test('a few that claim to be sure do not move the temperature where boards are not trusted', () => {
  const sure = (device: string, overconfidence: number) => ({
    ...boardOf(device, 0),
    online: { correct: 0, count: 10, lossSum: 0, overconfidence },
  });
  const boards = [sure('a', 0), sure('b', 0), sure('c', 0), sure('d', 10_240)];
  assert.ok(after(boards, {}).global.temperature > 1.6);
  assert.equal(after(boards, { robust: 'median' }).global.temperature, 1);
});

test('a board that claims more windows than the round uses is refused', () => {
  const update = boardOf('loud', 0, 0, 1600);
  const asked = expectationOf(update, SPEC, { maxWindows: 10 });
  assert.equal(decodeUpdate(encodeUpdate(update), expectationOf(update, SPEC)).ok, true);
  const refused = decodeUpdate(encodeUpdate(update), asked);
  assert.ok(!refused.ok && refused.reason === 'out-of-range');
  assert.equal(
    decodeUpdate(encodeUpdate(boardOf('fair', 0)), expectationOf(boardOf('fair', 0), SPEC, { maxWindows: 10 })).ok,
    true,
  );
});

test('a late update counts for less, never for nothing, and what its board did not have stays nothing', () => {
  const weights = [0, 1, 2, 3].map((lateBy) => weightWhenLate(160, lateBy, 0.5));
  assert.deepEqual(weights, [160, 113, 92, 80]);
  assert.equal(weightWhenLate(1, 100, 10), 1);
  assert.equal(weightWhenLate(0, 2, 0.5), 0);
  assert.equal(weightWhenLate(160, 3, 0), 160);
  // The fleet is at version 2: the second board trained from version 1.
  const at = { ...FIRST, version: 2 };
  const boards = [
    { ...boardOf('own', 0.1), modelVersion: 2 },
    { ...boardOf('late', 0.2), modelVersion: 1 },
  ];
  const { global } = nextGlobal('training', at, boards, SPEC, createStrategy('qqr', { serverRate: 0 }));
  const wanted = (160 * 0.1 + 113 * 0.2) / 273;
  assert.ok(Math.abs((global.params[0] as number) - (FIRST.params[0] as number) - wanted) < 1e-6);
  assert.equal(global.prototypes.weight[0], 53 + 37);
});

test('settings of the guard reach the strategy, and a robust average of sparse changes is refused', () => {
  const { guard } = strategyFrom(
    parseServerConfig({ strategy: { robust: 'trimmed-mean', trim: 0.1, clipFactor: 2 } }, 'test'),
  );
  assert.deepEqual(guard, { robust: 'trimmed-mean', trim: 0.1, clipNorm: 0, clipFactor: 2, maxShare: 1 });
  const isInvalid = (error: unknown) => error instanceof AppError && error.code === 'config-invalid';
  for (const strategy of [{ trim: 0.46 }, { robust: 'mode' }, { maxShare: 0 }, { clipNorm: -1 }]) {
    assert.throws(() => parseServerConfig({ strategy }, 'test'), isInvalid);
  }
  assert.throws(() => createStrategy('lean', { robust: 'median' }), isInvalid);
  const late = parseServerConfig(
    { rounds: { late: 'weigh', lateExponent: 1 }, strategy: { robust: 'median' } },
    'test',
  );
  assert.throws(() => strategyFrom(late), isInvalid);
  assert.equal(strategyFrom({ ...late, strategy: { name: 'qqr' } }).lateExponent, 1);
  createStrategy('lean', { clipFactor: 1, maxShare: 0.2 });
});
