import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAdxl345 } from '../../agent/sensors/adxl345.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const G = 9.80665;

test('configure: stand-by, offsets and FIFO cleared, rate, full resolution, measure, stream mode, watermark interrupt', async () => {
  const served = serveRegisters();
  served.serve(0x32, littleEndian(0, 0, 256));
  await chipOn(createAdxl345, served, { dataReady: true }).configure();
  assert.deepEqual(served.take(), [
    '2d = 00', // POWER_CTL: stand-by
    '2e = 00',
    '2f = 00', // INT_MAP: INT1
    '1e = 00',
    '1f = 00',
    '20 = 00',
    '38 = 00', // FIFO_CTL: bypass
    '2c = 0a', // BW_RATE: 100 Hz
    '31 = 09', // DATA_FORMAT: full resolution, ±4 g
    '2d = 08', // measure
    '38 = 00',
    '38 = 82', // stream, watermark 2
    '2e = 02',
  ]);
  assert.deepEqual(served.takeReads(), ['32 × 6'], 'what is from before is gone, and with it the flag of overrun');
});

test('full scale follows the bits of each range at 1/256 g', () => {
  const scaleOf = (accRangeG: number) =>
    chipOn(createAdxl345, serveRegisters(), { accRangeG }).modalities[0]?.fullScale;
  assert.deepEqual(
    [2, 4, 8, 16].map(scaleOf),
    [511, 1023, 2047, 4095].map((code) => Math.fround((code / 256) * G)),
  );
});

test('I2C carries 6.25 to 800 Hz', () => {
  const rateOf = (rateHz: number) => chipOn(createAdxl345, serveRegisters(), { rateHz }).modalities[0]?.sampleRateHz;
  assert.deepEqual([6, 52, 104, 1000 * 0.8].map(rateOf), [6.25, 50, 100, 800]);
  assert.throws(() => rateOf(1600), { code: 'config-invalid' });
});

test('each sample of the FIFO is one read of the six data registers', async () => {
  const served = serveRegisters(300);
  const chip = chipOn(createAdxl345, served);
  served.serve(0x39, [3]);
  served.serve(0x30, [0x82]);
  served.serve(0x32, littleEndian(1, -2, 256), littleEndian(3, 4, 5), littleEndian(6, 7, 8));
  const { values, overflowed } = await chip.read();
  assert.deepEqual(values, [Float32Array.of(...[1, -2, 256, 3, 4, 5, 6, 7, 8].map((n) => (n / 256) * G))]);
  assert.equal(overflowed, false);
  assert.deepEqual(served.takeReads(), ['39 × 1', '30 × 1', '32 × 6', '32 × 6', '32 × 6']);
});

test('overrun: nothing of it is used, FIFO emptied and started again, and said', async () => {
  const served = serveRegisters();
  served.serve(0x39, [32]);
  served.serve(0x30, [0x83]);
  served.serve(0x32, littleEndian(0, 0, 256));
  const burst = await chipOn(createAdxl345, served).read();
  assert.equal(burst.overflowed, true);
  assert.deepEqual(burst.values, [new Float32Array(0)]);
  assert.deepEqual(served.takeReads(), ['39 × 1', '30 × 1', '32 × 6'], 'reading data takes the flag away');
  assert.deepEqual(served.take(), ['38 = 00', '38 = 82']);
});

test('data registers: read when DATA_READY says so', async () => {
  const served = serveRegisters();
  const chip = chipOn(createAdxl345, served, { fifo: false });
  served.serve(0x30, [0x00], [0x80]);
  served.serve(0x32, littleEndian(0, 0, 256));
  assert.deepEqual((await chip.read()).values, [new Float32Array(0)]);
  assert.deepEqual((await chip.read()).values, [Float32Array.of(0, 0, G)]);
  await chip.configure();
  assert.equal(served.take().at(-1), '2d = 08', 'no FIFO');
  assert.equal(served.takeReads().at(-1), '32 × 6', 'a sample from before is gone');
});

test('a power cut shows, there is no temperature, and relatives are said', async () => {
  const served = serveRegisters();
  const chip = chipOn(createAdxl345, served);
  served.serve(0x2c, [0x0a, 0x08], [0x0a, 0x00]);
  assert.deepEqual([await chip.isConfigured(), await chip.isConfigured()], [true, false]);
  assert.equal(await chip.temperature(), null);
  served.serve(0x00, [0xe5], [0xe6], [0x00]);
  assert.deepEqual(await chip.identify(), { whoAmI: 0xe5, part: 'ADXL345' });
  assert.match((await chip.identify()).warning ?? '', /ADXL346/);
  await assert.rejects(chip.identify(), { code: 'chip-unknown' });
});

test('self-test: x up, y down, z up, within what Table 1 and the supply allow', async () => {
  for (const [x, y, z, passed] of [
    [140, -140, 200, true], // 0.55, −0.55, 0.78 g
    [140, 140, 200, false],
    [40, -140, 200, false], // 0.16 g
    [140, -140, 1300, false], // 5.1 g
  ] as const) {
    const served = serveRegisters();
    served.serve(0x32, ...new Array(11).fill(littleEndian(3, 4, 250)), littleEndian(3 + x, 4 + y, 250 + z));
    assert.equal((await chipOn(createAdxl345, served).selfTest())?.passed, passed, `${x} ${y} ${z}`);
    assert.deepEqual(
      served.take().filter((line) => line.startsWith('31')),
      ['31 = 0b', '31 = 8b', '31 = 0b'],
    );
  }
});
