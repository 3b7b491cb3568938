import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { MEASURES } from '../../core/qqr/measures.ts';
import { createQualityReference } from '../../core/qqr/quality.ts';
import { createQualityJudge, type JudgedWindow, type QualityJudge } from '../../core/qqr/quality-judge.ts';
import { applyFault, type FaultKind } from '../../core/trace/faults.ts';
import { spoilWindow } from '../../core/trace/spoil.ts';
import { MOTION_MODALITIES as modalities, walked } from '../fixtures/quality-motion.ts';

const SCORER = { spoil: spoilWindow, seed: 'board' };
const SIGMA = [Float32Array.of(1.3, 1.3, 1.3), Float32Array.of(0.3, 0.3, 0.3)];

function broken(rng: ReturnType<typeof createRng>, m: 0 | 1, kind: FaultKind, severity = 0.8): JudgedWindow {
  const { values, completeness } = walked(rng);
  values[m] = applyFault(values[m] as Float32Array, 3, { kind, severity }, SIGMA[m] as Float32Array, rng);
  return { values, completeness };
}

function taught(windows: number, options: Partial<Parameters<typeof createQualityJudge>[0]> = {}): QualityJudge {
  const rng = createRng('taught');
  const judge = createQualityJudge({ modalities, ...options });
  for (let i = 0; i < windows; i++) judge.judge(walked(rng));
  return judge;
}

test('healthy windows of both sensors are good, from the first one on', () => {
  const rng = createRng('healthy');
  const judge = createQualityJudge({ modalities, scorer: SCORER });
  const bad = Array.from({ length: 300 }, () => judge.judge(walked(rng)).quality).filter((q) => Math.min(...q) < 0.5);
  assert.ok(bad.length <= 3, `${bad.length}`);
});

test('a coarse sensor that lies still is well', () => {
  const rng = createRng('coarse');
  const step = 0.004 * 9.80665; // an ADXL345's
  const coarse = (value: number) => Math.round(value / step) * step;
  const judge = taught(20);
  const still = Float32Array.from({ length: 384 }, (_, i) =>
    coarse((i % 3 === 2 ? 9.80665 : 0.1) + 0.8 * step * rng.normal()),
  );
  const lying = judge.score({ values: [still, null], completeness: [1, 0] });
  assert.ok((lying.measures[0]?.[MEASURES.clip] as number) > 0.1, 'the case: one value comes often');
  assert.ok((lying.quality[0] as number) > 0.8, `${lying.quality[0]} ${lying.why[0]}`);
});

describe('a tilt that does not fit', () => {
  for (const [m, name] of [
    [0, 'accelerometer'],
    [1, 'gyroscope'],
  ] as const) {
    test(`blames the ${name} that drifts, not the other`, () => {
      const rng = createRng(name);
      const judge = taught(60);
      const judgements = Array.from({ length: 40 }, () => judge.score(broken(rng, m, 'drift', 1)));
      const right = judgements.filter(({ quality, measures }) => {
        return (quality[1 - m] as number) > 0.8 && Number.isNaN(measures[1 - m]?.[MEASURES.tilt]);
      });
      assert.ok(right.length >= 36, `${right.length}`);
      assert.ok(judgements.some(({ quality, why }) => (quality[m] as number) < 0.5 && why[m] === 'tilt'));
    });
  }

  test('is found by itself: a gyroscope bias that no other measure minds', () => {
    const rng = createRng('bias');
    const judge = taught(60);
    const { values, completeness } = walked(rng);
    const biased = values[1]?.map((value, i) => (i % 3 === 1 ? value + 0.35 : value)) as Float32Array;
    const window = { values: [values[0] as Float32Array, biased], completeness };
    const { quality, why, measures } = judge.score(window);
    assert.ok((quality[1] as number) < 0.5 && why[1] === 'tilt', `${quality} ${why}`);
    const alone = measures[1]?.slice() as Float32Array;
    alone[MEASURES.tilt] = Number.NaN;
    const reference = createQualityReference({ unit: 'radps', sampleRateHz: 50 }, judge.state()[1]);
    assert.ok(reference.score(alone, 1).quality > 0.5);
  });

  test('is not spoken of when one sensor is away', () => {
    const { values } = walked(createRng('away'));
    const { quality, why, measures } = taught(1).score({
      values: [values[0] as Float32Array, null],
      completeness: [1, 0.4],
    });
    assert.ok(Number.isNaN(measures[0]?.[MEASURES.tilt]));
    assert.deepEqual([quality[1], why[1], measures[1]], [0, 'completeness', null]);
  });
});

test('the quality is the smaller of robust score and scorer, and has its reason', () => {
  const rng = createRng('both');
  const judge = taught(200, { scorer: SCORER });
  let byScorer = 0;
  for (let i = 0; i < 60; i++) {
    const { quality, robust, scorer, why } = judge.score(broken(rng, 0, 'noise', 0.2 + 0.01 * i));
    quality.forEach((q, m) => {
      assert.equal(q, Math.min(robust[m] as number, scorer[m] as number));
      assert.ok(q === 1 || why[m] !== null);
      if ((scorer[m] as number) < (robust[m] as number)) byScorer++;
    });
  }
  assert.ok(byScorer > 10);
});

test('windows that the rules find bad teach neither history nor scorer', () => {
  const rng = createRng('stuck');
  const judge = taught(120, { scorer: SCORER });
  const { bad, ...before } = judge.state()[0] ?? {};
  for (let i = 0; i < 50; i++) judge.judge(broken(rng, 0, 'stuck'));
  const { bad: badAfter, ...after } = judge.state()[0] ?? {};
  assert.deepEqual(after, before);
  assert.equal(badAfter?.held, (bad?.held ?? 0) + 50);
});

test('scoring changes nothing', () => {
  const judge = taught(120, { scorer: SCORER });
  const before = judge.state();
  judge.score(walked(createRng('once')));
  assert.deepEqual(judge.state(), before);
});

test('saved as JSON and gone on from, judgements are the same to the bit, without a scorer and with one', () => {
  for (const options of [{ modalities }, { modalities, scorer: SCORER }]) {
    const rng = createRng('save');
    const whole = taught(120, options);
    const saved = createQualityJudge(options, JSON.parse(JSON.stringify(whole.state())));
    for (let i = 0; i < 30; i++) {
      const window = i % 3 === 0 ? broken(rng, 1, 'noise', 0.3) : walked(rng);
      assert.deepEqual(saved.judge(window), whole.judge(window));
    }
    assert.deepEqual(saved.state(), whole.state());
  }
});

test('a history that an older version kept is gone on from', () => {
  const { usual, untaughtInRow } = taught(60).state()[0] ?? { usual: [], untaughtInRow: 0 };
  const old = { usual: usual.slice(0, 6), untaughtInRow };
  const judge = createQualityJudge({ modalities, scorer: SCORER }, [old, old]);
  assert.deepEqual(judge.state()[0]?.usual.slice(0, 6), old.usual);
  assert.equal(judge.state()[0]?.scorer?.windows, 0);
});
