/**
 * docs/guides/add-a-strategy.md as it is written: its files and lines put into a copy of this checkout, its commands run there. In place
 * of the download lie made-up recordings of six people, short ones, as the download would have left its own of ten.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import { copyCheckout, followGuide } from '../fixtures/guide-checkout.ts';
import { syntheticMotion } from '../fixtures/synthetic-motion.ts';

test('the guide works as written, from an equation to an honest comparison', async (t) => {
  const folder = await copyCheckout(t);
  const subjects = ['1', '2', '7', '8', '9', '10'];
  const motion = syntheticMotion({
    subjects,
    classes: ['rest', 'slow'],
    secondsPerClass: 12,
    sampleRateHz: 20,
    seed: 1,
  });
  await writeDataSetFolder({ ...motion, name: 'watch' }, join(folder, 'qqr-experiments', 'watch'));
  const said = await followGuide('add-a-strategy', folder);
  assert.equal(said.length, 5, 'the commands were found');
  const [, rules, , choice, comparison] = said as [string, string, string, string, string];
  assert.match(rules, /every chip has its row in docs\/board\.md, every strategy/);
  const rows = [
    ...choice.matchAll(/^(fedavg-masked|fedavgm), learningRate ([\d.]+)\n +all sensors healthy +[\d.]+ \+- /gm),
  ];
  assert.equal(rows.length, 6, choice);
  assert.match(comparison, /^(?:-?\d+\.\d points(?:, )?){5}\n$/);
});
