/** The aggregator's step: plain averaging, FedAdam by its equations, and encoders that nobody trained. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import type { MeanDelta } from '../../core/qqr/aggregate.ts';
import { firstGlobal, nextGlobal } from '../../server/next-global.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import {
  adamStep,
  averageStep,
  type Moments,
  noMoments,
  type ServerStep,
} from '../../server/strategies/server-step.ts';
import { sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';
import { assertClose } from '../golden/close.ts';

/** Two groups: parameters 0–2 and 3–5. */
const GROUPS = [
  { index: 0, offset: 0, size: 3 },
  { index: 1, offset: 3, size: 3 },
];
const TOTAL = 6;

function delta(seed: number, moved = GROUPS): MeanDelta {
  const rng = createRng(seed);
  const values = Float64Array.from({ length: TOTAL }, () => 0.05 * rng.normal());
  return { values, moved };
}

test('plain averaging takes the mean change as it is', () => {
  const params = Float32Array.of(1, 2, 3, 4, 5, 6);
  assertClose(
    averageStep(params, delta(1)),
    Array.from(params, (value, i) => value + (delta(1).values[i] as number)),
    1e-6,
  );
});

test('FedAdam of several rounds is what its equations say', () => {
  const rate = 0.02;
  const wanted = Float64Array.from({ length: TOTAL }, (_, i) => i);
  const [m, v] = [new Float64Array(TOTAL), new Float64Array(TOTAL)];
  let params: Float32Array = Float32Array.from(wanted);
  let moments: Moments = noMoments(TOTAL, 2);
  for (let t = 1; t <= 6; t++) {
    ({ params, moments } = adamStep(params, delta(t), moments, rate));
    delta(t).values.forEach((change, i) => {
      m[i] = 0.8 * (m[i] as number) + 0.2 * change;
      v[i] = 0.95 * (v[i] as number) + 0.05 * change ** 2;
      const scale = Math.sqrt((v[i] as number) / (1 - 0.95 ** t)) + 1e-3;
      wanted[i] = (wanted[i] as number) + (rate * (m[i] as number)) / (1 - 0.8 ** t) / scale;
    });
  }
  assertClose(params, wanted, 1e-5);
  assert.deepEqual(moments.steps, [6, 6]);
});

test('the first step of every parameter that moves well is the rate, whatever the size of its change', () => {
  const values = Float64Array.of(0.5, -0.05, 5, 0, 0, 0);
  const { params } = adamStep(new Float32Array(TOTAL), { values, moved: GROUPS }, noMoments(TOTAL, 2), 0.02);
  assertClose(params, [0.02, -0.02, 0.02, 0, 0, 0], 5e-4);
});

test('an encoder that nobody trained stands still with its moments, and goes on as if the round had not been', () => {
  const rate = 0.02;
  const start = new Float32Array(TOTAL);
  const first = adamStep(start, delta(1), noMoments(TOTAL, 2), rate);
  const without = adamStep(first.params, delta(2, GROUPS.slice(0, 1)), first.moments, rate);
  assert.deepEqual(without.params.subarray(3), first.params.subarray(3));
  assert.deepEqual(without.moments.steps, [2, 1]);
  const later = adamStep(without.params, delta(3), without.moments, rate);
  const straight = adamStep(first.params, delta(3), first.moments, rate);
  assert.deepEqual(later.params.subarray(3), straight.params.subarray(3));
  assert.notDeepEqual(later.params.subarray(0, 3), straight.params.subarray(0, 3));
});

test('parameters and moments that go in are left as they were', () => {
  const params = new Float32Array(TOTAL);
  const { moments } = adamStep(params, delta(1), noMoments(TOTAL, 2), 0.02);
  const before = structuredClone(moments);
  adamStep(params, delta(2), moments, 0.02);
  assert.deepEqual(moments, before);
  assert.deepEqual(params, new Float32Array(TOTAL));
});

test("a strategy's own step gets the rate and what it remembered, and nothing is remembered without a rate", () => {
  const seen: number[][] = [];
  const countingStep: ServerStep = (params, delta, moments, rate) => {
    seen.push([rate, moments.first[0] as number]);
    return {
      params: averageStep(params, delta),
      moments: { ...moments, first: moments.first.map((held) => held + 1) },
    };
  };
  const counting = { ...createStrategy('fedavg-masked', { serverRate: 0.5 }), serverStep: countingStep };
  const start = firstGlobal(TINY_SPEC, 1);
  const updates = [sampleUpdate({ spec: TINY_SPEC })];
  const { global: first } = nextGlobal('training', start, updates, TINY_SPEC, counting);
  const { global: second } = nextGlobal('training', first, updates, TINY_SPEC, counting);
  assert.deepEqual(seen, [
    [0.5, 0],
    [0.5, 1],
  ]);
  const { global: plain } = nextGlobal('training', second, updates, TINY_SPEC, { ...counting, serverRate: 0 });
  assert.equal(plain.moments, null);
  assert.equal(seen.length, 2);
});
