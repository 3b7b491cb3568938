/** What a confidence is worth: summed excess, expected error over equal bins, and the temperature that closes the gap. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { calibrationErrorOf, nextTemperature, overconfidenceOf } from '../../core/model/calibration.ts';
import { TEMPERATURE_RANGE } from '../../core/model/global-state.ts';
import { retempered } from '../../core/model/predict.ts';
import { predictionAt } from '../../core/model/prediction.ts';

test('excess confidence is summed over labelled windows; a window without an answer claims nothing', () => {
  const probabilities = Float32Array.of(0.75, 0.25, 0.5, 0.5, 0.25, 0.75, 0, 0);
  assert.equal(overconfidenceOf(probabilities, Int32Array.of(0, -1, 0, 1), 2), 0.75 - 1 + 0.75);
});

test('expected calibration error: bins of equal mass, unlabelled windows left out', () => {
  // 15 windows, one a bin: |0.8 − 1| twelve times and |0.8 − 0| three times
  const probabilities = new Float32Array(32).map((_, i) => (i % 2 === 0 ? 0.8 : 0.2));
  const labels = Int32Array.from({ length: 16 }, (_, i) => (i === 15 ? -1 : i < 12 ? 0 : 1));
  assert.ok(Math.abs(calibrationErrorOf(probabilities, labels, 2) - (12 * 0.2 + 3 * 0.8) / 15) < 1e-6);
  // The same 30 windows in bins of two, one of each right: no longer than |0.8 − 0.5| a bin
  const mixed = new Float32Array(60).map((_, i) => (i % 2 === 0 ? 0.8 : 0.2));
  const halves = Int32Array.from({ length: 30 }, (_, i) => i % 2);
  assert.ok(Math.abs(calibrationErrorOf(mixed, halves, 2) - 0.3) < 1e-6);
  // Bins are of like confidence, however windows come: 0.6 that is always right does not make up for 0.9 that never is,
  // but in the one bin of 15 that has two of each
  const twoKinds = new Float32Array(120).map((_, i) => [0.6, 0.4, 0.9, 0.1][i % 4] as number);
  const firstOnly = Int32Array.from({ length: 60 }, (_, i) => i % 2);
  assert.ok(Math.abs(calibrationErrorOf(twoKinds, firstOnly, 2) - (28 * 0.4 + 28 * 0.9 + 2 * 0.5) / 60) < 1e-6);
});

test('rounds of prequential gaps lead the temperature to where confidence is accuracy', () => {
  // Right answers drawn from q; what is claimed is q made three times too sure
  const rng = createRng('calibration');
  const classes = 3;
  const windowsOf = (count: number) => {
    const honest = Float32Array.from({ length: count * classes });
    const labels = new Int32Array(count);
    for (let i = 0; i < count; i++) {
      const raw = Array.from({ length: classes }, () => Math.exp(2 * rng.normal()));
      const total = raw.reduce((a, b) => a + b, 0);
      raw.forEach((value, c) => {
        honest[i * classes + c] = value / total;
      });
      const draw = rng.next() * total;
      labels[i] = draw < (raw[0] as number) ? 0 : draw < (raw[0] as number) + (raw[1] as number) ? 1 : 2;
    }
    return { claimed: retempered(honest, 1 / 3, classes), labels };
  };
  let temperature = 1;
  for (let round = 0; round < 40; round++) {
    const { claimed, labels } = windowsOf(200);
    const gap = overconfidenceOf(retempered(claimed, temperature, classes), labels, classes) / 200;
    temperature = nextTemperature(temperature, gap);
  }
  assert.ok(Math.abs(Math.log(temperature / 3)) < 0.25, `T = ${temperature}`);
  const { claimed, labels } = windowsOf(3000);
  assert.ok(calibrationErrorOf(claimed, labels, classes) > 0.1);
  assert.ok(calibrationErrorOf(retempered(claimed, temperature, classes), labels, classes) < 0.04);
});

test('a temperature stays in its range whatever is claimed', () => {
  const [least, most] = TEMPERATURE_RANGE;
  assert.equal(nextTemperature(most, 1), most);
  assert.equal(nextTemperature(least, -1), least);
  assert.equal(nextTemperature(1.5, 0), 1.5);
});

test('a prediction is a class and a confidence, or neither', () => {
  const probabilities = Float32Array.of(0.25, 0.5, 0.25, 0, 0, 0);
  assert.deepEqual(predictionAt(probabilities, 0, 3), { class: 1, confidence: 0.5 });
  assert.deepEqual(predictionAt(probabilities, 1, 3), { class: null, confidence: 0 });
});
