import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLsm6dsox } from '../../agent/sensors/lsm6dsox.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const G = 9.80665;
const DEGREE = Math.PI / 180;
/** FIFO_DATA_OUT_TAG of time slot 0: TAG_SENSOR, TAG_CNT, and a parity that makes the ones even. */
const GYROSCOPE = 0x09;
const ACCELEROMETER = 0x11;

test('configure: both sensors batched at the output rate, continuous mode, watermark in words', async () => {
  const served = serveRegisters();
  await chipOn(createLsm6dsox, served, { rateHz: 1000, dataReady: true }).configure();
  assert.deepEqual(served.take(), [
    '12 = 01',
    'pause 20 ms',
    '12 = 44',
    '10 = 78', // 833 Hz, ±4 g
    '11 = 74', // 833 Hz, 500 dps
    'pause 100 ms',
    '0d = 08',
    '07 = 22', // FIFO_CTRL1: 17 samples, 34 words
    '08 = 00',
    '09 = 77', // FIFO_CTRL3: batch both at 833 Hz
    '0a = 00',
    '0a = 06', // FIFO_CTRL4: continuous
  ]);
});

test('tagged words go to their sensor, in whatever order they come', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6dsox, served);
  served.serve(0x3a, [3, 0x00]);
  served.serve(0x78, [
    ...[ACCELEROMETER, ...littleEndian(1, -2, 8192)],
    ...[GYROSCOPE, ...littleEndian(10, -20, 30)],
    ...[0x12, ...littleEndian(4, 5, 6)], // accelerometer, next time slot
  ]);
  const { values, overflowed } = await chip.read();
  assert.deepEqual(values[0], Float32Array.of(...[1, -2, 8192, 4, 5, 6].map((n) => n * 0.122e-3 * G)));
  assert.deepEqual(values[1], Float32Array.of(...[10, -20, 30].map((n) => n * 17.5e-3 * DEGREE)));
  assert.equal(overflowed, false);
  assert.deepEqual(served.takeReads(), ['3a × 2', '78 × 21']);
});

test('all that waits comes in one read, 146 words a transaction', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [0x24, 0x01]); // 292 words
  const pair = [GYROSCOPE, 0, 0, 0, 0, 0, 0, ACCELEROMETER, 0, 0, 0, 0, 0, 0];
  served.serve(0x78, new Array(73).fill(pair).flat());
  assert.deepEqual(
    (await chipOn(createLsm6dsox, served).read()).values.map((values) => values.length),
    [438, 438],
  );
});

for (const [what, status, tag] of [
  ['the FIFO is full (FIFO_OVR_IA)', [0, 0x42], GYROSCOPE],
  ['an overrun since the last look (FIFO_OVR_LATCHED)', [2, 0x08], GYROSCOPE],
  ['a tag with wrong parity', [2, 0x00], 0x08],
  ['a tag of a sensor that is not stored', [2, 0x00], 0x18],
] as const) {
  test(`${what}: nothing of it is used, FIFO emptied and started again, and said`, async () => {
    const served = serveRegisters();
    served.serve(0x3a, status);
    served.serve(0x78, [ACCELEROMETER, 1, 2, 3, 4, 5, 6, tag, 1, 2, 3, 4, 5, 6]);
    const burst = await chipOn(createLsm6dsox, served).read();
    assert.equal(burst.overflowed, true);
    assert.deepEqual(burst.values, [new Float32Array(0), new Float32Array(0)]);
    assert.deepEqual(served.take(), ['0a = 00', '0a = 06']);
  });
}

test('LSM6DSOX is itself; LSM6DSR works and is said', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6dsox, served);
  served.serve(0x0f, [0x6c], [0x6b], [0x6a]);
  assert.deepEqual(await chip.identify(), { whoAmI: 0x6c, part: 'LSM6DSOX' });
  const relative = await chip.identify();
  assert.equal(relative.part, 'LSM6DSR');
  assert.ok(relative.warning);
  await assert.rejects(chip.identify(), { code: 'chip-unknown' });
});

test('self-test passes from 50 mg on, where the older generation wants 90', async () => {
  const served = serveRegisters();
  served.serve(0x28, ...new Array(6).fill(littleEndian(0, 0, 0)), littleEndian(500, 500, 500)); // 61 mg
  served.serve(0x22, ...new Array(6).fill(littleEndian(0, 0, 0)), littleEndian(4000, 4000, 4000)); // 280 dps
  assert.equal((await chipOn(createLsm6dsox, served).selfTest())?.passed, true);
});

test('two words a sample fill the FIFO twice as fast: what may have run over meanwhile counts as overflow', async () => {
  for (const [transactionUs, overflowed] of [
    [10_000, false], // 2 samples come
    [300_000, true], // 62 and more
  ] as const) {
    const served = serveRegisters(transactionUs);
    served.serve(0x3a, [0x92, 0x01]); // 402 of 512 words
    const pair = [GYROSCOPE, 0, 0, 0, 0, 0, 0, ACCELEROMETER, 0, 0, 0, 0, 0, 0];
    served.serve(
      0x78,
      new Array(73).fill(pair).flat(),
      new Array(73).fill(pair).flat(),
      new Array(55).fill(pair).flat(),
    );
    assert.equal((await chipOn(createLsm6dsox, served).read()).overflowed, overflowed);
  }
});
