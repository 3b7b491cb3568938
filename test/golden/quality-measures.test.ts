import { test } from 'node:test';
import { measure } from '../../core/qqr/measures.ts';
import { assertClose } from './close.ts';

/** From the NumPy reference, on x[t, c] = sin(0.1·t·(c + 1) + c), t < 128, c < 3. */
const SIGNAL_FEATURES = [
  -0.6937239766120911, 0, 0.015625, -7.357102870941162, -3.9063844680786133, 0.3212969899177551, -3.6338963508605957,
  0.2250739187002182,
];

test('the first eight measures equal the signal features of the reference', () => {
  const values = Float32Array.from({ length: 128 * 3 }, (_, i) => {
    const [t, c] = [Math.floor(i / 3), i % 3];
    return Math.sin(0.1 * t * (c + 1) + c);
  });
  assertClose(measure(values, 3, 'radps').subarray(0, 8), SIGNAL_FEATURES, 2e-5);
});
