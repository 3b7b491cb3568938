/** What a board sends of its model change: nothing is lost for good, in whichever code it travels. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { type CompressedDelta, compressDelta, type DeltaToCompress, roundingOf } from '../../agent/learn/delta.ts';
import { createRng } from '../../core/math/rng.ts';
import { paramLayout } from '../../core/model/params.ts';
import { groupShapes, groupValues } from '../../core/wire/model-values.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';

const LAYOUT = paramLayout(TINY_SPEC);
const SHAPES = groupShapes(LAYOUT);
const NOTHING = new Float32Array(LAYOUT.total);
const PLAIN = { modelBits: 2, modelCode: 'affine', modelShare: 1, modelEvery: 1 } as const;
type Settings = DeltaToCompress['settings'];

/** A change with a heavy tail, as training makes it. */
function change(seed: number): Float32Array {
  const rng = createRng(seed);
  return Float32Array.from({ length: LAYOUT.total }, () => 0.01 * rng.normal() ** 3);
}

function compress(settings: Settings, other: Partial<DeltaToCompress> = {}): CompressedDelta {
  return compressDelta({
    ...{ layout: LAYOUT, trained: change(1), broadcast: NOTHING, residual: NOTHING, settings, round: 1 },
    takesPart: () => true,
    random: roundingOf('pi-1', 1).next,
    ...other,
  });
}

/** `[total]` as the aggregator sees it; zeros where nothing came. */
function sentBy(delta: CompressedDelta): Float32Array {
  const sent = new Float32Array(LAYOUT.total);
  const groups = groupValues(delta, SHAPES);
  assert.ok(groups !== null);
  for (const { group, values } of groups) sent.set(values, LAYOUT.groups.find((g) => g.group === group)?.offset);
  return sent;
}

const CODES: readonly Settings[] = [
  ...[1, 2, 4, 8, 32].map((modelBits) => ({ ...PLAIN, modelBits })),
  { ...PLAIN, modelBits: 3, modelCode: 'packed' },
  { ...PLAIN, modelCode: 'stochastic' },
  { ...PLAIN, modelCode: 'sign' },
  ...[1, 4, 8].map((modelBits) => ({ ...PLAIN, modelBits, modelShare: 0.1 })),
  { ...PLAIN, modelBits: 4, modelCode: 'stochastic', modelShare: 0.03 },
  { ...PLAIN, modelCode: 'sign', modelShare: 0.1, modelEvery: 3 },
  { ...PLAIN, modelEvery: 2 },
];

for (const settings of CODES) {
  test(`what was sent and the last residual make up all changes: ${JSON.stringify(settings)}`, () => {
    const wanted = new Float64Array(LAYOUT.total);
    const sent = new Float64Array(LAYOUT.total);
    let residual: Float32Array = NOTHING;
    for (let round = 1; round <= 20; round++) {
      const trained = change(round);
      const takesPart = (group: number) => group !== round % 3; // a modality is missing now and then
      const delta = compress(settings, { trained, residual, round, takesPart, random: roundingOf('pi-1', round).next });
      const from = sentBy(delta);
      for (const { group, offset, size } of LAYOUT.groups) {
        for (let i = offset; i < offset + size; i++) {
          if (takesPart(group)) wanted[i] = (wanted[i] as number) + (trained[i] as number);
          else assert.equal(from[i], 0);
          sent[i] = (sent[i] as number) + (from[i] as number);
        }
      }
      residual = delta.residual;
    }
    assert.ok(sent.some((value) => value !== 0));
    for (let i = 0; i < LAYOUT.total; i++) {
      const difference = (sent[i] as number) + (residual[i] as number) - (wanted[i] as number);
      assert.ok(Math.abs(difference) < 1e-5, `value ${i} is off by ${difference}`);
    }
  });
}

test('coded and packed are the same values, and coded takes less', () => {
  for (const modelBits of [2, 4, 8]) {
    const packed = compress({ ...PLAIN, modelBits, modelCode: 'packed' });
    const coded = compress({ ...PLAIN, modelBits });
    assert.deepEqual(sentBy(coded), sentBy(packed));
    assert.deepEqual(coded.residual, packed.residual);
    assert.deepEqual([packed.coded, coded.model], [null, []]);
  }
});

test('float32 leaves nothing behind', () => {
  const delta = compress({ ...PLAIN, modelBits: 32 });
  assert.ok(delta.residual.every((owed) => owed === 0));
  assert.deepEqual(sentBy(delta), change(1));
});

test('the largest travel, over all groups together', () => {
  const trained = change(1).map((value) => Math.sign(value) * Math.min(Math.abs(value), 0.2));
  const head = LAYOUT.groups.at(-1);
  assert.ok(head);
  for (let i = 0; i < 20; i++) trained[head.offset + i] = 1 + i / 100;
  const sent = sentBy(compress({ ...PLAIN, modelBits: 8, modelShare: 20 / LAYOUT.total }, { trained }));
  sent.forEach((value, i) => {
    const isLarge = i >= head.offset && i < head.offset + 20;
    assert.ok(isLarge ? Math.abs(value - (trained[i] as number)) < 0.002 : value === 0, `value ${i}: ${value}`);
  });
});

test('in a silent round nothing travels and all is owed', () => {
  const settings = { ...PLAIN, modelEvery: 3 };
  for (const round of [1, 2, 4]) {
    const { model, coded, residual } = compress(settings, { round, residual: change(2) });
    assert.deepEqual([model, coded], [[], null]);
    assert.deepEqual(
      residual,
      change(1).map((value, i) => (change(2)[i] as number) + value),
    );
  }
  assert.notEqual(compress(settings, { round: 3 }).coded, null);
});

test('a group that takes no part neither travels nor is owed', () => {
  const [acc] = LAYOUT.groups;
  assert.ok(acc);
  for (const settings of [PLAIN, { ...PLAIN, modelShare: 0.5 }, { ...PLAIN, modelEvery: 2 }]) {
    const { residual, coded } = compress(settings, { residual: change(5), takesPart: (group) => group !== 0 });
    assert.ok(coded === null || !coded.groups.includes(0));
    assert.deepEqual(residual.subarray(0, acc.size), change(5).subarray(0, acc.size));
  }
  const none = compress({ ...PLAIN, modelShare: 0.5 }, { takesPart: () => false });
  assert.deepEqual([none.model, none.coded], [[], null]);
});

test('stochastic rounding is right on average, dense and sparse', () => {
  const trained = change(3);
  for (const settings of [
    { ...PLAIN, modelCode: 'stochastic' as const },
    { ...PLAIN, modelCode: 'stochastic' as const, modelBits: 3, modelShare: 0.999 },
  ]) {
    const rounds = 1000;
    const mean = new Float64Array(LAYOUT.total);
    let step = 0;
    for (let round = 1; round <= rounds; round++) {
      const delta = compress(settings, { trained, round, random: roundingOf('pi-1', round).next });
      step = Math.max(...(delta.coded?.scales.filter((_, i) => i % 2 === 1) ?? []));
      sentBy(delta).forEach((value, i) => {
        mean[i] = (mean[i] as number) + value / rounds;
      });
    }
    const errors = Array.from(mean, (value, i) => value - (trained[i] as number));
    const deviation = step / 2 / Math.sqrt(rounds); // of one mean at most
    const worst = Math.max(...errors.map(Math.abs)) / deviation;
    const bias = Math.abs(errors.reduce((sum, error) => sum + error, 0)) / (deviation * Math.sqrt(LAYOUT.total));
    const seeds = `with the seeds of roundingOf('pi-1', 1 … ${rounds})`;
    assert.ok(worst < 5 && bias < 4, `off by ${worst} standard errors, together by ${bias}, ${seeds}`);
  }
});

test('a board rounds the same after a restart, and otherwise than another board or in another round', () => {
  const settings = { ...PLAIN, modelCode: 'stochastic' } as const;
  const as = (device: string, round: number) => compress(settings, { random: roundingOf(device, round).next });
  assert.deepEqual(as('pi-1', 1), as('pi-1', 1));
  assert.notDeepEqual(as('pi-1', 1).residual, as('pi-2', 1).residual);
  assert.notDeepEqual(as('pi-1', 1).residual, as('pi-1', 2).residual);
});
