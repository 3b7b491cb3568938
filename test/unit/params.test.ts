/** Layout and initialization of the flat parameter vector. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { convolvedLengths, initParams, paramLayout } from '../../core/model/params.ts';
import { type ModalitySpec, type ModelSpec, REFERENCE_NETWORK } from '../../core/model/spec.ts';
import { toySpec } from '../golden/toy.ts';

const acc: ModalitySpec = { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 };
const gyr: ModalitySpec = { ...acc, name: 'gyr', unit: 'radps' };
const reference: ModelSpec = { modalities: [acc, gyr], classes: ['1', '2', '3', '4', '5', '6'], ...REFERENCE_NETWORK };

test('the reference network has 21,382 parameters, without window statistics 20,998', () => {
  assert.equal(paramLayout(reference).total, 21_382);
  assert.equal(initParams(reference, 1).length, 21_382);
  assert.equal(paramLayout({ ...reference, windowStatistics: false }).total, 20_998);
});

test('groups and tensors fill the vector without gap or overlap, encoders first, head last', () => {
  for (const spec of [reference, toySpec(1), toySpec(3)]) {
    const { total, groups } = paramLayout(spec);
    assert.deepEqual(
      groups.map((g) => g.group),
      [...spec.modalities.keys(), -1],
    );
    let end = 0;
    for (const group of groups) {
      assert.equal(group.offset, end);
      for (const tensor of group.tensors) {
        assert.equal(tensor.offset, end);
        assert.equal(
          tensor.size,
          tensor.shape.reduce((a, b) => a * b, 1),
        );
        end += tensor.size;
      }
      assert.equal(group.offset + group.size, end);
    }
    assert.equal(end, total);
  }
});

test('tensors come in the documented order and shapes', () => {
  const [encoder, , head] = paramLayout(reference).groups;
  assert.deepEqual(
    encoder?.tensors.map(({ name, shape }) => [name, ...shape]),
    [
      ['c0w', 27, 16],
      ['c0b', 16],
      ['c1w', 80, 32],
      ['c1b', 32],
      ['c2w', 96, 32],
      ['c2b', 32],
      ['fw', 64, 32],
      ['fb', 32],
      ['sw', 6, 32],
    ],
  );
  assert.deepEqual(
    head?.tensors.map(({ name, shape }) => [name, ...shape]),
    [
      ['h1w', 64, 64],
      ['h1b', 64],
      ['h2w', 64, 6],
      ['h2b', 6],
    ],
  );
});

test('weights start with variance 2 / fan, biases at zero', () => {
  const params = initParams(reference, 3);
  const fans: Record<string, number> = { c0w: 27, c1w: 80, c2w: 96, fw: 128, sw: 128, h1w: 64, h2w: 128 };
  for (const { tensors } of paramLayout(reference).groups) {
    for (const { name, offset, size } of tensors) {
      const values = params.subarray(offset, offset + size);
      const variance = values.reduce((sum, v) => sum + v * v, 0) / size;
      const fan = fans[name];
      if (fan === undefined) assert.equal(variance, 0, name);
      else
        assert.ok(Math.abs((variance * fan) / 2 - 1) < 5 * Math.sqrt(2 / size), `${name}: ${variance} for fan ${fan}`);
    }
  }
});

test('the same seed gives the same bits, another seed others', () => {
  assert.deepEqual(initParams(reference, 5), initParams(reference, 5));
  assert.notDeepEqual(initParams(reference, 5), initParams(reference, 6));
});

test('a further modality leaves the encoders of the others as they start', () => {
  const alone = initParams({ ...reference, modalities: [acc] }, 5);
  const { size } = paramLayout(reference).groups[0] ?? { size: 0 };
  assert.deepEqual(initParams(reference, 5).subarray(0, size), alone.subarray(0, size));
});

test('convolutions shorten 128 samples to 30, 13 and 6 steps', () => {
  assert.deepEqual(convolvedLengths(acc, REFERENCE_NETWORK.conv), [128, 30, 13, 6]);
});

test('a window too short for the convolutions is refused with the layer and a hint', () => {
  // 9 samples → 1 step, and the second convolution takes 5.
  const short = { ...reference, modalities: [acc, { ...gyr, samples: 9 }] };
  assert.throws(
    () => paramLayout(short),
    (error: unknown) => {
      assert.match(String((error as { where?: string }).where), /'gyr', convolution 2: 1 of 5/);
      assert.ok((error as { hint?: string }).hint);
      return (error as { code?: string }).code === 'config-invalid';
    },
  );
  assert.doesNotThrow(() => paramLayout({ ...reference, modalities: [{ ...acc, samples: 41 }] }));
  assert.throws(() => paramLayout({ ...reference, modalities: [{ ...acc, samples: 40 }] }));
});
