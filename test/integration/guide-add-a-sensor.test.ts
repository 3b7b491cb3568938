/** docs/guides/add-a-sensor.md as it is written: its files and lines put into a copy of this checkout, its commands run there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { copyCheckout, followGuide } from '../fixtures/guide-checkout.ts';

test('the guide works as written, from a data sheet to a board', async (t) => {
  const said = await followGuide('add-a-sensor', await copyCheckout(t));
  assert.equal(said.length, 3, 'the commands were found');
  const [tests, board, rules] = said as [string, string, string];
  assert.match(tests, /mma8452q on the simulated bus/);
  assert.doesNotMatch(tests, /^. skipped [1-9]/m);
  const recordings = [...board.matchAll(/acc +x y z +mps2 +(\d+) samples +([\d.]+) Hz/g)];
  assert.equal(recordings.length, 2, board);
  for (const [, samples, rateHz] of recordings) {
    assert.ok(Number(samples) > 100, `${samples} samples`);
    assert.ok(Math.abs(Number(rateHz) - 50) < 3, `${rateHz} Hz`);
  }
  assert.match(rules, /every chip has its row/);
});
