/** Affine codes and values against vectors computed with PyTorch (torch.round, float32). */
import assert from 'node:assert/strict';
import test from 'node:test';
import { dequantize, quantize } from '../../core/quant/affine.ts';
import { unpack } from '../../core/quant/pack.ts';

const VALUES = [
  -1, -0.30000001192092896, 0.019999999552965164, 0.699999988079071, 2, 0.5, -0.8999999761581421, 1.100000023841858,
];
const EXPECTED = [
  { bits: 2, codes: [0, 1, 1, 2, 3, 2, 0, 2], values: [-1, 0, 0, 1, 2, 1, -1, 1] },
  {
    bits: 3,
    codes: [0, 2, 2, 4, 7, 4, 0, 5],
    values: [
      -1, -0.1428571343421936, -0.1428571343421936, 0.7142857313156128, 2, 0.7142857313156128, -1, 1.1428570747375488,
    ],
  },
  {
    bits: 4,
    codes: [0, 4, 5, 8, 15, 8, 1, 10],
    values: [-1, -0.19999998807907104, 0, 0.6000000238418579, 2, 0.6000000238418579, -0.800000011920929, 1],
  },
  {
    bits: 8,
    codes: [0, 59, 87, 144, 255, 128, 9, 178],
    values: [
      -1, -0.3058823347091675, 0.023529410362243652, 0.6941176652908325, 2, 0.5058823823928833, -0.8941176533699036,
      1.0941176414489746,
    ],
  },
];

for (const { bits, codes, values } of EXPECTED) {
  test(`codes and values at ${bits} bits are PyTorch's`, () => {
    const quantized = quantize(Float32Array.from(VALUES), bits);
    assert.deepEqual([...unpack(quantized.packed, bits, VALUES.length)], codes);
    for (const [i, value] of dequantize(quantized).entries()) {
      assert.ok(Math.abs(value - (values[i] as number)) <= 1e-6, `value ${i}: ${value}, expected ${values[i]}`);
    }
  });
}
