/** docs/guides/phone-recording.md as it is written: every shell block of it, in order, in a folder with phones' exports of six recordings. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { createRng } from '../../core/math/rng.ts';
import { zipOf } from '../fixtures/archives.ts';
import { guideBlocks, openGuideShell } from '../fixtures/guide.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

const SECONDS = 70;
const RATE_HZ = 50;

/** Seconds, acceleration with gravity and angular rate, with a phone's jitter. */
function motionOf(person: string, activity: string): number[][] {
  const rng = createRng(`${person}/${activity}`);
  const strength = activity === 'walking' ? 2.5 + rng.next() : 0.05;
  return Array.from({ length: SECONDS * RATE_HZ }, (_, i) => {
    const tS = i / RATE_HZ + 0.002 * (rng.next() - 0.5);
    const swing = (phase: number) => strength * Math.sin(2 * Math.PI * 1.8 * tS + phase) + 0.05 * rng.normal();
    const [up, forward] = activity === 'walking' ? [9.8, 0] : [6, 7.7];
    return [tS, swing(0), forward + swing(1), up + swing(2), swing(3) / 3, swing(4) / 3, swing(5) / 3];
  });
}

function sensorLoggerExport(rows: readonly (readonly number[])[]): Buffer {
  const table = (x: number) => {
    const lines = rows.map(
      (row) => `${1.7e18 + Math.round((row[0] as number) * 1e9)},${row[0]},${row[x + 2]},${row[x + 1]},${row[x]}`,
    );
    return `time,seconds_elapsed,z,y,x\n${lines.join('\n')}\n`;
  };
  return zipOf({
    'Metadata.csv': 'version,device name,platform,standardisation\n3,Phone,android,false\n',
    'TotalAcceleration.csv': table(1),
    'Gyroscope.csv': table(4),
  });
}

function phyphoxExport(rows: readonly (readonly number[])[]): Buffer {
  const table = (what: string, unit: string, x: number) => {
    const head = ['"Time (s)"', ...['x', 'y', 'z'].map((axis) => `"${what} ${axis} (${unit})"`)];
    const lines = rows.map((row) =>
      [row[0], row[x], row[x + 1], row[x + 2]].map((v) => (v as number).toExponential(9).replace('.', ',')),
    );
    return `${head.join(';')}\n${lines.map((line) => line.join(';')).join('\n')}\n`;
  };
  return zipOf({
    'Accelerometer.csv': table('Acceleration', 'm/s^2', 1),
    'Gyroscope.csv': table('Gyroscope', 'rad/s', 4),
    'meta/device.csv': '"property";"value"\n"deviceModel";"phone"\n',
  });
}

test('the guide works as written, from a phone to predictions', async (t) => {
  const folder = await temporaryFolder(t);
  for (const person of ['anna', 'ben', 'carla']) {
    const exported = person === 'ben' ? phyphoxExport : sensorLoggerExport;
    for (const activity of ['walking', 'sitting'])
      await writeFile(join(folder, `${person}-${activity}.zip`), exported(motionOf(person, activity)));
  }
  const shell = await openGuideShell(folder);
  const blocks = guideBlocks('phone-recording');
  assert.equal(blocks.length, 5, 'the blocks were found');
  const said: string[] = [];
  for (const { text } of blocks) said.push(await shell.run(text));
  assert.match(said[0] as string, /acc +x y z +mps2 +3500 samples +[\d.]+ Hz \(nominal 50\) +no gap/);
  assert.match(said[1] as string, /(?:the trace is now .*\n){6}/);
  assert.match(said[2] as string, /clean|accuracy/i);
  assert.match(said[3] as string, /model.json/);
  const [head, ...rows] = (await readFile(join(folder, 'carla.csv'), 'utf8')).trim().split('\n');
  assert.equal(head, 'subject,recording,start_s,end_s,class,confidence,label,acc_quality,gyr_quality');
  const right = rows.filter((row) => row.split(',')[4] === 'walking').length;
  assert.ok(right / rows.length > 0.8, `${right} of ${rows.length} windows are walking`);
  const long = gunzipSync(await readFile(join(folder, 'windows.csv.gz')))
    .toString()
    .split('\n');
  assert.equal(long[0], 'subject,window,t_s,label,modality,unit,x,y,z');
  assert.match(long[1] as string, /^carla,0,0,walking,acc,mps2,/);
  assert.match(await readFile(join(folder, 'report', 'report.html'), 'utf8'), /<html/);
});
