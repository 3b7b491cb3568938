/** `qqr experiment` as a person starts it: the list, refusals before anything is run, and a short form on a folder of traces. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import { EXPERIMENTS } from '../../scripts/experiment/catalogue.ts';
import { SMALL_MOTION, syntheticMotion } from '../fixtures/synthetic-motion.ts';

const COMMAND = fileURLToPath(new URL('../../scripts/qqr.js', import.meta.url));

function qqr(...args: readonly string[]): Promise<{ code: number; out: string; errors: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [COMMAND, ...args], (error, out, errors) => {
      resolve({ code: error === null ? 0 : Number(error.code), out, errors });
    });
  });
}

describe('qqr experiment', { timeout: 120_000 }, () => {
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-experiment-command-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('lists what there is', async () => {
    const { code, out } = await qqr('experiment', 'list');
    assert.equal(code, 0);
    for (const { name } of EXPERIMENTS) assert.match(out, new RegExp(`^${name} `, 'm'));
  });

  it('refuses what cannot be run, and says how to get the recordings', async () => {
    const whole = await qqr('experiment', 'quantity', '--out', join(folder, 'none'));
    assert.equal(whole.code, 64);
    assert.match(whole.errors, /HAPT.*--quick/);
    const three = await qqr('experiment', 'modalities', '--quick', '--out', join(folder, 'none'));
    assert.equal(three.code, 64);
    assert.match(three.errors, /DSADS/);
    const count = await qqr('experiment', 'quantity', '--quick', '--jobs', '0');
    assert.equal(count.code, 64);
    const gone = await qqr('experiment', 'quantity', '--data', join(folder, 'gone.csv'), '--out', join(folder, 'none'));
    assert.equal(gone.code, 66);
  });

  it('runs a short form, then finds everything there', async () => {
    const data = join(folder, 'motion');
    const subjects = ['ada', 'bo', 'cy', 'di', 'ed'];
    await writeDataSetFolder(syntheticMotion({ ...SMALL_MOTION, subjects, secondsPerClass: 40 }), data);
    const out = join(folder, 'labels');
    const args = ['experiment', 'personalize', '--quick', '--seeds', '1', '--jobs', '1', '--data', data, '--out', out];
    const first = await qqr(...args);
    assert.equal(first.code, 0, first.errors);
    assert.match(first.out, /^9 trials, 0 of them from before\nReport: .*report\.html\n$/);
    const text = await readFile(join(out, 'results.md'), 'utf8');
    assert.match(text, /Again: `qqr experiment personalize --data motion --seeds 1 --quick`/);
    const again = await qqr(...args);
    assert.match(again.out, /^9 trials, 9 of them from before/);
    assert.equal(await readFile(join(out, 'results.md'), 'utf8'), text);
    const document = await qqr('experiment', 'results', out);
    assert.match(document.out, /^# Results\n/);
    assert.match(document.out, /## For one’s own person/);
  });
});
