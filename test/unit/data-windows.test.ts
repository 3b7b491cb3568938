/** Looking at recordings, importing them under another name, and their windows as a table. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Command } from 'commander';
import { silentLog } from '../../core/base/log.ts';
import { readRecording } from '../../core/trace/csv-reader.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { dataCommand } from '../../scripts/data/commands.ts';
import { failsWith, temporaryFolder } from '../fixtures/trace-folder.ts';

/** 8 s: acc at 50 Hz with a hole of 1 s at 4 s, gyr at 25 Hz; walking from 1 s, unknown from 7 s. */
const RECORDING: Recording = {
  subject: 'anna, again',
  modalities: [modality('acc', 'mps2', 50, (tS) => tS < 4 || tS >= 5), modality('gyr', 'radps', 25, () => true)],
  labels: [
    { tUs: 1e6, label: 'walking' },
    { tUs: 7e6, label: null },
  ],
};

function modality(name: string, unit: string, sampleRateHz: number, has: (tS: number) => boolean) {
  const times = Array.from({ length: 8 * sampleRateHz }, (_, i) => i / sampleRateHz).filter(has);
  return {
    name,
    unit,
    channels: ['x', 'y'],
    sampleRateHz,
    tUs: Float64Array.from(times, (tS) => Math.round(tS * 1e6)),
    values: Float32Array.from(times.flatMap((tS) => [tS, -tS])),
  };
}

async function run(...args: string[]): Promise<string> {
  let out = '';
  const program = new Command().exitOverride();
  program.addCommand(dataCommand({ write: (text) => (out += text), log: silentLog, directory: '/nowhere' }));
  await program.parseAsync(['data', ...args], { from: 'user' });
  return out;
}

test('check tells length, measured rates, gaps, labels and windows', async (t) => {
  const path = join(await temporaryFolder(t), 'walk.csv');
  await writeRecording(RECORDING, path);
  const { recordings } = JSON.parse(await run('check', path, '--json'));
  const [{ lengthS, modalities, labels, windows }] = recordings;
  assert.equal(lengthS, 7.98);
  assert.deepEqual(
    modalities.map((of: Record<string, unknown>) => [
      of['name'],
      of['samples'],
      of['measuredHz'],
      of['gaps'],
      of['longestGapS'],
    ]),
    [
      ['acc', 350, 50, 1, 1.02],
      ['gyr', 200, 25, 0, 0],
    ],
  );
  assert.deepEqual(labels, [
    { label: null, seconds: 1.98 },
    { label: 'walking', seconds: 6 },
  ]);
  const wanted = RECORDING.modalities.map((of) => ({ ...of, samples: Math.round(2.56 * of.sampleRateHz) }));
  assert.equal(windows, windowsOf(RECORDING, { wanted, windowSeconds: 2.56, overlap: 0.5 }).length);
  assert.match(
    await run('check', path),
    /acc +x y +mps2 +350 samples +50 Hz \(nominal 50\) +1 gap, the longest 1.02 s/,
  );
});

test('import names subject and label of a recording that has none, and keeps those it has', async (t) => {
  const folder = await temporaryFolder(t);
  const [labelled, bare] = ['labelled.csv', 'bare.csv'].map((name) => join(folder, name)) as [string, string];
  await writeRecording(RECORDING, labelled);
  await writeRecording({ ...RECORDING, labels: [] }, bare);
  const out = join(folder, 'out.csv.gz');
  assert.match(
    await run('import', bare, '--out', out, '--subject', 'ben', '--label', 'sitting'),
    /the trace is now .*out.csv.gz/,
  );
  const { subject, labels } = await readRecording(out);
  assert.deepEqual([subject, labels], ['ben', [{ tUs: 0, label: 'sitting' }]]);
  await assert.rejects(run('import', bare, '--out', out), failsWith('output-failed', /exists already/, out));
  const kept = join(folder, 'kept.csv');
  await run('import', labelled, '--out', kept, '--label', 'sitting');
  assert.deepEqual((await readRecording(kept)).labels, RECORDING.labels);
  assert.deepEqual((await readRecording(kept)).modalities, RECORDING.modalities);
});

test('import brings every sensor to one rate', async (t) => {
  const folder = await temporaryFolder(t);
  const [path, out] = [join(folder, 'a.csv'), join(folder, 'b.csv')];
  await writeRecording(RECORDING, path);
  await run('import', path, '--out', out, '--rate', '10');
  const { modalities } = await readRecording(out);
  assert.deepEqual(
    modalities.map(({ sampleRateHz, tUs }) => [sampleRateHz, tUs[1]]),
    [
      [10, 100_000],
      [10, 100_000],
    ],
  );
  await assert.rejects(run('import', path, '--rate', '0'), failsWith('usage', /samples per second/));
});

test('recordings of several people do not go into one trace, those of one do', async (t) => {
  const folder = await temporaryFolder(t);
  const out = join(await temporaryFolder(t), 'all.csv.gz');
  await writeRecording({ ...RECORDING, subject: 'anna' }, join(folder, 'a.csv'));
  await writeRecording({ ...RECORDING, subject: 'ben' }, join(folder, 'b.csv'));
  await assert.rejects(run('import', folder, '--out', out), failsWith('usage', /2 subjects/));
  await run('import', folder, '--out', out, '--subject', 'both');
  assert.equal((await readRecording(out)).modalities[0]?.tUs.length, 700);
});

test('windows as samples: the very windows that a board cuts, a row per sample, none where a modality has a hole', async (t) => {
  const folder = await temporaryFolder(t);
  const [path, out] = [join(folder, 'walk.csv'), join(folder, 'w.csv')];
  await writeRecording(RECORDING, path);
  const wanted = RECORDING.modalities.map((of) => ({ ...of, samples: of.sampleRateHz }));
  const windows = windowsOf(RECORDING, { wanted, windowSeconds: 1, overlap: 0.5 });
  assert.ok(windows.some(({ values }) => values[0] === null) && windows.some(({ label }) => label === 'walking'));
  assert.match(
    await run('windows', path, '--out', out, '--window-seconds', '1'),
    new RegExp(`^${windows.length} windows`),
  );
  const [head, ...rows] = (await readFile(out, 'utf8')).trim().split('\n');
  assert.equal(head, 'subject,window,t_s,label,modality,unit,x,y');
  const expected = windows.flatMap(({ values, label, tStartUs }, number) =>
    wanted.flatMap(({ name, unit, sampleRateHz, samples }, m) => {
      const of = values[m];
      if (of == null) return [];
      return Array.from({ length: samples }, (_, i) => {
        const cells = [Math.round(tStartUs + (i * 1e6) / sampleRateHz) / 1e6, label ?? '', name, unit];
        return [number, ...cells, ...of.subarray(2 * i, 2 * i + 2)].map(String).join();
      });
    }),
  );
  const parsed = rows.map((row) => {
    const cells = row.replace('"anna, again",', '').split(',');
    return [...cells.slice(0, 5), ...cells.slice(5).map((cell) => Math.fround(Number(cell)))].join();
  });
  assert.deepEqual(parsed, expected);
});

test('windows as rows: completeness, quality with its reason, mean and deviation of every channel', async (t) => {
  const folder = await temporaryFolder(t);
  const [path, out] = [join(folder, 'walk.csv'), join(folder, 'w.csv')];
  await writeRecording(RECORDING, path);
  await run('windows', path, '--out', out, '--window-seconds', '1', '--rows', 'windows');
  const [head, ...rows] = (await readFile(out, 'utf8')).trim().split('\n');
  assert.match(
    head as string,
    /^subject,window,t_start_s,label,acc_completeness,acc_quality,acc_why,acc_x_mean,acc_x_std,acc_y_mean/,
  );
  const cells = (rows[0] as string).replace('"anna, again",', '').split(',');
  assert.deepEqual([cells[0], cells[1], cells[2], cells[3]], ['0', '0', '', '1']);
  const values = Array.from({ length: 50 }, (_, i) => i / 50);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - 0.49) ** 2, 0) / 50);
  assert.ok(Math.abs(Number(cells[6]) - 0.49) < 1e-5 && Math.abs(Number(cells[7]) - deviation) < 1e-5, cells.join());
  assert.ok(
    rows.some((row) => /,0(?:\.\d+)?,0,completeness,,,,/.test(row)),
    'the window over the hole has no acc',
  );
});
