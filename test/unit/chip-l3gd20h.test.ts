import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createL3gd20h } from '../../agent/sensors/l3gd20h.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const DEGREE = Math.PI / 180;

test('configure: powered down, LOW_ODR, block data update and range, 50 Hz, FIFO in stream mode, threshold on the pin', async () => {
  const served = serveRegisters();
  served.serve(0x0f, [0xd7]);
  await chipOn(createL3gd20h, served, { rateHz: 50, dataReady: true }).configure();
  assert.deepEqual(served.take(), [
    '20 = 00',
    '21 = 00',
    '22 = 00',
    '24 = 00',
    '2e = 00',
    '39 = 01', // LOW_ODR
    '23 = 90', // CTRL4: BDU, 500 dps
    '20 = bf', // CTRL1: DR 10, BW 11, powered, all axes
    'pause 250 ms',
    '24 = 40', // CTRL5: FIFO_EN
    '2e = 00',
    '2e = 41', // stream, threshold 1
    '22 = 04', // CTRL3: FIFO threshold on DRDY/INT2
  ]);
});

test('the forerunners have no LOW_ODR register and no rate below 100 Hz', async () => {
  const served = serveRegisters();
  served.serve(0x0f, [0xd4]);
  await chipOn(createL3gd20h, served, { fifo: false }).configure();
  assert.equal(
    served.take().some((line) => line.startsWith('39')),
    false,
  );
  const slow = chipOn(createL3gd20h, served, { rateHz: 50 });
  await assert.rejects(slow.identify(), { code: 'config-invalid' });
  await assert.rejects(slow.configure(), { code: 'config-invalid' });
});

test('ranges: asked for 250 it measures ±245, for 1000 ±2000', () => {
  const rangeOf = (gyrRangeDps: number) =>
    Math.round((chipOn(createL3gd20h, serveRegisters(), { gyrRangeDps }).modalities[0]?.fullScale ?? 0) / DEGREE);
  assert.deepEqual([125, 250, 500, 1000, 2000].map(rangeOf), [245, 245, 500, 2000, 2000]);
});

test('identities: L3GD20H, and its forerunners with what is different', async () => {
  const served = serveRegisters();
  const chip = chipOn(createL3gd20h, served);
  served.serve(0x0f, [0xd7], [0xd4], [0xd3], [0x68]);
  assert.deepEqual(await chip.identify(), { whoAmI: 0xd7, part: 'L3GD20H' });
  assert.match((await chip.identify()).warning ?? '', /L3GD20.*95 Hz/);
  assert.match((await chip.identify()).warning ?? '', /L3G4200D/);
  await assert.rejects(chip.identify(), { code: 'chip-unknown' });
});

test('the FIFO is read in one transaction, with bit 7 for the address to count', async () => {
  const served = serveRegisters();
  served.serve(0x2f, [0x02]);
  served.serve(0xa8, littleEndian(1, -2, 3, 4, 5, -32_768));
  const { values, overflowed } = await chipOn(createL3gd20h, served).read();
  assert.deepEqual(values, [Float32Array.of(...[1, -2, 3, 4, 5, -32_768].map((n) => n * 17.5e-3 * DEGREE))]);
  assert.equal(overflowed, false);
  assert.deepEqual(served.takeReads(), ['2f × 1', 'a8 × 12']);
});

test('an empty FIFO: no sample, and the data registers are not touched', async () => {
  const served = serveRegisters();
  served.serve(0x2f, [0x20]);
  assert.deepEqual((await chipOn(createL3gd20h, served).read()).values, [new Float32Array(0)]);
});

test('overrun: nothing of it is used, FIFO emptied and started again, and said', async () => {
  const served = serveRegisters();
  served.serve(0x2f, [0xdf]);
  const burst = await chipOn(createL3gd20h, served).read();
  assert.equal(burst.overflowed, true);
  assert.deepEqual(burst.values, [new Float32Array(0)]);
  assert.deepEqual(served.take(), ['2e = 00', '2e = 42']);
});

test('data registers: read when ZYXDA says so, the pin is data ready', async () => {
  const served = serveRegisters();
  const chip = chipOn(createL3gd20h, served, { fifo: false, dataReady: true });
  served.serve(0x0f, [0xd7]);
  await chip.configure();
  assert.equal(served.take().at(-1), '22 = 08');
  served.serve(0x27, [0x07], [0x0f]);
  served.serve(0xa8, littleEndian(100, 0, 0));
  assert.deepEqual((await chip.read()).values, [new Float32Array(0)]);
  assert.deepEqual((await chip.read()).values, [Float32Array.of(100 * 17.5e-3 * DEGREE, 0, 0)]);
});

test('a reset shows: CTRL1 back to power-down; there is no temperature', async () => {
  const served = serveRegisters();
  const chip = chipOn(createL3gd20h, served);
  served.serve(0xa0, [0x3f, 0, 0, 0x90], [0x07, 0, 0, 0x00]);
  assert.deepEqual([await chip.isConfigured(), await chip.isConfigured()], [true, false]);
  assert.equal(await chip.temperature(), null);
});

test('self-test at ±2000 dps: about 530 dps of change', async () => {
  for (const [change, passed] of [
    [7571, true], // 530 dps
    [3000, false],
    [20_000, false],
  ] as const) {
    const served = serveRegisters();
    served.serve(0x0f, [0xd7]);
    served.serve(0xa8, ...new Array(6).fill(littleEndian(2, 2, 2)), littleEndian(2 + change, 2 - change, 2 + change));
    assert.equal((await chipOn(createL3gd20h, served).selfTest())?.passed, passed);
    assert.deepEqual(
      served.take().filter((line) => line.startsWith('23')),
      ['23 = a0', '23 = a2', '23 = a0'],
    );
  }
});
