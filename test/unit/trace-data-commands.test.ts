/** `qqr data`: what it prints, and that fetching is pinned, idempotent and clean. */
import assert from 'node:assert/strict';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { silentLog } from '../../core/base/log.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { dataCommand } from '../../scripts/data/commands.ts';
import { dataDirectory } from '../../scripts/data/data-directory.ts';
import { fetchWatch } from '../../scripts/data/fetch.ts';
import { failsWith, temporaryFolder } from '../fixtures/trace-folder.ts';

/** Three samples of sitting, a gap, one of walking; the gyroscope has half the rate. */
const RECORDING: Recording = {
  subject: 'anna',
  modalities: [
    {
      name: 'acc',
      unit: 'mps2',
      channels: ['x'],
      sampleRateHz: 50,
      tUs: Float64Array.of(0, 20_000, 40_000, 9e6),
      values: Float32Array.of(1, 2, 3, 4),
    },
    {
      name: 'gyr',
      unit: 'radps',
      channels: ['z'],
      sampleRateHz: 25,
      tUs: Float64Array.of(0, 40_000),
      values: Float32Array.of(1, 2),
    },
  ],
  labels: [
    { tUs: 0, label: 'sit' },
    { tUs: 9e6, label: 'walk' },
  ],
};

/** Runs `qqr data …` with `directory` as its data folder and gives what it printed. */
async function run(directory: string, ...line: string[]): Promise<string> {
  const printed: string[] = [];
  const command = dataCommand({ write: (text) => void printed.push(text), log: silentLog, directory });
  await new Command('qqr').addCommand(command).parseAsync(['node', 'qqr', 'data', ...line]);
  return printed.join('');
}

test('info tells whose motion it is, which sensors, how much of what, and the gaps', async (t) => {
  const folder = await temporaryFolder(t);
  await writeRecording(RECORDING, join(folder, 'anna.csv.gz'));
  const summary = JSON.parse(await run(folder, 'info', join(folder, 'anna.csv.gz'), '--json'));
  assert.deepEqual(summary.labels, [
    { label: 'sit', isClass: true, seconds: 0.06 },
    { label: 'walk', isClass: true, seconds: 0.02 },
  ]);
  assert.deepEqual(summary.subjects, [{ subject: 'anna', recordings: 1, seconds: 0.08, gaps: { acc: 1, gyr: 0 } }]);
  assert.deepEqual(
    summary.modalities.map((m: { name: string; sampleRateHz: number }) => [m.name, m.sampleRateHz]),
    [
      ['acc', 50],
      ['gyr', 25],
    ],
  );
  assert.match(
    await run(folder, 'info', join(folder, 'anna.csv.gz')),
    /acc {2}x {2}mps2 {2}50 Hz[\s\S]*anna {3}1 recording .*gaps: acc 1, gyr 0/,
  );
});

test('import writes a folder that opens again, and never over one that is there', async (t) => {
  const folder = await temporaryFolder(t);
  await writeRecording(RECORDING, join(folder, 'anna.csv.gz'));
  const out = join(folder, 'out');
  assert.match(await run(folder, 'import', join(folder, 'anna.csv.gz'), '--out', out), /1 trace is now in/);
  assert.equal(JSON.parse(await run(folder, 'info', out, '--json')).subjects[0].subject, 'anna');
  await assert.rejects(
    run(folder, 'import', out, '--out', out),
    failsWith('output-failed', /holds a data set already/, out),
  );
});

test('list tells what is here, what is not and what is incomplete', async (t) => {
  const directory = await temporaryFolder(t);
  assert.match(await run(directory, 'list'), /^watch +not here +.*watch\n$/);
  const dataSet = { name: 'x', classes: [], publishedTestSubjects: null, terms: '', recordings: [RECORDING] };
  await writeDataSetFolder(dataSet, join(directory, 'watch'));
  await writeDataSetFolder(dataSet, join(directory, 'other'));
  await writeFile(join(directory, 'other', 'anna-1.csv.gz'), '');
  await writeFile(join(directory, 'stray.txt'), '');
  const rows = JSON.parse(await run(directory, 'list', '--json'));
  assert.deepEqual(
    rows.map(({ name, state }: { name: string; state: string }) => [name, state]),
    [
      ['watch', 'here'],
      ['other', 'incomplete'],
    ],
  );
  assert.match(await run(join(directory, 'gone'), 'list'), /^watch +not here/);
});

test('fetch does nothing when the data set is there, and downloads when a file of it is damaged', async (t) => {
  const directory = await temporaryFolder(t);
  const folder = join(directory, 'watch');
  await writeDataSetFolder(
    { name: 'watch', classes: [], publishedTestSubjects: null, terms: '', recordings: [RECORDING] },
    folder,
  );
  const download = () => Promise.reject(new Error('downloaded'));
  assert.equal(await fetchWatch(folder, { log: silentLog, download }), 'present');
  assert.match(await run(directory, 'fetch', 'watch'), /watch is already in/);
  await writeFile(join(folder, 'anna-1.csv.gz'), '');
  await assert.rejects(fetchWatch(folder, { log: silentLog, download }), /downloaded/);
});

test('fetch refuses any file but the pinned one, leaves no data set and no temporary folder', async (t) => {
  const folder = join(await temporaryFolder(t), 'watch');
  const seen: string[] = [];
  const download = async (into: string) => {
    seen.push(into);
    await writeFile(join(into, 'seglearn-1.2.5-py3-none-any.whl'), 'another file');
  };
  await assert.rejects(
    fetchWatch(folder, { log: silentLog, download }),
    failsWith('data-format', /has SHA-256 [0-9a-f]{64}, not/),
  );
  await assert.rejects(
    fetchWatch(folder, { log: silentLog, download: async () => undefined }),
    failsWith('input-missing', /left no wheel/),
  );
  await assert.rejects(readdir(folder), { code: 'ENOENT' });
  await assert.rejects(readdir(seen[0] ?? ''), { code: 'ENOENT' });
});

test('a name that nothing is known by is a mistake of usage', async () => {
  await assert.rejects(run('/nowhere', 'fetch', 'weather'), failsWith('usage', /'weather'/));
});

test('the data folder is QQR_DATA_DIR, else in XDG_CACHE_HOME, else in the cache of the home folder', () => {
  assert.equal(dataDirectory({ QQR_DATA_DIR: '/d', XDG_CACHE_HOME: '/c' }), '/d');
  assert.equal(dataDirectory({ XDG_CACHE_HOME: '/c' }), '/c/qqr-edge/data');
  assert.match(dataDirectory({}), /\.cache\/qqr-edge\/data$/);
});
