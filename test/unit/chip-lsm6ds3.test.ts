import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLsm6ds3 } from '../../agent/sensors/lsm6ds3.ts';
import { AppError } from '../../core/base/errors.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const G = 9.80665;
const DEGREE = Math.PI / 180;

test('configure: 104 Hz, ±4 g and ±500 dps as in the tables of CTRL1_XL and CTRL2_G, FIFO last', async () => {
  const served = serveRegisters();
  await chipOn(createLsm6ds3, served, { dataReady: true }).configure();
  assert.deepEqual(served.take(), [
    '12 = 01', // CTRL3_C: SW_RESET
    'pause 20 ms',
    '12 = 44', // BDU, IF_INC
    '10 = 48', // CTRL1_XL: 104 Hz, ±4 g
    '11 = 44', // CTRL2_G: 104 Hz, 500 dps
    'pause 100 ms',
    '0d = 08', // INT1_CTRL: FIFO threshold
    '06 = 0c', // FIFO_CTRL1: 2 samples of 6 words
    '07 = 00',
    '08 = 09', // no decimation of gyroscope and accelerometer
    '09 = 00',
    '0a = 00', // bypass: empty
    '0a = 26', // 104 Hz, continuous
  ]);
});

test('without FIFO: the pin is data ready, and no FIFO register is written', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served, { fifo: false, dataReady: true });
  assert.equal(chip.fifoSeconds, 0);
  await chip.configure();
  assert.deepEqual(served.take().slice(-3), ['11 = 44', 'pause 100 ms', '0d = 03']);
});

test('ranges: FS_XL 00 01 10 11 are 2 16 4 8 g, FS_125 and FS_G 125 to 2000 dps; full scale ends at the range or the last code', async () => {
  for (const [accRangeG, gyrRangeDps, ctrl1, ctrl2, acc, gyr] of [
    [2, 125, '10 = 40', '11 = 42', 32_767 * 0.061e-3, 125],
    [8, 1000, '10 = 4c', '11 = 48', 32_767 * 0.244e-3, 1000],
    [16, 2000, '10 = 44', '11 = 4c', 32_767 * 0.488e-3, 2000],
  ] as const) {
    const served = serveRegisters();
    const chip = chipOn(createLsm6ds3, served, { accRangeG, gyrRangeDps });
    await chip.configure();
    const written = served.take();
    assert.ok(written.includes(ctrl1) && written.includes(ctrl2), `${written}`);
    assert.ok(Math.abs((chip.modalities[0]?.fullScale ?? 0) - Math.min(acc, accRangeG) * G) < 1e-4);
    assert.ok(Math.abs((chip.modalities[1]?.fullScale ?? 0) - gyr * DEGREE) < 1e-5);
  }
});

test('the nearest rate is taken and told; one that no setting comes near is refused with those that do', () => {
  const rateOf = (rateHz: number) => chipOn(createLsm6ds3, serveRegisters(), { rateHz }).modalities[0]?.sampleRateHz;
  assert.deepEqual([12, 50, 100, 1000, 1700].map(rateOf), [12.5, 52, 104, 833, 1666]);
  for (const rateHz of [5, 4000]) {
    assert.throws(
      () => rateOf(rateHz),
      (error) =>
        error instanceof AppError && error.code === 'config-invalid' && (error.hint ?? '').includes('12.5 to 1666'),
    );
  }
});

test('LSM6DS3 and LSM6DS3TR-C are both themselves; anything else is no chip of this driver', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x0f, [0x69], [0x6a], [0x68]);
  assert.deepEqual(await chip.identify(), { whoAmI: 0x69, part: 'LSM6DS3' });
  assert.deepEqual(await chip.identify(), { whoAmI: 0x6a, part: 'LSM6DS3TR-C' });
  await assert.rejects(chip.identify(), (error) => error instanceof AppError && error.code === 'chip-unknown');
});

test('FIFO words in the pattern gyroscope, accelerometer become samples; a sample that is not whole stays', async () => {
  const served = serveRegisters(200);
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x3a, [12, 0x00, 0, 0], [15, 0x00, 0, 0]); // two samples; then two and half of one
  const two = littleEndian(1, -2, 3, 100, -200, 8192, 4, 5, 6, 7, 8, 9);
  served.serve(0x3e, two);
  const first = await chip.read();
  assert.deepEqual(
    first.values[1],
    Float32Array.of(...[4, 5, 6].map((n) => n * 17.5e-3 * DEGREE)),
    'the first is thrown away',
  );
  served.takeReads();
  const before = served.nowUs();
  const burst = await chip.read();
  assert.deepEqual(served.takeReads(), ['3a × 4', '3e × 24']);
  assert.deepEqual(burst.values[0], Float32Array.of(...[100, -200, 8192, 7, 8, 9].map((n) => n * 0.122e-3 * G)));
  assert.deepEqual(burst.values[1], Float32Array.of(...[1, -2, 3, 4, 5, 6].map((n) => n * 17.5e-3 * DEGREE)));
  assert.equal(burst.overflowed, false);
  assert.equal(burst.knownUs, before + 100, 'the middle of the read of the level');
});

test('all that waits comes in one read, a kilobyte a transaction', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x3a, [0x06, 0x06, 0, 0]); // 1542 words: 257 samples
  served.serve(0x3e, ...new Array(3).fill(new Array(1020).fill(0)), new Array(24).fill(0));
  assert.equal((await chip.read()).values[0]?.length, (257 - 1) * 3);
  assert.deepEqual(served.takeReads(), ['3a × 4', '3e × 1020', '3e × 1020', '3e × 1020', '3e × 24']);
});

test('nothing waits: no sample, and the data register is not touched', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [5, 0x10, 3, 0]);
  assert.deepEqual((await chipOn(createLsm6ds3, served).read()).values, [new Float32Array(0), new Float32Array(0)]);
  assert.deepEqual(served.takeReads(), ['3a × 4']);
});

for (const [what, status] of [
  ['overrun', [0, 0x40, 0, 0]],
  ['the next word is not gyroscope x', [12, 0, 3, 0]],
] as const) {
  test(`${what}: no sample of it, FIFO emptied and started again, and said`, async () => {
    const served = serveRegisters();
    served.serve(0x3a, status);
    const burst = await chipOn(createLsm6ds3, served).read();
    assert.equal(burst.overflowed, true);
    assert.deepEqual(burst.values, [new Float32Array(0), new Float32Array(0)]);
    assert.deepEqual(served.takeReads(), ['3a × 4']);
    assert.deepEqual(served.take(), ['0a = 00', '0a = 26']);
  });
}

test('data registers: only what is ready is read, so that no sample comes twice and none is cleared unread', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served, { fifo: false });
  served.serve(0x1e, [0x00], [0x03], [0x02], [0x01]);
  served.serve(0x22, littleEndian(1, 2, 3, 4, 5, 6), littleEndian(7, 8, 9));
  served.serve(0x28, littleEndian(10, 11, 12));
  const lengths = [];
  for (let i = 0; i < 4; i++) lengths.push((await chip.read()).values.map((values) => values.length));
  assert.deepEqual(lengths, [
    [0, 0],
    [3, 3],
    [0, 3],
    [3, 0],
  ]);
  assert.deepEqual(served.takeReads(), ['1e × 1', '1e × 1', '22 × 12', '1e × 1', '22 × 6', '1e × 1', '28 × 6']);
});

test('a reset shows: CTRL1_XL back to power-down', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x10, [0x48, 0x44, 0x44], [0x00, 0x00, 0x04]);
  assert.equal(await chip.isConfigured(), true);
  assert.equal(await chip.isConfigured(), false);
});

test('temperature: 16 LSB per °C on the LSM6DS3, 256 on the LSM6DS3TR-C, 0 at 25 °C', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x0f, [0x69], [0x6a]);
  served.serve(0x20, littleEndian(-80), littleEndian(1280));
  assert.equal(await chip.temperature(), 20);
  assert.equal(await chip.temperature(), 30);
});

test('self-test: 90 to 1700 mg and 150 to 700 dps of change on each axis', async () => {
  for (const [accChange, gyrChange, passed] of [
    [3000, 5000, true], // 366 mg, 350 dps
    [700, 5000, false], // 85 mg
    [3000, 2000, false], // 140 dps
    [3000, 10_100, false], // 707 dps
  ] as const) {
    const served = serveRegisters();
    const off = new Array(6).fill([...littleEndian(0, 0, 8197)]);
    served.serve(0x28, ...off, littleEndian(accChange, accChange, 8197 + accChange));
    served.serve(
      0x22,
      ...off.map(() => littleEndian(5, 5, 5)),
      littleEndian(5 + gyrChange, 5 - gyrChange, 5 + gyrChange),
    );
    const outcome = await chipOn(createLsm6ds3, served).selfTest();
    assert.equal(outcome?.passed, passed, JSON.stringify(outcome));
    assert.ok(Math.abs((outcome?.axes[2]?.value ?? 0) - accChange * 0.122e-3 * G) < 1e-3);
    assert.deepEqual(
      outcome?.axes.map(({ axis }) => axis),
      ['acc.x', 'acc.y', 'acc.z', 'gyr.x', 'gyr.y', 'gyr.z'],
    );
    const written = served.take();
    assert.ok(written.includes('14 = 01') && written.includes('14 = 04') && written.at(-1) === '14 = 00', `${written}`);
  }
});

test('sleep powers both sensors down', async () => {
  const served = serveRegisters();
  await chipOn(createLsm6ds3, served).sleep();
  assert.deepEqual(served.take(), ['10 = 00', '11 = 00']);
});

test('after an overflow, too, the first sample is thrown away: it may be of before', async () => {
  const served = serveRegisters();
  const chip = chipOn(createLsm6ds3, served);
  served.serve(0x3a, [6, 0, 0, 0], [0, 0x40, 0, 0], [6, 0, 0, 0]);
  served.serve(0x3e, littleEndian(1, 2, 3, 4, 5, 6));
  const lengths = [];
  for (let read = 0; read < 4; read++) lengths.push((await chip.read()).values[0]?.length);
  assert.deepEqual(lengths, [0, 0, 0, 3]);
});
