/** Experiments over real worker processes on made-up motion: resumed after a kill, a dying worker, a trial that throws. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseJournal } from '../../scripts/experiment/journal.ts';
import { startPool } from '../../scripts/experiment/pool.ts';
import { type ExperimentRun, runExperiment } from '../../scripts/experiment/run-experiment.ts';
import { forkFixtureWorker } from '../fixtures/fork-fixture-worker.ts';
import { TINY } from '../fixtures/tiny-experiment.ts';

const RUNNER = fileURLToPath(new URL('../fixtures/experiment-runner.js', import.meta.url));
const TRIALS = 6;
const progress = { start: () => undefined, advance: () => undefined, stop: () => undefined };

describe('an experiment over worker processes', { timeout: 300_000 }, () => {
  let folder = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-experiment-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function run(name: string, mode: readonly string[], jobs = 1, isFresh = false): Promise<ExperimentRun> {
    const pool = await startPool({ jobs, fork: () => forkFixtureWorker(...mode) });
    const journal = join(folder, name);
    const options = { pool, journal, seeds: 3, isQuick: false, isFresh, commit: 'abc', progress, nowMs: () => 0 };
    return runExperiment(TINY, options).finally(() => pool.stop());
  }

  const metricsOf = ({ finished }: ExperimentRun) =>
    finished.map(({ trial, result }) => [trial.key, result.metrics, result.curves]);

  it('goes on where it was killed, and comes to the same', async () => {
    const whole = await run('whole.jsonl', ['plain'], 2);
    assert.equal(whole.finished.length, TRIALS);
    assert.equal(whole.resumed, 0);

    const path = join(folder, 'killed.jsonl');
    const runner = spawn(process.execPath, [RUNNER, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    let seen = 0;
    createInterface({ input: runner.stdout }).on('line', () => {
      seen++;
      if (seen === 2) runner.kill('SIGKILL');
    });
    const [, signal] = await once(runner, 'close');
    assert.equal(signal, 'SIGKILL');
    const left = parseJournal(await readFile(path, 'utf8'), path).lines.length;
    assert.ok(left >= 2 && left < TRIALS, `${left} trials were left by the kill`);

    const resumed = await run('killed.jsonl', ['plain']);
    assert.equal(resumed.resumed, left);
    assert.deepEqual(metricsOf(resumed), metricsOf(whole));
    const lines = parseJournal(await readFile(path, 'utf8'), path).lines;
    assert.equal(new Set(lines.map(({ trial }) => trial.key)).size, TRIALS);
    assert.equal(lines.length, TRIALS, 'no trial twice');
  });

  it('tries the trial of a dead worker once more', async () => {
    const ran = await run('dies.jsonl', ['dies', join(folder, 'marker')]);
    assert.equal(ran.finished.length, TRIALS);
    assert.deepEqual(ran.failures, []);
  });

  it('gives up a trial that kills two workers, and goes on with the others', async () => {
    const ran = await run('dies-always.jsonl', ['dies-always'], 2);
    assert.equal(ran.finished.length, TRIALS - 2);
    assert.deepEqual(
      ran.failures.map(({ trial }) => trial.seed),
      [2, 2],
    );
    assert.match(ran.failures[0]?.message ?? '', /SIGKILL/);
    const again = await run('dies-always.jsonl', ['plain']);
    assert.equal(again.finished.length, TRIALS);
    assert.equal(again.resumed, TRIALS - 2);
  });

  it('reports a trial that throws with its code', async () => {
    const { failures, finished } = await run('throws.jsonl', ['throws']);
    assert.equal(finished.length, TRIALS - 2);
    assert.match(failures[0]?.message ?? '', /seed 2 will not do \[data-format\]/);
  });

  it('ends with the worker’s own error when there are no recordings', async () => {
    await assert.rejects(run('unable.jsonl', ['unable']), { code: 'input-missing', where: 'nowhere', hint: 'look' });
  });

  it('starts over when it is told to', async () => {
    await run('whole.jsonl', ['plain']);
    const fresh = await run('whole.jsonl', ['throws'], 1, true);
    assert.equal(fresh.finished.length, TRIALS - 2);
  });
});
