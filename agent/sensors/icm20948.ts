/**
 * InvenSense ICM-20948: accelerometer and gyroscope, and an AK09916 magnetometer behind it (`ak09916.ts`). All three come through one
 * FIFO, a frame a sample: 12 bytes of motion and, when the magnetometer answers, 9 of it.
 * Registers lie in four banks; invariant: bank 0 is selected whenever no method runs, so that reading samples takes no more transactions.
 * Source: DS-000189 rev. 1.3, under the registers' names below.
 */
import { type AuxiliaryBus, decodeMag, MAG_BYTES, magModality, startMag } from './ak09916.ts';
import type { Burst, Chip, ChipFactory, ChipParts, Identity, SelfTest } from './chip.ts';
import { accelerometerAxes, gyroscopeAxes, type RateRow, rangeFor } from './chip-tables.ts';
import type { AccGyr } from './gyr-acc-frame.ts';
import { ACC_RANGES, type ByteFifo, dividedRate, filterFor, framesOf, GYR_RANGES } from './invensense.ts';
import { judgeMpu6500 } from './invensense-self-test.ts';
import { decodeFrames, int16, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader } from './sample-fifo.ts';
import { meanAxes } from './self-test.ts';
import { identifyPart, type KnownPart } from './who-am-i.ts';

// Bank 0
const WHO_AM_I = 0x00;
const USER_CTRL = 0x03;
const LP_CONFIG = 0x05;
const PWR_MGMT_1 = 0x06;
const INT_PIN_CFG = 0x0f;
const INT_ENABLE_1 = 0x11;
const INT_ENABLE_2 = 0x12;
const I2C_MST_STATUS = 0x17;
const INT_STATUS = 0x19; // _1 with data ready and _2 with overflow follow
const ACCEL_XOUT_H = 0x2d; // gyroscope, temperature and what the master has read follow
const TEMP_OUT = 0x39;
const EXT_SLV_SENS_DATA = 0x3b;
const FIFO_EN_1 = 0x66; // FIFO_EN_2 follows
const FIFO_RST = 0x68;
const FIFO_MODE = 0x69;
const FIFO_COUNT = 0x70;
const FIFO_R_W = 0x72;
const REG_BANK_SEL = 0x7f;
// Bank 1
const SELF_TEST_GYRO = 0x02;
const SELF_TEST_ACCEL = 0x0e;
// Bank 2
const GYRO_SMPLRT_DIV = 0x00; // GYRO_CONFIG_1, GYRO_CONFIG_2 follow
const GYRO_CONFIG_2 = 0x02;
const ODR_ALIGN_EN = 0x09;
const ACCEL_SMPLRT_DIV_1 = 0x10; // low byte follows
const ACCEL_CONFIG = 0x14; // ACCEL_CONFIG_2 follows
const ACCEL_CONFIG_2 = 0x15;

const I2C_MST_EN = 0x20;
const I2C_MST_RST = 0x02;
const MAG_ATTEMPTS = 10;
const FIFO_ON = 0x40;
/** Best clock that there is, awake. */
const AWAKE = 0x01;
const FILTER_ON = 0x01;
/** Latched until INT_STATUS is read: shorter pulses than a process wakes up for are lost. */
const LATCH_INT = 0x20;
const DATA_RDY = 0x01;
const ALL_FIFOS = 0x1f;
const INTERNAL_HZ = 1125;
const FIFO_BYTES = 512;
const MOTION_BYTES = 12;
/** −3 dB of filters 1, 2, … (table under ACCEL_CONFIG; the gyroscope's under GYRO_CONFIG_1). */
const ACC_BANDWIDTHS_HZ = [246, 111.4, 50.4, 23.9, 11.5, 5.7];
/** Of filters 0, 1, … */
const GYR_BANDWIDTHS_HZ = [196.6, 151.8, 119.5, 51.2, 23.9, 11.6, 5.7];
/** From INT_STATUS to the end of the magnetometer's data, for reading without the FIFO. */
const NEWEST_BYTES = EXT_SLV_SENS_DATA + MAG_BYTES - INT_STATUS;

const PARTS: Readonly<Record<number, KnownPart>> = { 234: { part: 'ICM-20948' } };

export const createIcm20948: ChipFactory = (parts) => {
  const { bus, settings, nowUs } = parts;
  const rate = dividedRate('ICM-20948', INTERNAL_HZ, settings.rateHz);
  const accRange = rangeFor(ACC_RANGES, settings.accRangeG);
  const gyrRange = rangeFor(GYR_RANGES, settings.gyrRangeDps);
  const acc = accelerometerAxes(rate.hz, accRange);
  const gyr = gyroscopeAxes(rate.hz, gyrRange);
  let hasMag = false;
  const decode = (bytes: Uint8Array) => decodeRecords(bytes, { acc, gyr }, hasMag);
  const readNewest = createNewestReader(parts, () => hasMag, decode);
  const fifo = createSampleReader(
    framesOf(
      createFifo(parts, rate.hz, () => hasMag, decode),
      nowUs,
    ),
    3,
    nowUs,
  );

  return {
    name: 'icm20948',
    modalities: [acc.modality, gyr.modality, magModality(rate.hz)],
    fifoSeconds: settings.fifo ? Math.floor(FIFO_BYTES / (MOTION_BYTES + MAG_BYTES)) / rate.hz : 0,
    identify: async () => await identify(parts),
    async configure() {
      await wake(parts);
      hasMag = await connectMag(parts);
      await setRatesAndRanges(parts, rate, { acc: accRange.code, gyr: gyrRange.code });
      await writeRegisters(parts, [
        [INT_PIN_CFG, LATCH_INT],
        [INT_ENABLE_1, settings.dataReady || !settings.fifo ? DATA_RDY : 0],
        [INT_ENABLE_2, settings.fifo ? ALL_FIFOS : 0],
      ]);
      if (settings.fifo) await fifo.restart();
      else await bus.read(settings.address, INT_STATUS, 3); // the sample that waits was measured before these settings
    },
    read: () => (settings.fifo ? fifo.read() : readNewest()),
    /** After a reset it sleeps, and its master is off. */
    async isConfigured() {
      const found = await bus.read(settings.address, USER_CTRL, 4);
      return found[0] === (I2C_MST_EN | (settings.fifo ? FIFO_ON : 0)) && found[PWR_MGMT_1 - USER_CTRL] === AWAKE;
    },
    /** TEMP_OUT and its sensitivity: 333.87 LSB per °C, 0 at 21 °C. */
    async temperature() {
      return int16(await bus.read(settings.address, TEMP_OUT, 2), 0, 'big') / 333.87 + 21;
    },
    selfTest: async () => await runSelfTest(parts),
    sleep: async () => await bus.write(settings.address, PWR_MGMT_1, [0x41]),
  } satisfies Chip;
};

/** A process that was killed can have left another bank selected; then WHO_AM_I is another register. */
async function identify(parts: ChipParts): Promise<Identity> {
  const { bus, settings } = parts;
  const [first = 0] = await bus.read(settings.address, WHO_AM_I, 1);
  if (PARTS[first] === undefined) await selectBank(parts, 0);
  const [whoAmI = 0] = await bus.read(settings.address, WHO_AM_I, 1);
  return identifyPart(whoAmI, 'ICM-20948', PARTS);
}

async function wake(parts: ChipParts): Promise<void> {
  await selectBank(parts, 0);
  await writeRegisters(parts, [[PWR_MGMT_1, 0x80]]);
  await parts.sleep(100); // registers can be read and written 100 ms after power-up
  await writeRegisters(parts, [
    [PWR_MGMT_1, AWAKE],
    [LP_CONFIG, 0x00], // no duty cycle: the master reads at each sample
  ]);
  await parts.sleep(70); // gyroscope's start-up: 35 ms typical; twice that to be sure
}

/**
 * The chip's reset does not reach the magnetometer: one that was in the middle of a transfer then does not answer until resets of the
 * master have clocked it free. SparkFun's ICM-20948 library, which found that out, tries as often. @returns false when none answers
 */
async function connectMag(parts: ChipParts): Promise<boolean> {
  await writeRegisters(parts, [[USER_CTRL, I2C_MST_EN]]);
  for (let attempt = 1; attempt <= MAG_ATTEMPTS; attempt++) {
    if (await startMag(auxiliaryBus(parts))) return true;
    await writeRegisters(parts, [[USER_CTRL, I2C_MST_EN | I2C_MST_RST]]);
    await parts.sleep(10);
  }
  return false;
}

/** @param ranges fields FS_SEL */
async function setRatesAndRanges(parts: ChipParts, rate: RateRow, ranges: { acc: number; gyr: number }): Promise<void> {
  const { bus, settings } = parts;
  const gyr = (filterFor(rate.hz, GYR_BANDWIDTHS_HZ, 0) << 3) | (ranges.gyr << 1) | FILTER_ON;
  const acc = (filterFor(rate.hz, ACC_BANDWIDTHS_HZ, 1) << 3) | (ranges.acc << 1) | FILTER_ON;
  await inBank(parts, 2, async () => {
    await bus.write(settings.address, ODR_ALIGN_EN, [0x01]);
    await bus.write(settings.address, GYRO_SMPLRT_DIV, [rate.code, gyr]);
    await bus.write(settings.address, ACCEL_SMPLRT_DIV_1, [0, rate.code]);
    await bus.write(settings.address, ACCEL_CONFIG, [acc]);
  });
}

/** Motion, and the magnetometer's bytes after it when there is one. */
function recordBytes(hasMag: boolean): number {
  return MOTION_BYTES + (hasMag ? MAG_BYTES : 0);
}

function decodeRecords(bytes: Uint8Array, { acc, gyr }: AccGyr, hasMag: boolean): Burst['values'] {
  const field = { frameBytes: recordBytes(hasMag), channels: 3, endian: 'big' } as const;
  return [
    decodeFrames(bytes, { ...field, offset: 0, scale: acc.scale }),
    decodeFrames(bytes, { ...field, offset: 6, scale: gyr.scale }),
    hasMag ? decodeMag(bytes, field.frameBytes, MOTION_BYTES) : new Float32Array(0),
  ];
}

type Decode = (records: Uint8Array) => Burst['values'];

function createFifo(parts: ChipParts, perSecond: number, hasMag: () => boolean, decode: Decode): ByteFifo {
  const { bus, settings } = parts;
  return {
    frameBytes: () => recordBytes(hasMag()),
    sizeBytes: () => FIFO_BYTES,
    perSecond,
    hasOverflowed: async () => (((await bus.read(settings.address, INT_STATUS, 3))[2] ?? 0) & ALL_FIFOS) !== 0,
    count: () => readTimed(parts, FIFO_COUNT, 2),
    take: async (bytes) => decode(await bus.read(settings.address, FIFO_R_W, bytes)),
    async restart() {
      await writeRegisters(parts, [[USER_CTRL, I2C_MST_EN]]);
      await bus.write(settings.address, FIFO_EN_1, [hasMag() ? 0x01 : 0x00, 0x1e]); // slave 0; accelerometer and gyroscope
      await writeRegisters(parts, [
        [FIFO_RST, ALL_FIFOS],
        [FIFO_RST, 0x00],
        [FIFO_MODE, 0x00], // the newest are kept, as nobody knows which those are that were lost
        [USER_CTRL, I2C_MST_EN | FIFO_ON],
      ]);
      await bus.read(settings.address, INT_STATUS, 3);
    },
  };
}

/**
 * Without the FIFO: status, sample and the master's data in one transaction, during which the chip holds the data registers still.
 * The master is not in step with that flag, so a measurement that it repeats is known by being equal to the one before.
 */
function createNewestReader(parts: ChipParts, hasMag: () => boolean, decode: Decode): () => Promise<Burst> {
  let lastMag = '';
  return async () => {
    const { bytes, knownUs } = await readTimed(parts, INT_STATUS, NEWEST_BYTES);
    if (((bytes[1] ?? 0) & DATA_RDY) === 0) return { values: decode(new Uint8Array(0)), knownUs, overflowed: false };
    const motion = bytes.subarray(ACCEL_XOUT_H - INT_STATUS, TEMP_OUT - INT_STATUS);
    const mag = bytes.slice(EXT_SLV_SENS_DATA - INT_STATUS);
    const data = mag.subarray(1, 7).join();
    if (data === lastMag) mag[0] = 0;
    lastMag = data;
    const record = hasMag() ? Uint8Array.from([...motion, ...mag]) : motion;
    return { values: decode(record), knownUs, overflowed: false };
  };
}

async function runSelfTest(parts: ChipParts): Promise<SelfTest> {
  const { bus, settings, sleep } = parts;
  await wake(parts);
  // 225 Hz, ± 250 °/s and ± 2 g, about 115 Hz wide; then the test on all axes
  await inBank(parts, 2, async () => {
    await bus.write(settings.address, GYRO_SMPLRT_DIV, [4, 0x11, 0x00]);
    await bus.write(settings.address, ACCEL_SMPLRT_DIV_1, [0, 4]);
    await bus.write(settings.address, ACCEL_CONFIG, [0x11, 0x00]);
  });
  const off = await outputs();
  await inBank(parts, 2, async () =>
    writeRegisters(parts, [
      [GYRO_CONFIG_2, 0x38],
      [ACCEL_CONFIG_2, 0x1c],
    ]),
  );
  const on = await outputs();
  const codes = await inBank(parts, 1, async () => ({
    gyr: await bus.read(settings.address, SELF_TEST_GYRO, 3),
    acc: await bus.read(settings.address, SELF_TEST_ACCEL, 3),
  }));
  const change = (axes: 'acc' | 'gyr') => on[axes].map((value, axis) => value - (off[axes][axis] ?? Number.NaN));
  return judgeMpu6500(codes, { acc: change('acc'), gyr: change('gyr') });

  async function outputs(): Promise<{ acc: readonly number[]; gyr: readonly number[] }> {
    await sleep(100);
    const field = { frameBytes: MOTION_BYTES, channels: 3, endian: 'big', scale: 1 } as const;
    const axes = (offset: number) => async () =>
      decodeFrames(await bus.read(settings.address, ACCEL_XOUT_H, MOTION_BYTES), { ...field, offset });
    const pace = { count: 40, periodMs: 5, sleep };
    return { acc: await meanAxes(axes(0), pace), gyr: await meanAxes(axes(6), pace) };
  }
}

async function selectBank({ bus, settings }: ChipParts, bank: 0 | 1 | 2 | 3): Promise<void> {
  await bus.write(settings.address, REG_BANK_SEL, [bank << 4]);
}

async function inBank<T>(parts: ChipParts, bank: 1 | 2 | 3, work: () => Promise<T>): Promise<T> {
  await selectBank(parts, bank);
  const result = await work();
  await selectBank(parts, 0);
  return result;
}

function auxiliaryBus(parts: ChipParts): AuxiliaryBus {
  const { bus, settings, sleep } = parts;
  return {
    write: async (register, bytes) => await inBank(parts, 3, () => bus.write(settings.address, register, bytes)),
    read: async (register, length) => await inBank(parts, 3, () => bus.read(settings.address, register, length)),
    status: async () => (await bus.read(settings.address, I2C_MST_STATUS, 1))[0] ?? 0,
    sleep,
  };
}
