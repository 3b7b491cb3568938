/** Trace files as they are written: readable, whole or absent, and never a recording that could not be read back. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import type { RecordedModality, Recording } from '../../core/trace/recording.ts';
import { failsWith, temporaryFolder } from '../fixtures/trace-folder.ts';

const ACC: RecordedModality = {
  name: 'acc',
  unit: 'mps2',
  channels: ['x', 'y'],
  sampleRateHz: 50,
  tUs: Float64Array.of(0, 20_000, 1_000_001),
  values: Float32Array.of(0.1, -0, 9.80665, 1e-7, 16_777_216, -1),
};
const GYR: RecordedModality = {
  ...ACC,
  name: 'gyr',
  unit: 'radps',
  channels: ['z'],
  sampleRateHz: 12.5,
  tUs: Float64Array.of(20_000),
  values: Float32Array.of(0.25),
};
const LABELS = [
  { tUs: 10_000, label: 'sit, still' },
  { tUs: 20_000, label: null },
];

test('writes the documented text: a row an instant, empty cells for what has no sample, the shortest numbers', async (t) => {
  const path = join(await temporaryFolder(t), 'walk.csv');
  await writeRecording({ subject: 'anna', modalities: [ACC, GYR], labels: LABELS }, path);
  assert.equal(
    await readFile(path, 'utf8'),
    [
      '# subject: anna',
      '# rate_hz: acc=50 gyr=12.5',
      't_s,acc_x_mps2,acc_y_mps2,gyr_z_radps,label',
      '0,0.1,-0,,',
      '0.01,,,,"sit, still"',
      '0.02,9.80665,1e-7,0.25,',
      '1.000001,16777216,-1,,',
      '',
    ].join('\n'),
  );
});

test('the same recording gives the same gzip file, and nothing is left beside it', async (t) => {
  const folder = await temporaryFolder(t);
  const recording = { subject: 'anna', modalities: [ACC], labels: [] };
  await writeRecording(recording, join(folder, 'a.csv.gz'));
  await writeRecording(recording, join(folder, 'b.csv.gz'));
  assert.deepEqual(await readFile(join(folder, 'a.csv.gz')), await readFile(join(folder, 'b.csv.gz')));
  assert.deepEqual((await readdir(folder)).sort(), ['a.csv.gz', 'b.csv.gz']);
});

const GOOD: Recording = { subject: 'anna', modalities: [ACC], labels: [] };
const BROKEN: [string, Recording, RegExp][] = [
  [
    'value that is not finite',
    { ...GOOD, modalities: [{ ...ACC, values: Float32Array.of(1, 2, 3, Number.NaN, 5, 6) }] },
    /NaN in sample 1/,
  ],
  ['values missing', { ...GOOD, modalities: [{ ...ACC, values: Float32Array.of(1, 2) }] }, /undefined in sample 1/],
  ['times out of order', { ...GOOD, modalities: [{ ...ACC, tUs: Float64Array.of(0, 5, 5) }] }, /time 5 µs/],
  ['times between microseconds', { ...GOOD, modalities: [{ ...ACC, tUs: Float64Array.of(0, 0.5, 1) }] }, /time 0.5 µs/],
  ['unit that would be converted', { ...GOOD, modalities: [{ ...ACC, unit: 'g' }] }, /unit 'g'/],
  ['label with a line break', { ...GOOD, labels: [{ tUs: 0, label: 'a\nb' }] }, /label "a\\nb"/],
  ['label that is empty', { ...GOOD, labels: [{ tUs: 0, label: '' }] }, /label ""/],
  ['subject with a line break', { ...GOOD, subject: 'a\nb' }, /subject/],
];
for (const name of ['walk.csv', 'walk.csv.gz']) {
  for (const [scenario, recording, what] of BROKEN) {
    test(`refuses a recording that would not read back, ${scenario}: ${name}`, async (t) => {
      const folder = await temporaryFolder(t);
      await assert.rejects(writeRecording(recording, join(folder, name)), failsWith('internal', what));
      assert.deepEqual(await readdir(folder), []);
    });
  }
}

test('a folder that is not there is an error of the output', async (t) => {
  const path = join(await temporaryFolder(t), 'missing', 'walk.csv.gz');
  await assert.rejects(writeRecording(GOOD, path), failsWith('output-failed', /cannot write/, path));
});
