/** Sums of a round: exact, order-free, mergeable, and equal to a plain floating-point average to 1e-6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  addUpdate,
  type Contribution,
  createRoundSums,
  meanDelta,
  mergeSums,
  type RoundSums,
  type SumsShape,
  temporalPrototypes,
} from '../../core/qqr/aggregate.ts';

const SHAPE: SumsShape = {
  total: 9,
  groups: [
    { group: 0, offset: 0, size: 4 },
    { group: 1, offset: 4, size: 2 },
    { group: -1, offset: 6, size: 3 },
  ],
  modalities: 2,
  classes: 3,
  dim: 2,
};

const value = fc.double({ min: -16, max: 16, noNaN: true }).map(Math.fround);
const weight = fc.integer({ min: 1, max: 2 ** 14 });
const values = (size: number) => fc.array(value, { minLength: size, maxLength: size }).map((v) => Float32Array.from(v));

const delta = (group: number, size: number) =>
  fc.record({ group: fc.constant(group), weight: fc.oneof(fc.constant(0), weight), values: values(size) });
const prototypes = (modality: number) =>
  fc.subarray([0, 1, 2]).chain((classes) =>
    fc.record({
      modality: fc.constant(modality),
      classes: fc.constant(classes),
      weights: fc.array(weight, { minLength: classes.length, maxLength: classes.length }),
      values: values(classes.length * SHAPE.dim),
    }),
  );
const contribution: fc.Arbitrary<Contribution> = fc
  .tuple(
    fc.tuple(delta(0, 4), delta(1, 2), delta(-1, 3)).chain((all) => fc.subarray(all)),
    fc.tuple(prototypes(0), prototypes(1)).chain((all) => fc.subarray(all)),
  )
  .map(([deltas, prototypes]) => ({ deltas, prototypes }));
const round = fc.array(contribution, { minLength: 1, maxLength: 12 });

function sumOf(contributions: readonly Contribution[]): RoundSums {
  const sums = createRoundSums(SHAPE);
  for (const one of contributions) addUpdate(sums, one);
  return sums;
}

test('the order of the boards changes no bit', () => {
  fc.assert(
    fc.property(
      round.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      ([all, shuffled]) => {
        assert.deepEqual(sumOf(shuffled), sumOf(all));
        assert.deepEqual(meanDelta(sumOf(shuffled)), meanDelta(sumOf(all)));
      },
    ),
  );
});

test('sums of several aggregators merge to the bits of one, however they are grouped', () => {
  fc.assert(
    fc.property(round, round, round, (a, b, c) => {
      const whole = sumOf([...a, ...b, ...c]);
      assert.deepEqual(mergeSums(mergeSums(sumOf(a), sumOf(b)), sumOf(c)), whole);
      assert.deepEqual(mergeSums(sumOf(c), mergeSums(sumOf(b), sumOf(a))), whole);
    }),
  );
});

test('as many boards as a round may count, at the limits of value and weight, stay exact', () => {
  const extreme = (sign: number): Contribution => ({
    deltas: [{ group: 1, weight: 2 ** 14, values: Float32Array.of(sign * 16, 16 - 2 ** -19) }],
    prototypes: [],
  });
  const half = createRoundSums(SHAPE);
  for (let i = 0; i < 2 ** 12; i++) addUpdate(half, extreme(1));
  const whole = mergeSums(half, half); // 2¹³ boards
  assert.equal(whole.deltas[4], 2 ** 53);
  assert.equal(BigInt(whole.deltas[5] as number), (2n ** 26n - 8n) * 2n ** 14n * 2n ** 13n);
  assert.deepEqual(meanDelta(whole).values.slice(4, 6), Float64Array.of(16, 16 - 2 ** -19));
});

test('equals the weighted mean in floating point to 1e-6', () => {
  fc.assert(
    fc.property(round, (all) => {
      const { values } = meanDelta(sumOf(all));
      for (const { group, offset, size } of SHAPE.groups) {
        const terms = all.flatMap(({ deltas }) => deltas.filter((one) => one.group === group));
        for (let i = 0; i < size; i++) {
          const mean = weightedMean(terms.map((one) => [one.weight, one.values[i] as number]));
          assertClose(values[offset + i] as number, mean ?? 0);
        }
      }
      const table = temporalPrototypes(sumOf(all));
      for (let m = 0; m < SHAPE.modalities; m++) {
        for (let c = 0; c < SHAPE.classes; c++) assertCell(all, table, m, c);
      }
    }),
  );
});

function assertCell(
  all: readonly Contribution[],
  table: ReturnType<typeof temporalPrototypes>,
  m: number,
  c: number,
): void {
  const cell = m * SHAPE.classes + c;
  const terms = all.flatMap(({ prototypes }) =>
    prototypes.flatMap((one) =>
      one.modality === m && one.classes.includes(c) ? [{ one, row: one.classes.indexOf(c) }] : [],
    ),
  );
  for (let k = 0; k < SHAPE.dim; k++) {
    const mean = weightedMean(
      terms.map(({ one, row }) => [one.weights[row] as number, one.values[row * SHAPE.dim + k] as number]),
    );
    if (mean === null) assert.equal(table.weight[cell], 0);
    else assertClose(table.values[cell * SHAPE.dim + k] as number, mean);
  }
}

function weightedMean(terms: readonly (readonly [number, number])[]): number | null {
  const total = terms.reduce((sum, [w]) => sum + w, 0);
  return total === 0 ? null : terms.reduce((sum, [w, v]) => sum + w * v, 0) / total;
}

/** 1e-6 absolute, and the half step of the float32 that the result is rounded to. */
function assertClose(actual: number, wanted: number): void {
  assert.ok(Math.abs(actual - wanted) <= 1e-6 + Math.abs(wanted) * 2 ** -24, `${actual} is not ${wanted}`);
}
