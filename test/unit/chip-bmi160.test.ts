import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBmi160 } from '../../agent/sensors/bmi160.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const G = 9.80665;
const DEGREE = Math.PI / 180;

test('configure: reset, settings before the first sample, power modes with their pauses, FIFO with headers, flush', async () => {
  const served = serveRegisters();
  await chipOn(createBmi160, served, { dataReady: true }).configure();
  assert.deepEqual(served.take(), [
    '7e = b6', // softreset
    'pause 10 ms',
    '40 = 28', // ACC_CONF: normal filter, 100 Hz
    'pause 1 ms', // suspended: 450 µs
    '41 = 05', // ±4 g
    'pause 1 ms',
    '42 = 28',
    'pause 1 ms',
    '43 = 02', // ±500 dps
    'pause 1 ms',
    '7e = 11', // accelerometer normal: 3.8 ms
    'pause 5 ms',
    '7e = 15', // gyroscope normal: 80 ms
    'pause 81 ms',
    '46 = 06', // watermark: 24 bytes, which the second frame of 13 passes
    '56 = 40', // int1: watermark
    '53 = 0a', // int1: output, active high, push-pull
    '51 = 40',
    '45 = 88', // filtered, not decimated
    '47 = d0', // gyroscope, accelerometer, header
    '7e = b0', // fifo_flush
  ]);
});

test('without FIFO the interrupt of new data is latched', async () => {
  const served = serveRegisters();
  await chipOn(createBmi160, served, { fifo: false, dataReady: true }).configure();
  assert.deepEqual(served.take().slice(-4), ['54 = 0f', '56 = 80', '53 = 0a', '51 = 10']);
});

test('ranges and rates: codes of acc_range, gyr_range and odr', async () => {
  for (const [rateHz, accRangeG, gyrRangeDps, written] of [
    [25, 2, 125, ['40 = 26', '41 = 03', '42 = 26', '43 = 04']],
    [1000, 8, 250, ['40 = 2b', '41 = 08', '42 = 2b', '43 = 03']],
    [1600, 16, 2000, ['40 = 2c', '41 = 0c', '42 = 2c', '43 = 00']],
  ] as const) {
    const served = serveRegisters();
    await chipOn(createBmi160, served, { rateHz, accRangeG, gyrRangeDps, fifo: false }).configure();
    const settings = served.take().filter((line) => line.startsWith('4'));
    assert.deepEqual(settings, written);
  }
  assert.throws(() => chipOn(createBmi160, serveRegisters(), { rateHz: 12.5 }), { code: 'config-invalid' });
});

test('frames: gyroscope before accelerometer, frames of one of them, tags of interrupts, a change of settings; a cut frame waits', async () => {
  const served = serveRegisters();
  const bytes = [
    ...[0x8c, ...littleEndian(1, -2, 3, 100, -200, 8192)],
    ...[0x48, 0x01],
    ...[0x86, ...littleEndian(7, 8, 9)], // accelerometer alone, with a tag of INT2
    ...[0x88, ...littleEndian(4, 5, 6)],
    ...[0x8c, 1, 2, 3],
  ];
  served.serve(0x22, [bytes.length, 0]);
  served.serve(0x24, bytes);
  const { values, overflowed } = await chipOn(createBmi160, served).read();
  assert.deepEqual(values[0], Float32Array.of(...[100, -200, 8192, 7, 8, 9].map((n) => (n / 8192) * G)));
  assert.deepEqual(values[1], Float32Array.of(...[1, -2, 3, 4, 5, 6].map((n) => (n / 65.6) * DEGREE)));
  assert.equal(overflowed, false);
});

test('the byte counter has eleven bits', async () => {
  const served = serveRegisters();
  served.serve(0x22, [0xf6, 0xfb]); // 1014; the reserved bits say nothing
  served.serve(0x24, new Array(78).fill([0x8c, ...new Array(12).fill(0)]).flat());
  assert.equal((await chipOn(createBmi160, served).read()).values[0]?.length, 78 * 3);
});

for (const [what, header] of [
  ['a skip frame (frames were lost)', 0x40],
  ['a header that is none', 0x13],
] as const) {
  test(`${what}: nothing of it is used, FIFO flushed, and said`, async () => {
    const served = serveRegisters();
    served.serve(0x22, [15, 0]);
    served.serve(0x24, [header, 9, 0x8c, ...new Array(12).fill(1)]);
    const burst = await chipOn(createBmi160, served).read();
    assert.equal(burst.overflowed, true);
    assert.deepEqual(burst.values, [new Float32Array(0), new Float32Array(0)]);
    assert.deepEqual(served.take(), ['7e = b0']);
  });
}

test('data registers: guarded by drdy_acc and drdy_gyr, and the latched interrupt is released before they are read', async () => {
  const served = serveRegisters();
  const chip = chipOn(createBmi160, served, { fifo: false });
  served.serve(0x1b, [0x10, 0, 0], [0xd0, 0, 0x10], [0x40, 0, 0x10]);
  served.serve(0x0c, littleEndian(1, 2, 3, 4, 5, 6), littleEndian(7, 8, 9));
  assert.deepEqual((await chip.read()).values[0]?.length, 0);
  assert.deepEqual((await chip.read()).values[0], Float32Array.of(...[4, 5, 6].map((n) => (n / 8192) * G)));
  const lone = await chip.read();
  assert.deepEqual([lone.values[0]?.length, lone.values[1]?.length], [0, 3]);
  assert.deepEqual(served.takeReads(), ['1b × 3', '1b × 3', '0c × 12', '1b × 3', '0c × 6']);
});

test('a reset shows: both sensors suspended in PMU_STATUS', async () => {
  const served = serveRegisters();
  const chip = chipOn(createBmi160, served);
  served.serve(0x03, [0x14], [0x15], [0x00], [0x10]);
  const seen = [];
  for (let i = 0; i < 4; i++) seen.push(await chip.isConfigured());
  assert.deepEqual(seen, [true, true, false, false]);
});

test('temperature: 23 °C at 0, 512 LSB per °C, 0x8000 is none', async () => {
  const served = serveRegisters();
  const chip = chipOn(createBmi160, served);
  served.serve(0x20, littleEndian(0), littleEndian(-1024), [0x00, 0x80]);
  assert.deepEqual([await chip.temperature(), await chip.temperature(), await chip.temperature()], [23, 21, null]);
});

test('BMI160 is itself, BMX160 works and is said', async () => {
  const served = serveRegisters();
  const chip = chipOn(createBmi160, served);
  served.serve(0x00, [0xd1], [0xd8], [0x24]);
  assert.deepEqual(await chip.identify(), { whoAmI: 0xd1, part: 'BMI160' });
  assert.match((await chip.identify()).warning ?? '', /BMX160/);
  await assert.rejects(chip.identify(), { code: 'chip-unknown' });
});

test('self-test: 2 g between the two directions, and the gyroscope says so itself', async () => {
  for (const [positive, status, passed] of [
    [5000, 0x02, true],
    [3000, 0x02, false],
    [5000, 0x00, false],
  ] as const) {
    const served = serveRegisters();
    served.serve(0x12, littleEndian(positive, positive, positive), littleEndian(-5000, -5000, -5000));
    served.serve(0x1b, [status]);
    const outcome = await chipOn(createBmi160, served).selfTest();
    assert.equal(outcome?.passed, passed);
    assert.equal(outcome?.axes.length, 4);
    assert.deepEqual(
      served.take().filter((line) => line.startsWith('6d')),
      ['6d = 0d', '6d = 09', '6d = 10', '6d = 00'],
    );
  }
});
