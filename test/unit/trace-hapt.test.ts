/** HAPT in its published layout, reduced to a few samples. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDataSet } from '../../core/trace/data-set.ts';
import { readHapt } from '../../core/trace/hapt.ts';
import { type Files, tarOf, zipOf } from '../fixtures/archives.ts';
import { failsWith, fileWith, temporaryFolder } from '../fixtures/trace-folder.ts';

const samples = (count: number, scale: number) =>
  Array.from({ length: count }, (_, i) => `${i * scale} 0.5 -1\n`).join('');
const SET: Files = {
  'HAPT Data Set/RawData/gyro_exp01_user01.txt': samples(20, 0.25),
  'HAPT Data Set/RawData/acc_exp01_user01.txt': samples(20, 0.125),
  'HAPT Data Set/RawData/acc_exp02_user07.txt': samples(5, 1),
  'HAPT Data Set/RawData/gyro_exp02_user07.txt': samples(5, 1),
  'HAPT Data Set/RawData/labels.txt': '1 1 5 3 6\n1 1 7 7 8\n1 1 5 11 12\n1 1 5 14 20\n2 7 1 1 2\n2 7 1 3 5\n',
  'HAPT Data Set/activity_labels.txt': '1 WALKING           \n5 STANDING          \n7 STAND_TO_SIT      \n\n',
  'HAPT Data Set/README.txt': 'not read',
};

async function unpacked(t: TestContext, files: Files): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'HAPT Data Set', 'RawData'), { recursive: true });
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content);
  return folder;
}

test('reads recordings, units, labels and classes from an archive', async (t) => {
  const { name, classes, recordings, publishedTestSubjects } = await readHapt(
    await fileWith(t, await tarOf(SET), 'hapt.tar'),
  );
  assert.deepEqual([name, classes], ['hapt', ['WALKING', 'STANDING']]);
  assert.deepEqual(publishedTestSubjects, ['2', '4', '9', '10', '12', '13', '18', '20', '24']);
  assert.deepEqual(
    recordings.map(({ subject }) => subject),
    ['1', '7'],
  );
  const [acc, gyr] = recordings[0]?.modalities ?? [];
  assert.deepEqual([acc?.name, acc?.unit, acc?.channels, acc?.sampleRateHz], ['acc', 'mps2', ['x', 'y', 'z'], 50]);
  assert.deepEqual(acc?.values.subarray(3, 6), Float32Array.of(0.125 * 9.80665, 0.5 * 9.80665, -9.80665));
  assert.deepEqual(gyr?.values.subarray(3, 6), Float32Array.of(0.25, 0.5, -1));
  assert.deepEqual([gyr?.tUs.length, gyr?.tUs[19]], [20, 380_000]);
});

test('labels hold from the first sample of a segment to its last, and are unknown between segments', async (t) => {
  const { recordings } = await readHapt(await fileWith(t, zipOf(SET), 'hapt.zip'));
  assert.deepEqual(recordings[0]?.labels, [
    { tUs: 40_000, label: 'STANDING' },
    { tUs: 120_000, label: 'STAND_TO_SIT' },
    { tUs: 160_000, label: null },
    { tUs: 200_000, label: 'STANDING' },
    { tUs: 240_000, label: null },
    { tUs: 260_000, label: 'STANDING' },
  ]);
  assert.deepEqual(recordings[1]?.labels, [{ tUs: 0, label: 'WALKING' }]);
});

test('an unpacked folder, or the folder around it, is the same data set', async (t) => {
  const folder = await unpacked(t, SET);
  const around = await openDataSet(folder, '/nowhere');
  assert.equal(around.name, 'hapt');
  assert.deepEqual(around, await openDataSet(join(folder, 'HAPT Data Set'), '/nowhere'));
  await assert.rejects(
    openDataSet(join(folder, 'HAPT Data Set', 'RawData'), '/nowhere'),
    failsWith('data-format', /no recorded/),
  );
  assert.deepEqual(
    await readHapt(join(folder, 'HAPT Data Set')),
    await readHapt(await fileWith(t, await tarOf(SET), 'hapt.tar')),
  );
});

const RAW = 'HAPT Data Set/RawData';
const { [`${RAW}/labels.txt`]: _labels, ...WITHOUT_LABELS } = SET;
const { [`${RAW}/gyro_exp02_user07.txt`]: _gyro, ...WITHOUT_GYRO } = SET;
const { 'HAPT Data Set/activity_labels.txt': _names, ...WITHOUT_NAMES } = SET;
const MISTAKES: [string, Files, RegExp, string][] = [
  ['no labels', WITHOUT_LABELS, /labels.txt is missing/, ''],
  ['no activity names', WITHOUT_NAMES, /activity_labels.txt is missing/, ''],
  ['a gyroscope file missing', WITHOUT_GYRO, /experiment 2 lacks/, ''],
  [
    'a line of two numbers',
    { ...SET, [`${RAW}/acc_exp02_user07.txt`]: '1 2 3\n1 2\n' },
    /three numbers/,
    `: ${RAW}/acc_exp02_user07.txt:2`,
  ],
  [
    'a word among numbers',
    { ...SET, [`${RAW}/acc_exp02_user07.txt`]: '1 2 x\n' },
    /three numbers/,
    `: ${RAW}/acc_exp02_user07.txt:1`,
  ],
  ['a label line too short', { ...SET, [`${RAW}/labels.txt`]: '1 1 5 3\n' }, /first and last/, `: ${RAW}/labels.txt:1`],
  [
    'a label of nothing recorded',
    { ...SET, [`${RAW}/labels.txt`]: '9 1 5 1 2\n' },
    /experiment 9/,
    `: ${RAW}/labels.txt:1`,
  ],
  [
    'segments that overlap',
    { ...SET, [`${RAW}/labels.txt`]: '1 1 5 1 4\n1 1 1 4 9\n' },
    /before the one before/,
    `: ${RAW}/labels.txt:2`,
  ],
  [
    'a segment past the end',
    { ...SET, [`${RAW}/labels.txt`]: '1 1 5 1 21\n' },
    /sample 21 of 20/,
    `: ${RAW}/labels.txt:1`,
  ],
  [
    'an activity without a name',
    { ...SET, [`${RAW}/labels.txt`]: '1 1 3 1 2\n' },
    /activity 3/,
    `: ${RAW}/labels.txt:1`,
  ],
];
for (const [scenario, files, what, place] of MISTAKES) {
  test(`not the published layout: ${scenario}`, async (t) => {
    const path = await fileWith(t, await tarOf(files), 'hapt.tar');
    await assert.rejects(readHapt(path), failsWith('data-format', what, `${path}${place}`));
  });
}
