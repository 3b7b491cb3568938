/** The ICM-20948's driver against DS-000189 and the AK09916's datasheet, byte by byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChipSettings } from '../../agent/sensors/chip.ts';
import { createIcm20948 } from '../../agent/sensors/icm20948.ts';
import type { AppError } from '../../core/base/errors.ts';
import { chipOn, littleEndian, serveRegisters } from '../fixtures/served-registers.ts';

const DONE = [0x40];
const NACK = [0x50];
const IDLE = [0x00];

function big(...numbers: readonly number[]): number[] {
  return numbers.flatMap((number) => [(number >> 8) & 0xff, number & 0xff]);
}

/** The magnetometer's nine bytes. */
function mag(status: number, axes: readonly number[], overflow = 0): number[] {
  return [status, ...littleEndian(...axes), 0, overflow];
}

/** What 0x17 brings during the set-up: I2C_MST_STATUS in bank 0, and once the master's data in bank 3. */
const MAG_ANSWERS = [IDLE, DONE, IDLE, IDLE, DONE, [0x09], IDLE, DONE];
const RESTART = ['03 = 20', '66 = 01 1e', '68 = 1f', '68 = 00', '69 = 00', '03 = 60'];

async function running(changed: Partial<ChipSettings> = {}, answers: readonly (readonly number[])[] = MAG_ANSWERS) {
  const served = serveRegisters();
  served.serve(0x17, ...answers);
  served.serve(0x19, [0, 0, 0]);
  const chip = chipOn(createIcm20948, served, changed);
  await chip.configure();
  const set = served.take();
  served.takeReads();
  return { chip, served, set };
}

test('starts the magnetometer through slave 4, then rates and ranges, then one FIFO for all', async () => {
  const { set } = await running();
  const slave4 = (address: string, register: string) => ['7f = 30', `13 = ${address} ${register}`, '7f = 00'];
  const go = ['7f = 30', '15 = 80', '7f = 00', 'pause 2 ms'];
  assert.deepEqual(set, [
    '7f = 00',
    '06 = 80',
    'pause 100 ms',
    '06 = 01',
    '05 = 00',
    'pause 70 ms',
    '03 = 20',
    ...['7f = 30', '01 = 17', '7f = 00'],
    ...slave4('0c', '32'),
    ...['7f = 30', '16 = 01', '7f = 00'], // CNTL3: soft reset
    ...go,
    'pause 10 ms',
    ...slave4('8c', '01'), // WIA2
    ...go,
    'pause 2 ms', // not done at the first look
    ...['7f = 30', '7f = 00'], // the answer
    ...slave4('0c', '31'),
    ...['7f = 30', '16 = 08', '7f = 00'], // CNTL2: 100 Hz
    ...go,
    ...['7f = 30', '03 = 8c 10 89', '7f = 00'], // nine bytes from ST1 at each sample
    '7f = 20',
    '09 = 01',
    '00 = 0a 1b', // 1125 / 11 Hz; 51.2 Hz, ± 500 °/s
    '10 = 00 0a',
    '14 = 1b', // 50.4 Hz, ± 4 g
    '7f = 00',
    '0f = 20',
    '11 = 00',
    '12 = 1f',
    ...RESTART,
  ]);
});

test('says true rates, and lets the magnetometer keep up to 100 Hz', () => {
  for (const [rateHz, motionHz, magHz] of [
    [50, 1125 / 23, 1125 / 23],
    [100, 1125 / 11, 100],
    [225, 225, 100],
    [5, 5, 5],
  ] as const) {
    const chip = chipOn(createIcm20948, serveRegisters(), { rateHz });
    assert.deepEqual(
      chip.modalities.map(({ name, sampleRateHz }) => [name, sampleRateHz]),
      [
        ['acc', motionHz],
        ['gyr', motionHz],
        ['mag', magHz],
      ],
    );
  }
  assert.throws(
    () => chipOn(createIcm20948, serveRegisters(), { rateHz: 4000 }),
    (error: AppError) => error.code === 'config-invalid' && /4\.39 to 1125/.test(error.hint ?? ''),
  );
});

test('reads frames of all three, the magnetometer only when it has measured anew', async () => {
  const { chip, served } = await running();
  served.serve(0x70, big(3 * 21 + 20));
  served.serve(0x72, [
    ...big(8192, 0, -8192, 655, 0, -655),
    ...mag(0x01, [100, 200, -300]),
    ...big(1, 2, 3, 4, 5, 6),
    ...mag(0x00, [100, 200, -300]), // the same, read again
    ...big(7, 8, 9, 10, 11, 12),
    ...mag(0x01, [32_752, 0, 0], 0x08), // beyond what it can measure
  ]);
  const { values, overflowed } = await chip.read();
  assert.deepEqual(served.takeReads(), ['19 × 3', '70 × 2', '72 × 63']);
  assert.equal(overflowed, false);
  const [acc, gyr, field] = values;
  assert.deepEqual(
    acc,
    Float32Array.from([8192, 0, -8192, 1, 2, 3, 7, 8, 9], (code) => (code / 8192) * 9.80665),
  );
  assert.deepEqual(
    gyr,
    Float32Array.from([655, 0, -655, 4, 5, 6, 10, 11, 12], (code) => ((code / 65.5) * Math.PI) / 180),
  );
  assert.deepEqual(field, Float32Array.of(15, -30, 45)); // 0.15 µT a step; Y and Z turned into the accelerometer's axes
});

test('resets the auxiliary bus and tries again when the magnetometer was in the middle of a transfer', async () => {
  const { set } = await running({}, [IDLE, NACK, ...MAG_ANSWERS]);
  assert.deepEqual(
    set.filter((line) => line.startsWith('03') || line.startsWith('66')),
    ['03 = 20', '03 = 22', '03 = 8c 10 89', '03 = 20', '66 = 01 1e', '03 = 60'],
  );
});

test('goes on with accelerometer and gyroscope when no magnetometer answers', async () => {
  for (const answers of [[IDLE, NACK], [IDLE], [IDLE, DONE, IDLE, DONE, [0x48]]]) {
    const { chip, served, set } = await running({}, answers);
    assert.ok(set.includes('66 = 00 1e'), 'slave 0 stays out of the FIFO');
    served.serve(0x70, big(12));
    served.serve(0x72, big(8192, 0, 0, 0, 0, 0));
    const { values } = await chip.read();
    assert.deepEqual(
      values.map(({ length }) => length),
      [3, 3, 0],
    );
  }
});

test('empties the FIFO after an overflow', async () => {
  const { chip, served } = await running();
  served.serve(0x19, [0x00, 0x01, 0x01], [0, 0, 0]);
  const { values, overflowed } = await chip.read();
  assert.equal(overflowed, true);
  assert.deepEqual(
    values.map(({ length }) => length),
    [0, 0, 0],
  );
  assert.deepEqual(served.take(), RESTART);
  served.serve(0x70, big(512));
  assert.equal((await chip.read()).overflowed, true);
});

test('without the FIFO reads status, sample and magnetometer at once, each once', async () => {
  const { chip, served, set } = await running({ fifo: false });
  assert.deepEqual(set.slice(-2), ['11 = 01', '12 = 00']);
  const gap = new Array(0x2d - 0x1b - 1).fill(0xff);
  const registers = (isNew: number, code: number, field: number[]) => [
    ...[0x00, isNew, 0x00],
    ...gap,
    ...big(code, 0, 0, 0, 0, 655),
    ...big(0),
    ...field,
  ];
  const first = registers(1, 8192, mag(1, [1, 2, 3]));
  assert.equal(first.length, 43);
  served.serve(
    0x19,
    first,
    registers(0, 8192, mag(1, [1, 2, 3])),
    registers(1, 4096, mag(1, [1, 2, 3])),
    registers(1, 4096, mag(1, [1, 2, 4])),
  );
  const lengths = [];
  for (let read = 0; read < 4; read++) lengths.push((await chip.read()).values.map(({ length }) => length));
  assert.deepEqual(lengths, [
    [3, 3, 3],
    [0, 0, 0],
    [3, 3, 0], // the master had not read the magnetometer again
    [3, 3, 3],
  ]);
});

test('finds itself in a bank that a killed process left', async () => {
  const served = serveRegisters();
  const chip = chipOn(createIcm20948, served);
  served.serve(0x00, [0x16], [0xea]); // bank 2 has a rate there
  assert.deepEqual(await chip.identify(), { whoAmI: 0xea, part: 'ICM-20948' });
  assert.deepEqual(served.take(), ['7f = 00']);
  served.serve(0x00, [0x68]);
  await assert.rejects(chip.identify(), (error: AppError) => error.code === 'chip-unknown');
});

test('notices a reset, reads the temperature and sleeps', async () => {
  const { chip, served } = await running();
  served.serve(0x03, [0x60, 0x00, 0x00, 0x01]);
  assert.equal(await chip.isConfigured(), true);
  served.serve(0x03, [0x00, 0x00, 0x40, 0x41]);
  assert.equal(await chip.isConfigured(), false);
  served.serve(0x39, big(-3339));
  assert.equal((await chip.temperature())?.toFixed(2), '11.00');
  await chip.sleep();
  assert.deepEqual(served.take(), ['06 = 41']);
});

test('runs its test at ± 2 g and ± 250 °/s against the trims of bank 1', async () => {
  const served = serveRegisters();
  const chip = chipOn(createIcm20948, served);
  served.serve(0x02, [1, 1, 1]); // 2620
  served.serve(0x0e, [1, 1, 1]);
  const reads = 2 * 41;
  served.serve(
    0x2d,
    ...new Array(reads).fill(big(0, 0, 16_384, 5, 5, 5)),
    ...new Array(reads).fill(big(2620, 1500, 16_384 + 3900, 2625, 1405, 5005)),
  );
  const result = await chip.selfTest();
  assert.equal(result?.passed, true);
  assert.deepEqual(
    result?.axes.map(({ axis, value }) => `${axis} ${value.toFixed(2)}`),
    ['acc.x 1.00', 'acc.y 0.57', 'acc.z 1.49', 'gyr.x 1.00', 'gyr.y 0.53', 'gyr.z 1.91'],
  );
  assert.deepEqual(
    served.take().filter((line) => !line.startsWith('pause')),
    ['7f = 00', '06 = 80', '06 = 01', '05 = 00']
      .concat(['7f = 20', '00 = 04 11 00', '10 = 00 04', '14 = 11 00', '7f = 00'])
      .concat(['7f = 20', '02 = 38', '15 = 1c', '7f = 00', '7f = 10', '7f = 00']),
  );
});
