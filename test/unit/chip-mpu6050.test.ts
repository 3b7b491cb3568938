/** The MPU-6050 family's driver against RM-MPU-6000A, RM-MPU-6500A and AN-MPU-9250A-03, byte by byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chip, ChipSettings } from '../../agent/sensors/chip.ts';
import { createMpu6050, createMpu6500, createMpu9250 } from '../../agent/sensors/mpu6050.ts';
import { AppError } from '../../core/base/errors.ts';
import { chipOn, type ServedRegisters, serveRegisters } from '../fixtures/served-registers.ts';

const NOTHING = 0x00;
const OVERFLOW = 0x10;
const DATA_READY = 0x01;

function big(...numbers: readonly number[]): number[] {
  return numbers.flatMap((number) => [(number >> 8) & 0xff, number & 0xff]);
}

/** A configured MPU-6050 whose log is empty. */
async function running(
  changed: Partial<ChipSettings> = {},
  transactionUs = 0,
): Promise<{ chip: Chip; served: ServedRegisters }> {
  const served = serveRegisters(transactionUs);
  served.serve(0x3a, [NOTHING]);
  const chip = chipOn(createMpu6050, served, changed);
  await chip.configure();
  served.take();
  served.takeReads();
  return { chip, served };
}

const RESTART = ['6a = 00', '23 = 78', '6a = 04', '6a = 40'];

test('sets an MPU-6050 to 100 Hz, ± 4 g and ± 500 °/s', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [NOTHING]);
  await chipOn(createMpu6050, served).configure();
  assert.deepEqual(served.take(), [
    '6b = 80',
    'pause 100 ms',
    '6b = 01',
    'pause 80 ms',
    '19 = 09 03 08 08', // 1 kHz / 10; 44 Hz; FS_SEL 1; AFS_SEL 1
    '37 = 20',
    '38 = 10',
    ...RESTART,
  ]);
  assert.deepEqual(served.takeReads(), ['3a × 1']);
});

test('gives an MPU-6500 its second filter register', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [NOTHING]);
  await chipOn(createMpu6500, served, { rateHz: 1000, accRangeG: 16, gyrRangeDps: 2000, dataReady: true }).configure();
  const written = served.take();
  assert.ok(written.includes('19 = 00 01 18 18 01'), written.join());
  assert.ok(written.includes('38 = 11'), written.join());
});

test('goes by the die that answers and not by the name in the settings', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [NOTHING]);
  served.serve(0x75, [0x70]);
  const chip = chipOn(createMpu6050, served);
  assert.equal(chip.fifoSeconds, 0.85); // 85 frames of 12 bytes in 1024
  assert.deepEqual(await chip.identify(), {
    whoAmI: 0x70,
    part: 'MPU-6500',
    warning: 'configured as MPU-6050, answers as MPU-6500 (0x70)',
  });
  assert.equal(chip.fifoSeconds, 0.42); // 42 in 512
  await chip.configure();
  assert.ok(served.take().includes('19 = 09 03 08 08 03'));
  served.serve(0x41, big(0));
  assert.equal(await chip.temperature(), 21);
});

test('knows its relatives and warns of clones', async () => {
  const served = serveRegisters();
  const identify = async (create: typeof createMpu6050, whoAmI: number) => {
    served.serve(0x75, [whoAmI]);
    return await chipOn(create, served).identify();
  };
  assert.deepEqual(await identify(createMpu6050, 0x68), { whoAmI: 0x68, part: 'MPU-6050' });
  assert.deepEqual(await identify(createMpu6500, 0x70), { whoAmI: 0x70, part: 'MPU-6500' });
  assert.deepEqual(await identify(createMpu9250, 0x71), { whoAmI: 0x71, part: 'MPU-9250' });
  assert.equal((await identify(createMpu9250, 0x73)).part, 'MPU-9255');
  assert.match((await identify(createMpu6050, 0x98)).warning ?? '', /clones.*sensors\.fifo = false/);
  await assert.rejects(identify(createMpu6050, 0xea), (error: AppError) => error.code === 'chip-unknown');
});

test('takes the nearest rate, the filter below half of it, and says the true one', async () => {
  for (const [askedHz, trueHz, divider, filter] of [
    [50, 50, 0x13, 0x04],
    [60, 1000 / 17, 0x10, 0x04],
    [104, 100, 0x09, 0x03],
    [700, 500, 0x01, 0x01],
    [1000, 1000, 0x00, 0x01],
    [3.9, 1000 / 256, 0xff, 0x06],
  ] as const) {
    const served = serveRegisters();
    served.serve(0x3a, [NOTHING]);
    const chip = chipOn(createMpu6050, served, { rateHz: askedHz });
    assert.deepEqual(
      chip.modalities.map(({ sampleRateHz }) => sampleRateHz),
      [trueHz, trueHz],
    );
    await chip.configure();
    const hex = (value: number) => value.toString(16).padStart(2, '0');
    assert.ok(served.take().includes(`19 = ${hex(divider)} ${hex(filter)} 08 08`), `${askedHz} Hz`);
  }
  for (const rateHz of [1, 2000]) {
    assert.throws(
      () => chipOn(createMpu6050, serveRegisters(), { rateHz }),
      (error: AppError) => error.code === 'config-invalid' && /3\.91 to 1000/.test(error.hint ?? ''),
    );
  }
});

test('reads whole frames in physical units and leaves the rest of one in the FIFO', async () => {
  const { chip, served } = await running();
  served.serve(0x72, big(12 + 12 + 5));
  const frames = [...big(8192, -8192, 4096, 655, -655, 131), ...big(1, 2, 3, 4, 5, 6)];
  served.serve(0x74, frames);
  const { values, overflowed } = await chip.read();
  const [acc = [], gyr = []] = values;
  assert.deepEqual(served.takeReads(), ['3a × 1', '72 × 2', '74 × 24']);
  assert.equal(overflowed, false);
  assert.deepEqual(acc.slice(0, 3), Float32Array.of(9.80665, -9.80665, 4.903325));
  assert.deepEqual(gyr.slice(0, 3), Float32Array.of(Math.PI / 18, -Math.PI / 18, Math.PI / 90)); // 10, −10, 2 °/s
  assert.equal(acc.length, 6);
  assert.deepEqual(
    acc.slice(3),
    Float32Array.from([1, 2, 3], (code) => (code / 8192) * 9.80665),
  );
  assert.deepEqual(
    gyr.slice(3),
    Float32Array.from([4, 5, 6], (code) => ((code / 65.5) * Math.PI) / 180),
  );
});

test('knows when the level was read, to the middle of the transaction', async () => {
  const { chip, served } = await running({}, 400);
  served.serve(0x72, big(0));
  const beforeUs = served.nowUs();
  assert.equal((await chip.read()).knownUs, beforeUs + 400 + 200);
});

test('empties the FIFO after an overflow and hands on none of it', async () => {
  const { chip, served } = await running();
  served.serve(0x3a, [OVERFLOW], [NOTHING]);
  const { values, overflowed } = await chip.read();
  assert.equal(overflowed, true);
  assert.deepEqual(
    values.map(({ length }) => length),
    [0, 0],
  );
  assert.deepEqual(served.take(), RESTART);
  assert.deepEqual(served.takeReads(), ['3a × 1', '3a × 1']); // the second clears the flag after the restart
  served.serve(0x72, big(12));
  served.serve(0x74, big(8192, 0, 0, 0, 0, 0));
  const next = await chip.read();
  assert.equal(next.overflowed, false);
  assert.equal(next.values[0]?.[0], Math.fround(9.80665));
});

test('takes a full FIFO for an overflow even when the flag does not say so', async () => {
  const { chip, served } = await running();
  served.serve(0x72, big(1024));
  assert.equal((await chip.read()).overflowed, true);
  assert.deepEqual(served.take(), RESTART);
});

test('knows that the FIFO of the MPU-6500 is full at half of that', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [NOTHING]);
  served.serve(0x72, big(512));
  assert.equal((await chipOn(createMpu6500, served).read()).overflowed, true);
});

test('throws away what it read while the FIFO overflowed', async () => {
  const { chip, served } = await running({ rateHz: 1000 }, 10_000); // a slow bus: ten samples a transaction
  served.serve(0x3a, [NOTHING], [OVERFLOW], [NOTHING]);
  served.serve(0x72, big(960));
  served.serve(0x74, new Array(960).fill(1));
  const { values, overflowed } = await chip.read();
  assert.equal(overflowed, true);
  assert.equal(values[0]?.length, 0);
});

test('keeps what it read when the flag says that the FIFO did not overflow, though there was time for it', async () => {
  const { chip, served } = await running({ rateHz: 1000 }, 10_000);
  served.serve(0x72, big(960));
  served.serve(0x74, new Array(960).fill(1));
  const { values, overflowed } = await chip.read();
  assert.equal(overflowed, false);
  assert.equal(values[0]?.length, 80 * 3);
  assert.deepEqual(served.takeReads(), ['3a × 1', '72 × 2', '74 × 960', '3a × 1']);
});

test('asks for the flag again when one more sample could not fit beside one that is half written', async () => {
  for (const [bytes, asks] of [
    [83 * 12 + 11, 0],
    [84 * 12 + 11, 1],
  ] as const) {
    const { chip, served } = await running();
    served.serve(0x72, big(bytes));
    served.serve(0x74, new Array(bytes - 11).fill(1));
    await chip.read();
    assert.deepEqual(served.takeReads().slice(3), new Array(asks).fill('3a × 1'), `${bytes} bytes`);
  }
});

test('does not ask for the flag again when the FIFO cannot have filled', async () => {
  const { chip, served } = await running({ rateHz: 1000 }, 400);
  served.serve(0x72, big(480));
  served.serve(0x74, new Array(480).fill(1));
  await chip.read();
  assert.deepEqual(served.takeReads(), ['3a × 1', '72 × 2', '74 × 480']);
});

test('starts anew after a read of the FIFO that failed on the way', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [NOTHING]);
  let fails = false;
  const bus = {
    ...served.bus,
    async read(address: number, register: number, length: number) {
      if (fails && register === 0x74) throw new AppError('bus-no-answer', 'lost in the middle');
      return await served.bus.read(address, register, length);
    },
  };
  const chip = chipOn(createMpu6050, { ...served, bus });
  await chip.configure();
  served.serve(0x72, big(24));
  fails = true;
  await assert.rejects(chip.read(), (error: AppError) => error.code === 'bus-no-answer');
  fails = false;
  served.take();
  assert.equal((await chip.read()).overflowed, true);
  assert.deepEqual(served.take(), RESTART);
  served.serve(0x74, new Array(24).fill(1));
  assert.equal((await chip.read()).overflowed, false);
});

test('without a FIFO reads status and sample at once, and each sample once', async () => {
  const { chip, served } = await running({ fifo: false });
  const data = big(8192, 0, -8192, 0, 655, 0, -655);
  served.serve(0x3a, [DATA_READY, ...data], [NOTHING, ...data]);
  const { values } = await chip.read();
  assert.deepEqual(served.takeReads(), ['3a × 15']);
  assert.deepEqual(values[0], Float32Array.of(9.80665, 0, -9.80665));
  assert.deepEqual(values[1], Float32Array.of(Math.PI / 18, 0, -Math.PI / 18));
  const again = await chip.read();
  assert.equal(again.values[0]?.length, 0);
  assert.equal(again.values[1]?.length, 0);
  assert.equal(chip.fifoSeconds, 0);
});

test('without a FIFO enables the flag of new data and leaves the FIFO off', async () => {
  const served = serveRegisters();
  served.serve(0x3a, [DATA_READY]);
  await chipOn(createMpu6050, served, { fifo: false }).configure();
  assert.deepEqual(served.takeReads(), ['3a × 1']); // drops what was measured before
  assert.deepEqual(served.take().slice(-2), ['37 = 20', '38 = 01']);
});

test('notices that a reset has taken its settings', async () => {
  const { chip, served } = await running();
  served.serve(0x19, [0x09, 0x03, 0x08, 0x08]);
  assert.equal(await chip.isConfigured(), true);
  served.serve(0x19, [0, 0, 0, 0]);
  assert.equal(await chip.isConfigured(), false);
  served.serve(0x19, [0x09, 0x03, 0x08, 0x00]); // another range would change the meaning of every value
  assert.equal(await chip.isConfigured(), false);
});

test('reads the temperature, sleeps, and says what saturates', async () => {
  const { chip, served } = await running({ gyrRangeDps: 125 });
  served.serve(0x41, big(-3920)); // −3920 / 340 + 36.53
  assert.equal(await chip.temperature(), 25.000588235294117);
  await chip.sleep();
  assert.deepEqual(served.take(), ['6b = 40']);
  const [acc, gyr] = chip.modalities;
  assert.equal(acc?.fullScale, Math.fround((32_767 / 8192) * 9.80665));
  assert.equal(gyr?.fullScale, Math.fround((250 * Math.PI) / 180)); // the smallest range that covers 125
});

/** Serves data registers: outputs with the test off, then on. */
function serveSelfTest(served: ServedRegisters, off: readonly number[], on: readonly number[]): void {
  const reads = 2 * 41; // means of 40 and one thrown away, of either sensor
  const sample = ([x = 0, y = 0, z = 0, gx = 0, gy = 0, gz = 0]: readonly number[]) => big(x, y, z, 0, gx, gy, gz);
  served.serve(0x3b, ...new Array(reads).fill(sample(off)), ...new Array(reads).fill(sample(on)));
}

test('compares the MPU-6050 with its factory trim', async () => {
  const served = serveRegisters();
  const chip = chipOn(createMpu6050, served);
  // Codes 16 of all axes: FT = 1392.64 · 2.70588^0.5 = 2290.81 LSB at ± 8 g; ± 3275 · 1.046^15 = 6429.96 LSB at ± 250 °/s, y the other way
  served.serve(0x0d, [0x90, 0x90, 0x90, 0x00]);
  serveSelfTest(served, [0, 0, 4096, 10, 10, 10], [2291, 2520, 4096 + 2291, 6440, -6420, 6440]);
  const passed = await chip.selfTest();
  assert.deepEqual(
    served.take().filter((line) => line.startsWith('1')),
    ['19 = 04 02 00 10', '1b = e0 f0', '1b = 00 10'],
  );
  assert.equal(passed?.passed, true);
  assert.deepEqual(
    passed?.axes.map(({ axis, value }) => [axis, value.toFixed(3)]),
    [
      ['acc.x', '0.000'],
      ['acc.y', '0.100'],
      ['acc.z', '0.000'],
      ['gyr.x', '0.000'],
      ['gyr.y', '0.000'],
      ['gyr.z', '0.000'],
    ],
  );
  assert.deepEqual([passed?.axes[0]?.least, passed?.axes[0]?.most], [-0.14, 0.14]);
  serveSelfTest(served, [0, 0, 4096, 10, 10, 10], [2291, 2650, 4096 + 2291, 6440, -6420, 6440]); // y 16 % too much
  assert.equal((await chip.selfTest())?.passed, false);
  served.serve(0x0d, [0x90, 0x90, 0x80, 0x00]); // no trim of gyroscope z: a clone
  serveSelfTest(served, [0, 0, 4096, 10, 10, 10], [2291, 2291, 4096 + 2291, 6440, -6420, 6440]);
  assert.equal(await chip.selfTest(), null);
});

test('splits the accelerometer codes of the MPU-6050 over two registers', async () => {
  const served = serveRegisters();
  const chip = chipOn(createMpu6050, served);
  // XA = 0b00101 = 5, YA = 0b01010 = 10, ZA = 0b10011 = 19: three bits in X, Y, Z and two in A
  served.serve(0x0d, [0x21, 0x41, 0x81, 0b01_10_11]);
  const trims = [5, 10, 19].map((code) => 1392.64 * (0.92 / 0.34) ** ((code - 1) / 30));
  serveSelfTest(served, [0, 0, 0, 0, 0, 0], [...trims.map(Math.round), 3275, -3275, 3275]);
  const result = await chip.selfTest();
  assert.ok(result?.axes.every(({ value }) => Math.abs(value) < 0.001));
});

test('holds the MPU-6500 to half of its trim, or to absolute limits when it has none', async () => {
  const served = serveRegisters();
  const chip = chipOn(createMpu6500, served);
  served.serve(0x0d, [101, 101, 101]); // 2620 · 1.01^100 = 7086.6
  served.serve(0x00, [1, 1, 1]); // 2620
  serveSelfTest(served, [0, 0, 16_384, 0, 0, 0], [7087, 3600, 16_384 + 10_600, 2620, 1400, 9000]);
  const passed = await chip.selfTest();
  assert.deepEqual(
    served.take().filter((line) => line.startsWith('1')),
    ['19 = 04 02 00 00 02', '1b = e0 e0', '1b = 00 00'],
  );
  assert.equal(passed?.passed, true);
  assert.deepEqual(
    passed?.axes.map(({ value }) => value.toFixed(2)),
    ['1.00', '0.51', '1.50', '1.00', '0.53', '3.44'],
  );
  serveSelfTest(served, [0, 0, 16_384, 0, 0, 0], [7087, 3500, 16_384 + 7087, 2620, 1400, 2620]); // acc.y 0.49
  assert.equal((await chip.selfTest())?.passed, false);
  served.serve(0x0d, [0, 101, 101]);
  served.serve(0x00, [0, 0, 0]);
  serveSelfTest(served, [0, 0, 0, 0, 0, 0], [8192, 4096, 8192, 8000, 8000, 8000]); // 0.5, 0.25, 0.5 g; 61 °/s
  const untrimmed = await chip.selfTest();
  assert.equal(untrimmed?.passed, true);
  assert.equal(untrimmed?.axes[1]?.value, 0.25);
  assert.deepEqual([untrimmed?.axes[1]?.least, untrimmed?.axes[1]?.most], [0.225, 0.675]);
  serveSelfTest(served, [0, 0, 0, 0, 0, 0], [8192, 4096, 8192, 8000, 8000, 7000]); // 53 °/s
  assert.equal((await chip.selfTest())?.passed, false);
});
