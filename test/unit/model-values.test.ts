/** The values that an update's model stands for, asked for again and for several updates in turn: decoded once, never another's. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { dequantize } from '../../core/quant/affine.ts';
import { groupValues } from '../../core/wire/model-values.ts';
import { expectationOf, sampleCodedUpdate, sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';

test('a coded model has the values of the plain one, the first time and every other', () => {
  const pairs = [1, 2].map((seed) => {
    const options = { spec: TINY_SPEC, seed, modelBits: 4 };
    return { plain: sampleUpdate(options), coded: sampleCodedUpdate(options) };
  });
  for (const { plain, coded } of [...pairs, ...pairs]) {
    const values = groupValues(coded, expectationOf(plain, TINY_SPEC).layout)?.map((group) => [...group.values]);
    assert.deepEqual(
      values,
      plain.model.map(({ tensors }) => tensors.flatMap((tensor) => [...dequantize(tensor)])),
    );
  }
});

test('values belong to whoever asked', () => {
  const coded = sampleCodedUpdate({ spec: TINY_SPEC });
  const { layout } = expectationOf(coded, TINY_SPEC);
  const first = groupValues(coded, layout)?.[0]?.values;
  const before = first?.slice();
  first?.fill(7);
  assert.deepEqual(groupValues(coded, layout)?.[0]?.values, before);
});
