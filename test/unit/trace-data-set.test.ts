/** What `--data` accepts, and what it answers to anything else. */
import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { openDataSet, openTraces } from '../../core/trace/data-set.ts';
import { isComplete, writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import type { DataSet, Recording } from '../../core/trace/recording.ts';
import { failsWith, fileWith, temporaryFolder } from '../fixtures/trace-folder.ts';

const recording = (subject: string, label: string): Recording => ({
  subject,
  modalities: [
    {
      name: 'acc',
      unit: 'mps2',
      channels: ['x'],
      sampleRateHz: 50,
      tUs: Float64Array.of(0, 20_000),
      values: Float32Array.of(1, 2),
    },
  ],
  labels: [{ tUs: 0, label }],
});
const DATA_SET: DataSet = {
  name: 'walks',
  classes: ['walk', 'run'],
  publishedTestSubjects: ['b/b'],
  terms: 'ours',
  recordings: [recording('a', 'walk'), recording('a', 'run'), recording('b/b', 'run')],
};

test('a data set written as a folder is the same data set', async (t) => {
  const folder = join(await temporaryFolder(t), 'new', 'walks');
  await writeDataSetFolder(DATA_SET, folder);
  assert.deepEqual(await openDataSet(folder, '/nowhere'), DATA_SET);
  const { files } = JSON.parse(await readFile(join(folder, 'dataset.json'), 'utf8'));
  assert.deepEqual(
    files.map((file: { path: string }) => file.path),
    ['a-1.csv.gz', 'a-2.csv.gz', 'b%2Fb-1.csv.gz'],
  );
});

test('a folder with a file cut off or gone is not complete', async (t) => {
  const folder = await temporaryFolder(t);
  assert.equal(await isComplete(folder), false);
  await writeDataSetFolder(DATA_SET, folder);
  assert.equal(await isComplete(folder), true);
  const path = join(folder, 'a-2.csv.gz');
  await writeFile(path, (await readFile(path)).subarray(1));
  assert.equal(await isComplete(folder), false);
});

test('a fetched data set is known by its name, and one that is not says how to fetch it', async (t) => {
  const directory = await temporaryFolder(t);
  await assert.rejects(
    openDataSet('watch', directory),
    (error: { hint?: string }) => error.hint === 'run: qqr data fetch watch',
  );
  await assert.rejects(
    openDataSet('watch', directory),
    failsWith('input-missing', /not been fetched/, join(directory, 'watch')),
  );
  await writeDataSetFolder(DATA_SET, join(directory, 'watch'));
  assert.equal((await openDataSet('watch', directory)).name, 'walks');
});

test('a trace, a folder of traces and a list of traces are data sets whose classes are their labels, sorted', async (t) => {
  const folder = join(await temporaryFolder(t), 'mine');
  await mkdir(folder);
  await writeRecording(recording('zoe', 'walk'), join(folder, '1.csv'));
  await writeRecording(recording('adam', 'run'), join(folder, '2.csv.gz'));
  await writeFile(join(folder, 'notes.txt'), 'not a trace');
  const one = await openDataSet(join(folder, '1.csv'), '/nowhere');
  assert.deepEqual([one.name, one.classes, one.recordings[0]?.subject], ['1', ['walk'], 'zoe']);
  const all = await openDataSet(`${folder}/`, '/nowhere');
  assert.deepEqual([all.name, all.classes], ['mine', ['run', 'walk']]);
  assert.deepEqual(
    all.recordings.map(({ subject }) => subject),
    ['zoe', 'adam'],
  );
  assert.deepEqual((await openTraces([join(folder, '2.csv.gz')])).classes, ['run']);
});

test('anything else is refused with the list of what is accepted', async (t) => {
  const folder = await temporaryFolder(t);
  const isListed = (error: { hint?: string }) => /name \(watch\).*dataset.json.*\.csv.*HAPT/.test(error.hint ?? '');
  const picture = await fileWith(t, 'x', 'picture.png');
  for (const path of [folder, picture, join(folder, 'nothing')])
    await assert.rejects(openDataSet(path, '/nowhere'), isListed);
  await assert.rejects(openDataSet(folder, '/nowhere'), failsWith('data-format', /no recorded motion/, folder));
  await assert.rejects(openDataSet(picture, '/nowhere'), failsWith('data-format', /not a kind of file/, picture));
  await assert.rejects(openDataSet(join(folder, 'nothing'), '/nowhere'), failsWith('input-missing', /no such file/));
});

const GOOD = { name: 'walks', classes: ['walk'], files: [] as unknown[] };
const MANIFESTS: [string, unknown, RegExp][] = [
  ['is no object', 5, /'name'/],
  ['is null', null, /'name'/],
  ['has no name', { ...GOOD, name: undefined }, /'name'/],
  ['has classes that are no names', { ...GOOD, classes: [1] }, /'classes'/],
  ['has a split that is no list', { ...GOOD, publishedTestSubjects: '1' }, /'publishedTestSubjects'/],
  ['has terms that are no text', { ...GOOD, terms: 1 }, /'terms'/],
  ['has no files', { ...GOOD, files: undefined }, /'files'/],
  ['names a file outside its folder', { ...GOOD, files: [{ path: '../secret.csv', bytes: 1 }] }, /'files'/],
  ['names a file that is no trace', { ...GOOD, files: [{ path: 'passwd', bytes: 1 }] }, /'files'/],
];
for (const [scenario, manifest, what] of MANIFESTS) {
  test(`a dataset.json that ${scenario} is refused`, async (t) => {
    const path = await fileWith(t, JSON.stringify(manifest), 'dataset.json');
    const folder = path.slice(0, -'/dataset.json'.length);
    await assert.rejects(openDataSet(folder, '/nowhere'), failsWith('data-format', what, path));
  });
}

test('a dataset.json that is no JSON is refused; one with the needed keys alone is enough', async (t) => {
  const path = await fileWith(t, '{', 'dataset.json');
  const folder = path.slice(0, -'/dataset.json'.length);
  await assert.rejects(openDataSet(folder, '/nowhere'), failsWith('data-format', /not JSON/, path));
  await writeRecording(recording('a', 'walk'), join(folder, 'a.csv'));
  const { size } = await stat(join(folder, 'a.csv'));
  await writeFile(path, JSON.stringify({ ...GOOD, files: [{ path: 'a.csv', bytes: size }] }));
  const { name, terms, publishedTestSubjects, recordings } = await openDataSet(folder, '/nowhere');
  assert.deepEqual([name, terms, publishedTestSubjects, recordings.length], ['walks', '', null, 1]);
});
