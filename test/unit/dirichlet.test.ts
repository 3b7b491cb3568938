import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dirichlet } from '../../core/math/dirichlet.ts';
import { createRng } from '../../core/math/rng.ts';

const COUNT = 5;
const DRAWS = 4000;

for (const alpha of [0.1, 0.3, 1, 10]) {
  test(`shares of Dirichlet(${alpha}) sum to 1, with its mean and variance`, () => {
    const rng = createRng('dirichlet');
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < DRAWS; i++) {
      const shares = dirichlet(COUNT, alpha, rng);
      assert.ok(shares.every((share) => share >= 0));
      assert.ok(Math.abs(shares.reduce((a, b) => a + b, 0) - 1) < 1e-12);
      sum += shares[0] as number;
      squares += (shares[0] as number) ** 2;
    }
    const mean = sum / DRAWS;
    const variance = squares / DRAWS - mean ** 2;
    const expected = (COUNT - 1) / COUNT ** 2 / (COUNT * alpha + 1);
    assert.ok(Math.abs(mean - 1 / COUNT) < 0.02, `mean ${mean}`);
    assert.ok(Math.abs(variance / expected - 1) < 0.1, `variance ${variance}, expected ${expected}`);
  });
}

test('a very small alpha gives everything to one, and stays finite', () => {
  const rng = createRng('small');
  for (let i = 0; i < 100; i++) {
    const shares = dirichlet(COUNT, 1e-4, rng);
    assert.ok(shares.every(Number.isFinite));
    assert.ok(Math.max(...shares) > 0.9);
  }
});
