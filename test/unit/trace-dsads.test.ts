/** DSADS in its published layout, reduced to a few samples, and as traces. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDataSet } from '../../core/trace/data-set.ts';
import { readDsads } from '../../core/trace/dsads.ts';
import { type Files, zipOf } from '../fixtures/archives.ts';
import { failsWith, fileWith, temporaryFolder } from '../fixtures/trace-folder.ts';

/** Lines whose first number counts on from `first`; columns after the torso's nine are other units'. */
const segment = (first: number, lines = 2) =>
  Array.from(
    { length: lines },
    (_, i) => `${[first + i, 1, 2, 0.1, 0.2, 0.3, -0.5, 0, 0.5, ...Array(36).fill(7)].join()}\n`,
  ).join('');

const SET: Files = {
  'data/a02/p1/s01.txt': segment(20),
  'data/a01/p1/s02.txt': segment(12),
  'data/a01/p1/s01.txt': segment(10),
  'data/a01/p2/s01.txt': segment(30),
  'data/readme.txt': 'not read',
};

async function unpacked(t: TestContext, files: Files): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

test('a zip archive is recognized, and segments follow one another within an activity', async (t) => {
  const dataSet = await openDataSet(await fileWith(t, zipOf(SET), 'dsads.zip'), '/nowhere');
  assert.deepEqual([dataSet.name, dataSet.classes], ['dsads', ['sitting', 'standing']]);
  assert.deepEqual(
    dataSet.recordings.map(({ subject }) => subject),
    ['p1', 'p2'],
  );
  const { modalities, labels } = dataSet.recordings[0] as (typeof dataSet.recordings)[number];
  assert.deepEqual(
    modalities.map(({ name, unit, sampleRateHz }) => [name, unit, sampleRateHz]),
    [
      ['acc', 'mps2', 25],
      ['gyr', 'radps', 25],
      ['mag', 'lef', 25],
    ],
  );
  const [acc, gyr, mag] = modalities;
  assert.deepEqual(
    [...(acc?.values ?? [])].filter((_, i) => i % 3 === 0),
    [10, 11, 12, 13, 20, 21],
  );
  assert.deepEqual(gyr?.values.subarray(0, 3), Float32Array.of(0.1, 0.2, 0.3));
  assert.deepEqual(mag?.values.subarray(0, 3), Float32Array.of(-0.5, 0, 0.5));
  assert.deepEqual([...(acc?.tUs ?? [])], [0, 40_000, 80_000, 120_000, 2_120_000, 2_160_000]);
  assert.deepEqual(labels, [
    { tUs: 0, label: 'sitting' },
    { tUs: 2_120_000, label: 'standing' },
  ]);
});

test('an unpacked folder, or the folder around it, is the same data set', async (t) => {
  const folder = await unpacked(t, SET);
  const packed = await readDsads(await fileWith(t, zipOf(SET), 'dsads.zip'));
  assert.deepEqual(await openDataSet(folder, '/nowhere'), packed);
  assert.deepEqual(await openDataSet(join(folder, 'data'), '/nowhere'), packed);
});

const HEADER =
  't_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyr_x_radps,gyr_y_radps,gyr_z_radps,mag_x_lef,mag_y_lef,mag_z_lef,label';
const trace = (labels: readonly string[]) =>
  `${[HEADER, ...labels.map((label, i) => `${(i * 0.04).toFixed(2)},1,2,3,4,5,6,7,8,9,${label}`)].join('\n')}\n`;

test('a folder of its traces has the classes in the order of the publisher', async (t) => {
  const folder = await unpacked(t, { 'p1.csv': trace(['standing', 'standing', 'sitting', 'sitting']) });
  const { name, classes, recordings } = await openDataSet(folder, '/nowhere');
  assert.deepEqual([name, classes, recordings[0]?.subject], ['dsads', ['sitting', 'standing'], 'p1']);
});

test('traces with other labels are just traces', async (t) => {
  const folder = await unpacked(t, { 'p1.csv': trace(['walking', 'walking', 'sitting', 'sitting']) });
  assert.deepEqual((await openDataSet(folder, '/nowhere')).classes, ['sitting', 'walking']);
});

const MISTAKES: [string, Files, RegExp, string][] = [
  ['a line too short', { 'a01/p1/s01.txt': `${segment(1)}1,2,3\n` }, /45 numbers/, ': a01/p1/s01.txt:3'],
  ['a word among numbers', { 'a01/p1/s01.txt': segment(1).replace('0.1', 'x') }, /45 numbers/, ': a01/p1/s01.txt:1'],
  ['an unknown activity', { 'a20/p1/s01.txt': segment(1) }, /a01 to a19/, ': a20/p1/s01.txt'],
];
for (const [scenario, files, what, place] of MISTAKES) {
  test(`not the published layout: ${scenario}`, async (t) => {
    const path = await fileWith(t, zipOf(files), 'dsads.zip');
    await assert.rejects(readDsads(path), failsWith('data-format', what, `${path}${place}`));
  });
}
