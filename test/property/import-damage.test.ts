/** Damaged exports: whatever is cut, altered or put in, importing ends with an error for a person, or with a recording that keeps its promises. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { encode } from 'cborg';
import fc from 'fast-check';
import { AppError } from '../../core/base/errors.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { zipOf } from '../fixtures/archives.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

const RUNS = 150;

const rows = (of: (i: number) => string) => Array.from({ length: 12 }, (_, i) => of(i)).join('\n');
const logger = `time,seconds_elapsed,z,y,x\n${rows((i) => `${1.7e18 + i * 1e7},${i / 100},9.8,0.${i},${i}`)}\n`;
const phyphox = `"Time (s)";"Acceleration x (m/s^2)";"Acceleration y (m/s^2)";"Acceleration z (m/s^2)"\n${rows((i) => `${i}E-2;1,0${i}E0;2,5;9,81`)}\n`;
const motion = `,gravity.x,gravity.y,gravity.z,rotationRate.x,rotationRate.y,rotationRate.z,userAcceleration.x,userAcceleration.y,userAcceleration.z\n${rows((i) => `${i},0,0,-1,${i},0,0,0.1,0,0`)}\n`;
const acquisition = {
  protected: { ver: 'v1', alg: 'none' },
  signature: '00',
  payload: {
    device_type: 'board',
    interval_ms: 10,
    sensors: ['accX', 'accY', 'accZ'].map((name) => ({ name, units: 'm/s2' })),
    values: Array.from({ length: 12 }, (_, i) => [i, 0.5, 9.8]),
  },
};
const EXPORTS: readonly [name: string, file: string, content: Uint8Array][] = [
  [
    'Sensor Logger',
    'export.zip',
    zipOf({
      'TotalAcceleration.csv': logger,
      'Gyroscope.csv': logger,
      'Annotation.csv': 'seconds_elapsed,text\n0,walk\n',
    }),
  ],
  [
    'phyphox, zip',
    'export.zip',
    zipOf({
      'Raw Data.csv': phyphox,
      'meta/time.csv': '"event";"experiment time";"system time"\n"START";0;5\n"PAUSE";1;6\n',
    }),
  ],
  ['phyphox, table', 'Raw Data.csv', Buffer.from(phyphox)],
  ['Edge Impulse, JSON', 'wave.1.json', Buffer.from(JSON.stringify(acquisition))],
  ['Edge Impulse, CBOR', 'wave.1.cbor', encode(acquisition)],
  ['MotionSense', 'motion.zip', zipOf({ 'wlk_7/sub_1.csv': motion, 'std_6/sub_1.csv': motion })],
];

/** Some bytes from a place on replaced by others, and the end cut off. */
const damage = fc.record({
  at: fc.nat(),
  remove: fc.integer({ min: 0, max: 6 }),
  put: fc.oneof(
    fc.uint8Array({ maxLength: 6 }),
    fc.constantFrom('"', ',', ';', '\n', '1e999', '-', 'NaN', '[', '{').map((text) => Buffer.from(text)),
  ),
  cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat() }),
});

for (const [name, file, content] of EXPORTS) {
  test(`${name}, damaged anywhere`, async (t) => {
    const path = join(await temporaryFolder(t), file);
    await writeFile(path, content);
    assert.equal((await openDataSet(path, '/nowhere')).recordings.length, 1, 'undamaged');
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(damage, async ({ at, remove, put, cut }) => {
        const place = at % content.length;
        const whole = Buffer.concat([content.subarray(0, place), put, content.subarray(place + remove)]);
        await writeFile(path, whole.subarray(0, whole.length - (cut % whole.length)));
        const dataSet = await openDataSet(path, '/nowhere').catch((error: unknown) => {
          assert.ok(error instanceof AppError, String((error as Error).stack));
          refused++;
          return null;
        });
        for (const { modalities, labels } of dataSet?.recordings ?? []) {
          for (const { tUs, values, sampleRateHz, channels } of modalities) {
            assert.ok(
              sampleRateHz > 0 && tUs.length * channels.length === values.length && values.every(Number.isFinite),
            );
            assert.ok(tUs.every((at, i) => Number.isInteger(at) && at > (tUs[i - 1] ?? -1)));
          }
          assert.ok(labels.every(({ tUs }, i) => tUs > (labels[i - 1]?.tUs ?? -1)));
        }
      }),
      { numRuns: RUNS },
    );
    assert.ok(refused > 0, 'some damage is noticed');
  });
}
