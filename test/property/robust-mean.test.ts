/** What bounds one board's say: order-free, within the bound, inside the honest range, and the plain mean where nothing is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { median } from '../../core/math/stats.ts';
import {
  addUpdate,
  type Contribution,
  createRoundSums,
  meanDelta,
  type SumsShape,
  temporalPrototypes,
} from '../../core/qqr/aggregate.ts';
import { clipBound, clipped, clippedRows, normOf, weightCap } from '../../core/qqr/clip.ts';
import { type Cut, middle, robustDelta, robustPrototypes, trimmed } from '../../core/qqr/robust-mean.ts';

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
const FIXED = 2 ** 22;
/** One coordinate a block and more: how it is cut into blocks must not matter. */
const BLOCKS = [1, 100, 2 ** 20];

const valueIn = (min: number, max: number) => fc.double({ min, max, noNaN: true }).map(Math.fround);
const vector = (size: number, value = valueIn(-16, 16)) =>
  fc.array(value, { minLength: size, maxLength: size }).map((v) => Float32Array.from(v));
const weight = fc.integer({ min: 1, max: 2 ** 14 });

function contributionOf(weights: fc.Arbitrary<number>, value = valueIn(-16, 16)): fc.Arbitrary<Contribution> {
  const delta = (group: number, size: number) =>
    fc.record({ group: fc.constant(group), weight: weights, values: vector(size, value) });
  const prototypes = (modality: number) =>
    fc.subarray([0, 1, 2]).chain((classes) =>
      fc.record({
        modality: fc.constant(modality),
        classes: fc.constant(classes),
        weights: fc.array(weights, { minLength: classes.length, maxLength: classes.length }),
        values: vector(classes.length * SHAPE.dim, value),
      }),
    );
  return fc
    .tuple(
      fc.tuple(delta(0, 4), delta(1, 2), delta(-1, 3)).chain((all) => fc.subarray(all)),
      fc.tuple(prototypes(0), prototypes(1)).chain((all) => fc.subarray(all)),
    )
    .map(([deltas, prototypes]) => ({ deltas, prototypes }));
}

const round = (weights = weight) => fc.array(contributionOf(weights), { minLength: 1, maxLength: 12 });
const cuts = fc.oneof(
  fc.constant<Cut>(middle),
  fc.double({ min: 0, max: 0.45, noNaN: true }).map((share) => trimmed(share)),
);

function robustOf(all: readonly Contribution[], cut: Cut, blockBytes?: number) {
  const boards = all.map(
    ({ deltas }) =>
      () =>
        deltas,
  );
  const prototypes = all.map((one) => one.prototypes);
  return { delta: robustDelta(SHAPE, boards, cut, blockBytes), table: robustPrototypes(SHAPE, prototypes, cut) };
}

test('neither the order of the boards nor the size of a block changes a bit', () => {
  fc.assert(
    fc.property(
      round().chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      cuts,
      ([all, shuffled], cut) => {
        const wanted = robustOf(all, cut);
        for (const block of BLOCKS) assert.deepEqual(robustOf(shuffled, cut, block), wanted);
      },
    ),
  );
});

test('with nothing cut and equal weights it is the plain mean, to the bit', () => {
  fc.assert(
    fc.property(
      weight.chain((same) => round(fc.constant(same))),
      (all) => {
        const sums = createRoundSums(SHAPE);
        for (const one of all) addUpdate(sums, one);
        const { delta, table } = robustOf(all, trimmed(0));
        assert.deepEqual(delta, meanDelta(sums));
        assert.deepEqual(table, temporalPrototypes(sums));
      },
    ),
  );
});

test('fewer hostile boards than are cut cannot move any value out of what honest boards said', () => {
  const honest = fc.array(contributionOf(weight, valueIn(-1, 1)), { minLength: 1, maxLength: 12 });
  const hostile = fc.array(contributionOf(weight, fc.constantFrom(-16, 16)), { maxLength: 4 });
  fc.assert(
    fc.property(honest, hostile, fc.integer(), (good, bad, seed) => {
      const all = [...good, ...bad].sort(
        (a, b) => ((a.deltas.length * 7919) ^ seed) - ((b.deltas.length * 7919) ^ seed),
      );
      for (const cut of [middle, trimmed(0.25), trimmed(0.45)]) {
        const { values } = robustOf(all, cut).delta;
        for (const { group, offset, size } of SHAPE.groups) {
          const of = (some: readonly Contribution[]) =>
            some.flatMap(({ deltas }) => deltas.filter((d) => d.group === group));
          const [own, others] = [of(good), of(bad)];
          const isProtected = own.length > 0 && others.length <= cut(own.length + others.length);
          if (!isProtected) continue;
          for (let i = 0; i < size; i++) {
            const said = own.map((one) => Math.round((one.values[i] as number) * FIXED) / FIXED);
            const value = values[offset + i] as number;
            assert.ok(value >= Math.min(...said) && value <= Math.max(...said), `${value} of ${said}`);
          }
        }
      }
    }),
  );
});

test('the median is the median', () => {
  fc.assert(
    fc.property(round(), (all) => {
      const { values } = robustOf(all, middle).delta;
      for (const { group, offset, size } of SHAPE.groups) {
        const own = all.flatMap(({ deltas }) => deltas.filter((one) => one.group === group));
        for (let i = 0; i < size && own.length > 0; i++) {
          const fixed = own.map((one) => Math.round((one.values[i] as number) * FIXED) + 0); // −0 is 0 in integers
          assert.equal(values[offset + i], median(fixed) / FIXED);
        }
      }
    }),
  );
});

test('a weight of nothing is no vote', () => {
  const deltas = [16, 16, 0, 0, 0].map((weight, i) => [{ group: 1, weight, values: Float32Array.of(i, -i) }]);
  const { values, moved } = robustDelta(
    SHAPE,
    deltas.map((own) => () => own),
    middle,
  );
  assert.deepEqual([...values.slice(4, 6)], [0.5, -0.5]);
  assert.deepEqual(moved, [{ index: 1, offset: 4, size: 2 }]);
});

test('no change is longer than the bound, and what is within it is untouched', () => {
  fc.assert(
    fc.property(vector(12), vector(5), fc.double({ min: 1e-3, max: 200, noNaN: true }), (a, b, bound) => {
      const parts = [{ values: a }, { values: b }];
      const norm = normOf(parts);
      const cut = parts.map(({ values }) => ({ values: clipped(values, norm, bound) }));
      assert.ok(normOf(cut) <= bound * (1 + 1e-6));
      if (norm <= bound) assert.deepEqual(cut, parts);
      else assert.ok(normOf(cut) >= bound * (1 - 1e-6));
      const rows = clippedRows(a, 4, bound);
      for (let at = 0; at < 12; at += 4) {
        const [row, before] = [rows.slice(at, at + 4), a.slice(at, at + 4)];
        assert.ok(normOf([{ values: row }]) <= bound * (1 + 1e-6));
        if (normOf([{ values: before }]) <= bound) assert.deepEqual(row, before);
      }
    }),
  );
});

test('the bound follows the round’s median, whoever comes first, and the smaller of two holds', () => {
  const norms = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(
      norms.chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length }))),
      fc.double({ min: 0.1, max: 10, noNaN: true }),
      ([all, shuffled], factor) => {
        const bound = clipBound(all, 0, factor);
        assert.equal(clipBound(shuffled, 0, factor), bound);
        assert.equal(bound, median(all) === 0 ? Number.POSITIVE_INFINITY : factor * median(all));
        assert.equal(clipBound(all, 3, factor), Math.min(3, bound));
        assert.equal(clipBound(all, 0, 0), Number.POSITIVE_INFINITY);
      },
    ),
  );
});

test('nobody has more than the share, nobody is cut more than it takes, and too few count alike', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 2 ** 14 }), { minLength: 1, maxLength: 30 }),
      fc.double({ min: 0.01, max: 1, noNaN: true }),
      (weights, share) => {
        const cap = weightCap(weights, share);
        assert.ok(Number.isInteger(cap) && cap >= 1);
        assert.equal(weightCap([...weights].reverse(), share), cap);
        const voters = weights.filter((w) => w > 0);
        if (voters.length === 0) return;
        const after = (c: number) => voters.map((w) => Math.min(w, c));
        const shareOf = (c: number) => Math.max(...after(c)) / after(c).reduce((sum, w) => sum + w, 0);
        if (cap > 1 && voters.length * share >= 1 + 1e-9) {
          assert.ok(shareOf(cap) <= share + 1e-9, `${shareOf(cap)} of ${voters} at ${cap}`);
        }
        if (voters.length * share < 1 - 1e-9) assert.equal(cap, Math.min(...voters));
        if (cap < Math.max(...voters) && voters.length * share >= 1 + 1e-9) assert.ok(shareOf(cap + 1) > share - 1e-9);
      },
    ),
  );
});
