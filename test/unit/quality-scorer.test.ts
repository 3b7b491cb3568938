import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { measure } from '../../core/qqr/measures.ts';
import { createQualityScorer, type QualityScorer } from '../../core/qqr/quality-scorer.ts';
import { applyFault, FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { spoilWindow } from '../../core/trace/spoil.ts';
import { walked } from '../fixtures/quality-motion.ts';

const OPTIONS = { unit: 'mps2', channels: 3, spoil: spoilWindow, seed: 'board' };
const SIGMA = Float32Array.of(1.3, 1.3, 1.3);

function teach(scorer: QualityScorer, windows: number, name: string): void {
  const rng = createRng(name);
  for (let i = 0; i < windows; i++) {
    const values = walked(rng).values[0] as Float32Array;
    scorer.learn(values, measure(values, 3, 'mps2'));
  }
}

/** Scores of 60 windows it was not taught with. */
function scores(scorer: QualityScorer, kind: FaultKind | null): number[] {
  const rng = createRng(`test/${kind}`);
  return Array.from({ length: 60 }, () => {
    const whole = walked(rng).values[0] as Float32Array;
    const values = kind === null ? whole : applyFault(whole, 3, { kind, severity: 0.6 }, SIGMA, rng);
    return scorer.score(measure(values, 3, 'mps2'));
  });
}

const share = (of: readonly number[], isSo: (score: number) => boolean) => of.filter(isSo).length / of.length;

test('taught with its own windows only, it tells every kind of fault from whole windows', (t) => {
  const scorer = createQualityScorer(OPTIONS);
  teach(scorer, 300, 'walks');
  assert.ok(share(scores(scorer, null), (score) => score > 0.5) > 0.95);
  for (const kind of FAULT_KINDS) {
    const found = share(scores(scorer, kind), (score) => score < 0.5);
    t.diagnostic(`${kind}: ${found}`);
    assert.ok(found > 0.8, `${kind}: ${found}`);
  }
});

test('it is not heard before a hundred windows have taught', () => {
  const scorer = createQualityScorer(OPTIONS);
  teach(scorer, 99, 'walks');
  assert.ok(scores(scorer, 'stuck').every((score) => score === 1));
  teach(scorer, 1, 'one more');
  assert.ok(scores(scorer, 'stuck').some((score) => score < 0.5));
});

test('it names the measure that pulls the score down', () => {
  const scorer = createQualityScorer(OPTIONS);
  teach(scorer, 300, 'walks');
  const rng = createRng('why');
  const why = (kind: FaultKind) => {
    const whole = walked(rng).values[0] as Float32Array;
    return scorer.why(measure(applyFault(whole, 3, { kind, severity: 0.8 }, SIGMA, rng), 3, 'mps2'));
  };
  const expected = {
    noise: ['noise', 'highFrequency'],
    clip: ['clip'],
    stuck: ['held', 'clip', 'jump'],
    drift: ['ramp', 'level'],
  } as const;
  for (const [kind, names] of Object.entries(expected)) {
    const whys = Array.from({ length: 20 }, () => why(kind as FaultKind));
    for (const name of whys) assert.ok((names as readonly string[]).includes(name), `${kind}: ${name}`);
  }
});

test('the same seed teaches the same, another seed does not', () => {
  const [a, b, other] = [OPTIONS, OPTIONS, { ...OPTIONS, seed: 'other' }].map((options) =>
    createQualityScorer(options),
  );
  for (const scorer of [a, b, other]) teach(scorer as QualityScorer, 120, 'walks');
  assert.deepEqual(a?.state(), b?.state());
  assert.notEqual(a?.state().weights, other?.state().weights);
});

test('saved as JSON and gone on from after every window, it stays the same to the bit', () => {
  const whole = createQualityScorer(OPTIONS);
  teach(whole, 150, 'first');
  let saved = createQualityScorer(OPTIONS, JSON.parse(JSON.stringify(whole.state())));
  for (let i = 0; i < 20; i++) {
    teach(whole, 1, `then ${i}`);
    teach(saved, 1, `then ${i}`);
    assert.deepEqual(saved.state(), whole.state());
    saved = createQualityScorer(OPTIONS, JSON.parse(JSON.stringify(saved.state())));
  }
  assert.deepEqual(scores(saved, 'noise'), scores(whole, 'noise'));
  assert.ok(JSON.stringify(saved.state()).length < 4000);
});
