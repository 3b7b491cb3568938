import assert from 'node:assert/strict';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type JournalHeader, openJournal } from '../../scripts/experiment/journal.ts';
import { TRIAL_FORMAT } from '../../scripts/experiment/trial.ts';
import { finishedTrial } from '../fixtures/finished-trials.ts';

const HEADER: JournalHeader = {
  format: TRIAL_FORMAT,
  experiment: 'tiny',
  data: { name: 'made up', subjects: ['a'], modalities: ['acc'], hasPublishedSplit: false, digest: '0123' },
};
const line = (seed: number) => finishedTrial({ seed, series: 'qqr', x: 0, metrics: { clean: 0.9 } });

describe('the journal of an experiment', () => {
  let folder = '';
  let count = 0;
  const path = () => join(folder, `${count}`, 'trials.jsonl');

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-journal-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function written(): Promise<string> {
    count++;
    const journal = await openJournal(path(), HEADER, false);
    await Promise.all([journal.append(line(1)), journal.append(line(2))]);
    return readFile(path(), 'utf8');
  }

  it('has what was appended when it is opened again', async () => {
    await written();
    const { finished } = await openJournal(path(), HEADER, false);
    assert.deepEqual([...finished.values()], [line(1), line(2)]);
  });

  it('counts whole lines only, wherever the file ends, and glues nothing to a partial one', async () => {
    const text = await written();
    for (const cut of [text.length - 1, text.length - 9, text.indexOf('\n') + 1, text.indexOf('\n'), 3, 0]) {
      await writeFile(path(), text.slice(0, cut));
      const whole = Math.max(0, text.slice(0, cut).split('\n').length - 2);
      const journal = await openJournal(path(), HEADER, false);
      assert.equal(journal.finished.size, whole, `cut at ${cut}`);
      await journal.append(line(7));
      const again = await openJournal(path(), HEADER, false);
      assert.equal(again.finished.size, whole + 1, `cut at ${cut}`);
    }
  });

  it('refuses the trials of another experiment, other recordings or another format', async () => {
    await written();
    const others: JournalHeader[] = [
      { ...HEADER, experiment: 'other' },
      { ...HEADER, data: { ...HEADER.data, digest: '4567' } },
    ];
    for (const header of others) {
      await assert.rejects(openJournal(path(), header, false), { code: 'output-failed', hint: /--fresh/ });
    }
    await writeFile(path(), `${JSON.stringify({ ...HEADER, format: 0 })}\n`);
    await assert.rejects(openJournal(path(), HEADER, false), { code: 'output-failed', message: /version/ });
    assert.equal((await openJournal(path(), HEADER, true)).finished.size, 0);
  });

  it('refuses a file that is something else', async () => {
    await written();
    await appendFile(path(), 'not a trial\n');
    await assert.rejects(openJournal(path(), HEADER, false), { code: 'data-format' });
  });
});
