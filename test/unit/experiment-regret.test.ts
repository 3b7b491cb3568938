import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { growthExponent, horizons } from '../../core/math/growth-exponent.ts';
import { createRng } from '../../core/math/rng.ts';
import { createFeatureMeans } from '../../scripts/experiment/feature-means.ts';
import { regretAt, regretMetrics } from '../../scripts/experiment/regret.ts';
import { convexRegret } from '../../scripts/experiment/regret-convex.ts';
import { type Example, fitSoftmax, softmaxLoss } from '../../scripts/experiment/softmax-regression.ts';
import { createScale, featuresOf } from '../../scripts/experiment/window-features.ts';
import { SMALL_FLEET, smallPlan, WINDOWS_PER_ROUND } from '../fixtures/small-fleet.ts';

const near = (actual: number | null | undefined, wanted: number, within: number) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - wanted) <= within, `${actual} is not ${wanted}`);

function clouds(count: number): Example[] {
  const rng = createRng('clouds');
  return Array.from({ length: count }, (_, i) => {
    const label = i % 3;
    return { label, features: Float64Array.from([rng.normal() + label, rng.normal() - label, rng.normal()]) };
  });
}

describe('regret', () => {
  it('is read at powers of two and at the end', () => {
    assert.deepEqual(horizons(33), [2, 4, 8, 16, 32, 33]);
    assert.deepEqual(horizons(16), [2, 4, 8, 16]);
    assert.deepEqual(horizons(1), [1]);
  });

  it('adds up the online loss less the comparator’s', () => {
    const losses = [5, 4, 3, 2, 1].map((online) => ({ online, comparator: 1 }));
    assert.deepEqual(regretAt(losses), [
      { t: 2, regret: 7 },
      { t: 4, regret: 10 },
      { t: 5, regret: 10 },
    ]);
  });

  it('has the exponent of a power law', () => {
    for (const power of [0.3, 0.5, 1]) {
      near(growthExponent(horizons(64).map((t) => [t, 7 * t ** power])), power, 1e-12);
    }
  });

  it('has no exponent where fewer than three horizons have a positive regret', () => {
    const points = [3, -1, 0, 4].map((regret, i) => ({ t: 2 ** (i + 1), regret }));
    assert.equal(growthExponent(points.map(({ t, regret }) => [t, regret])), null);
    assert.deepEqual(regretMetrics(points, 8), { 'regret/total': 4, 'regret/per-window': 0.5 });
  });
});

describe('softmax regression', () => {
  it('has the gradient that differences of its loss have', () => {
    const rng = createRng('weights');
    const examples = clouds(20);
    const weights = Float64Array.from({ length: 12 }, () => rng.normal());
    const gradient = new Float64Array(12);
    softmaxLoss(weights, examples, 3, gradient);
    for (let i = 0; i < 12; i++) {
      const moved = (by: number) => weights.map((value, k) => (k === i ? value + by : value));
      const slope = (softmaxLoss(moved(1e-6), examples, 3, null) - softmaxLoss(moved(-1e-6), examples, 3, null)) / 2e-6;
      near(gradient[i], slope, 1e-7);
    }
  });

  it('starts at ln C, and is fitted until the gradient is gone', () => {
    const examples = clouds(300);
    const start = new Float64Array(12);
    near(softmaxLoss(start, examples, 3, null), Math.log(3), 1e-12);
    const fitted = fitSoftmax(examples, { classes: 3, start, ridge: 0.01, steps: 200, tolerance: 1e-8 });
    const gradient = fitted.map((weight) => 0.01 * weight);
    softmaxLoss(fitted, examples, 3, gradient);
    assert.ok(Math.hypot(...gradient) < 1e-7);
    assert.ok(
      start.every((value) => value === 0),
      'the start is not changed',
    );
    const rng = createRng('elsewhere');
    const value = (weights: Float64Array) =>
      softmaxLoss(weights, examples, 3, null) + 0.005 * weights.reduce((sum, weight) => sum + weight * weight, 0);
    for (let n = 0; n < 50; n++) {
      assert.ok(value(fitted.map((weight) => weight + 0.1 * rng.normal())) > value(fitted));
    }
  });
});

describe('fixed features', () => {
  it('are mean, deviation, change and extremes of each channel', () => {
    const values = [Float32Array.from([1, 10, 3, 10, 5, 10]), null];
    const window = { index: 0, tStartUs: 0, label: 'a', values, completeness: [1, 0] };
    const [first, second] = featuresOf(window, [2, 3]);
    assert.equal(second, null);
    assert.deepEqual(
      [...(first ?? [])].map((value) => Number(value.toFixed(6))),
      [3, 1.632993, 2, 1, 5, 10, 0, 0, 10, 10],
    );
  });

  it('are scaled by some windows and limited, and holes stay holes', () => {
    const scale = createScale([
      [Float64Array.of(1, 7), null],
      [Float64Array.of(3, 7), null],
    ]);
    const [first, second] = scale([Float64Array.of(2.5, 7), null]);
    assert.deepEqual([...(first ?? [])], [0.5, 0]);
    assert.equal(second, null);
    assert.deepEqual([...(scale([Float64Array.of(1e9, -1e9), null])[0] ?? [])], [5, -5]);
  });

  it('of a missing modality come from the class whose other modality is near', () => {
    const means = createFeatureMeans(2, [1, 2]);
    assert.deepEqual([...means.filled([Float64Array.of(0), null], true)], [0, 0, 0], 'nothing is known yet');
    means.learn([Float64Array.of(-3), Float64Array.of(10, 20)], 0);
    means.learn([Float64Array.of(3), Float64Array.of(-10, 40)], 1);
    const filled = means.filled([Float64Array.of(2.9), null], true);
    near(filled[1], -10, 1e-6);
    near(filled[2], 40, 1e-6);
    assert.deepEqual([...means.filled([Float64Array.of(2.9), null], false)], [2.9, 0, 0]);
    assert.deepEqual([...means.filled([null, null], true)], [0, 0, 0]);
  });
});

describe('the convex case', () => {
  const settings = { windowsPerRound: WINDOWS_PER_ROUND, learningRate: 0.3, fill: 'pnr' } as const;

  it('has a positive, sublinear regret on a learnable stream, the same each time', () => {
    const plan = smallPlan({ ...SMALL_FLEET, degradedRate: 0, missingRate: 0.3 });
    const { metrics } = convexRegret(plan, settings);
    assert.ok((metrics['regret/total'] ?? 0) > 0);
    const exponent = metrics['regret/exponent'] ?? Number.NaN;
    assert.ok(exponent > 0 && exponent < 1, String(exponent));
    assert.ok((metrics['online/loss'] ?? 9) < Math.log(3));
    assert.deepEqual(convexRegret(plan, settings).metrics, metrics);
  });

  it('fills from class means only when the strategy fills from prototypes', () => {
    const plan = smallPlan({ ...SMALL_FLEET, degradedRate: 0, missingRate: 0.8 });
    const loss = (fill: 'pnr' | 'zero-embedding') => convexRegret(plan, { ...settings, fill }).metrics['online/loss'];
    assert.notEqual(loss('pnr'), loss('zero-embedding'));
  });
});
