import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import { hindsightRegret } from '../../server/store/hindsight-regret.ts';

const losses = (rounds: number, of: (t: number) => number) => Array.from({ length: rounds }, (_, i) => of(i + 1));

describe('regret against the best stretch of rounds', () => {
  it('is nothing when the loss never changes, and then has no exponent', () => {
    const { at, exponent } = hindsightRegret(losses(1000, () => 0.7));
    for (const t of [1, 8, 9, 100, 1000]) assert.ok(at(t) < 1e-9, `${t}: ${at(t)}`);
    assert.equal(exponent(), null);
  });

  it('is what the definition says, counted by hand', () => {
    // Up to 8 rounds the stretch is one round, of 9 to 16 it is two.
    const { at } = hindsightRegret([3, 1, 2, 2, 2, 2, 2, 2, 0]);
    assert.equal(at(1), 0);
    assert.equal(at(2), 4 - 2 * 1);
    assert.equal(at(8), 16 - 8 * 1);
    assert.equal(at(9), 16 - 9 * 1, 'the last two rounds cost 1 each');
  });

  it('is never negative, also when no stretch is as good as the whole', () => {
    const { at } = hindsightRegret([0, 1, 0, 1, 0, 1, 0, 1, 0]); // every two in a row cost more than 4 / 9
    assert.equal(at(9), 0);
    const rng = createRng('regret');
    const noise = hindsightRegret(losses(300, () => rng.next()));
    for (let t = 1; t <= 300; t++) assert.ok(noise.at(t) >= 0, `${t}`);
  });

  it('of earlier rounds stays as it was when later ones come', () => {
    const rng = createRng('later');
    const all = losses(200, (t) => 1 / t + rng.next());
    const first = hindsightRegret(all.slice(0, 90));
    const whole = hindsightRegret(all);
    for (const t of [1, 30, 64, 90]) assert.equal(whole.at(t), first.at(t));
  });

  for (const [what, of, wanted] of [
    ['falls like 1/√t', (t: number) => t ** -0.5, 0.5],
    ['falls like t^-0.3', (t: number) => t ** -0.3, 0.7],
    ['rises by as much every round', (t: number) => t / 1000, 2],
  ] as const) {
    it(`has an exponent near ${wanted} when the loss ${what}`, () => {
      const exponent = hindsightRegret(losses(4096, of)).exponent() ?? Number.NaN;
      assert.ok(Math.abs(exponent - wanted) < 0.06, `${exponent}`);
    });
  }

  it('grows like √T at the most from noise alone', () => {
    const exponents = losses(20, (seed) => {
      const rng = createRng(`noise ${seed}`);
      return hindsightRegret(losses(2048, () => 1 + 0.2 * rng.normal())).exponent() ?? Number.NaN;
    });
    const mean = exponents.reduce((sum, one) => sum + one, 0) / exponents.length;
    assert.ok(Math.abs(mean - 0.5) < 0.1, `${mean} of ${exponents}`);
  });

  it('has no exponent before 64 rounds', () => {
    assert.equal(hindsightRegret(losses(63, (t) => 1 / t)).exponent(), null);
    assert.notEqual(hindsightRegret(losses(64, (t) => 1 / t)).exponent(), null);
    assert.equal(hindsightRegret([]).exponent(), null);
  });
});
