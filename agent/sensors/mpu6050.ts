/**
 * InvenSense MPU-6050, MPU-6500 and MPU-9250 with their relatives and clones: accelerometer and gyroscope, one sample of both at a time.
 * The magnetometer of the MPU-9250 is left alone. What differs between the dies goes by what answers, not by what is configured:
 * boards sold as MPU-6050 often carry another.
 * Sources: register maps RM-MPU-6000A rev. 4.2 (MPU-6050), RM-MPU-6500A rev. 2.1 and RM-MPU-9250A rev. 1.6 under the registers' names
 * below, and PS-MPU-6000A rev. 3.4.
 */
import type { Burst, Chip, ChipFactory, ChipParts, SelfTest } from './chip.ts';
import { accelerometerAxes, gyroscopeAxes, rangeFor } from './chip-tables.ts';
import type { AccGyr } from './gyr-acc-frame.ts';
import { ACC_RANGES, type ByteFifo, dividedRate, filterFor, framesOf, GYR_RANGES } from './invensense.ts';
import { judgeMpu6050, judgeMpu6500, type Response } from './invensense-self-test.ts';
import { decodeFrames, int16, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader } from './sample-fifo.ts';
import { meanAxes } from './self-test.ts';
import { identifyPart, type KnownPart } from './who-am-i.ts';

const SELF_TEST_GYRO = 0x00; // MPU-6500 and later, three registers
const SELF_TEST = 0x0d; // MPU-6050: four registers; later ones: accelerometer, three
const SMPLRT_DIV = 0x19; // CONFIG, GYRO_CONFIG, ACCEL_CONFIG and, later than the MPU-6050, ACCEL_CONFIG2 follow
const FIFO_EN = 0x23;
const INT_PIN_CFG = 0x37;
const INT_ENABLE = 0x38;
const INT_STATUS = 0x3a; // the data registers follow: accelerometer, temperature, gyroscope
const TEMP_OUT = 0x41;
const USER_CTRL = 0x6a;
const PWR_MGMT_1 = 0x6b;
const FIFO_COUNT = 0x72;
const FIFO_R_W = 0x74;
const WHO_AM_I = 0x75;

const DATA_RDY = 0x01;
const FIFO_OFLOW = 0x10;
/** Latched until INT_STATUS is read: shorter pulses than a process wakes up for are lost. */
const LATCH_INT = 0x20;
const INTERNAL_HZ = 1000;
/** Gyroscope X's PLL as the clock, which PWR_MGMT_1 recommends: the internal oscillator is off by percents. */
const AWAKE = 0x01;
const FIFO_FRAME_BYTES = 12;
/** Temperature lies between the two sensors in the data registers, but not in the FIFO. */
const DATA_BYTES = 14;

interface Die {
  readonly fifoBytes: number;
  /** −3 dB of filters 1, 2, …: of both sensors where CONFIG sets both, of the wider sensor where there are two. */
  readonly bandwidthsHz: readonly number[];
  readonly hasAccelConfig2: boolean;
  readonly temperature: { readonly lsbPerC: number; readonly zeroC: number };
}

const MPU6050: Die = {
  fifoBytes: 1024,
  bandwidthsHz: [188, 98, 44, 21, 10, 5],
  hasAccelConfig2: false,
  temperature: { lsbPerC: 340, zeroC: 36.53 },
};
const MPU6500: Die = {
  fifoBytes: 512,
  bandwidthsHz: [218.1, 99, 44.8, 21.2, 10.2, 5.05],
  hasAccelConfig2: true,
  temperature: { lsbPerC: 333.87, zeroC: 21 },
};
/** DS-000143; the kernel's inv_mpu6050 has the same numbers. */
const ICM20689: Die = { ...MPU6500, temperature: { lsbPerC: 326.8, zeroC: 25 } };

/** Clones, and parts without a public register map. */
const CLONE = 'also a number of clones: set sensors.fifo = false if its samples are wrong';

const PARTS: Readonly<Record<number, KnownPart & { readonly die: Die }>> = {
  104: { part: 'MPU-6050', die: MPU6050 },
  112: { part: 'MPU-6500', die: MPU6500 },
  113: { part: 'MPU-9250', die: MPU6500 },
  114: { part: 'MPU-6052C', die: MPU6050, warning: CLONE },
  115: { part: 'MPU-9255', die: MPU6500 },
  116: { part: 'MPU-6515', die: MPU6500 },
  117: { part: 'MPU-6500 clone', die: MPU6500, warning: CLONE },
  152: { part: 'ICM-20689', die: ICM20689, warning: CLONE },
};

export const createMpu6050: ChipFactory = (parts) => createMpu(parts, 'mpu6050', 'MPU-6050', MPU6050);
export const createMpu6500: ChipFactory = (parts) => createMpu(parts, 'mpu6500', 'MPU-6500', MPU6500);
export const createMpu9250: ChipFactory = (parts) => createMpu(parts, 'mpu9250', 'MPU-9250', MPU6500);

function createMpu(parts: ChipParts, name: string, wanted: string, expected: Die): Chip {
  const { bus, settings, nowUs } = parts;
  const rate = dividedRate(wanted, INTERNAL_HZ, settings.rateHz);
  const accRange = rangeFor(ACC_RANGES, settings.accRangeG);
  const gyrRange = rangeFor(GYR_RANGES, settings.gyrRangeDps);
  const acc = accelerometerAxes(rate.hz, accRange);
  const gyr = gyroscopeAxes(rate.hz, gyrRange);
  let die = expected;

  /** From SMPLRT_DIV on. After a reset all of them are 0, and the filter's number never is. */
  function setup(): readonly number[] {
    const filter = filterFor(rate.hz, die.bandwidthsHz, 1);
    return [rate.code, filter, gyrRange.code << 3, accRange.code << 3, ...(die.hasAccelConfig2 ? [filter] : [])];
  }

  const fifo = createSampleReader(
    framesOf(
      createFifo(parts, { acc, gyr }, () => die),
      nowUs,
    ),
    2,
    nowUs,
  );

  return {
    name,
    modalities: [acc.modality, gyr.modality],
    get fifoSeconds() {
      return settings.fifo ? Math.floor(die.fifoBytes / FIFO_FRAME_BYTES) / rate.hz : 0;
    },
    async identify() {
      const [whoAmI = 0] = await bus.read(settings.address, WHO_AM_I, 1);
      const identity = identifyPart(whoAmI, wanted, PARTS);
      die = PARTS[whoAmI]?.die ?? expected;
      return identity;
    },
    async configure() {
      await wake(parts);
      await bus.write(settings.address, SMPLRT_DIV, setup());
      const signals = settings.dataReady || !settings.fifo ? DATA_RDY : 0;
      await writeRegisters(parts, [
        [INT_PIN_CFG, LATCH_INT],
        [INT_ENABLE, signals | (settings.fifo ? FIFO_OFLOW : 0)],
      ]);
      if (settings.fifo) await fifo.restart();
      else await bus.read(settings.address, INT_STATUS, 1); // the sample that waits was measured before these settings
    },
    read: () => (settings.fifo ? fifo.read() : readNewest(parts, { acc, gyr })),
    async isConfigured() {
      const wanted = setup();
      const found = await bus.read(settings.address, SMPLRT_DIV, wanted.length);
      return wanted.every((value, i) => found[i] === value);
    },
    async temperature() {
      const raw = int16(await bus.read(settings.address, TEMP_OUT, 2), 0, 'big');
      return raw / die.temperature.lsbPerC + die.temperature.zeroC;
    },
    selfTest: async () => await runSelfTest(parts, die),
    sleep: async () => await bus.write(settings.address, PWR_MGMT_1, [0x40]),
  };
}

function createFifo(parts: ChipParts, both: AccGyr, die: () => Die): ByteFifo {
  const { bus, settings } = parts;
  return {
    frameBytes: () => FIFO_FRAME_BYTES,
    sizeBytes: () => die().fifoBytes,
    perSecond: both.acc.modality.sampleRateHz,
    hasOverflowed: async () => hasBit(await bus.read(settings.address, INT_STATUS, 1), FIFO_OFLOW),
    count: () => readTimed(parts, FIFO_COUNT, 2),
    take: async (bytes) => decode(await bus.read(settings.address, FIFO_R_W, bytes), FIFO_FRAME_BYTES, both),
    async restart() {
      await writeRegisters(parts, [
        [USER_CTRL, 0x00], // FIFO_RESET works only while the FIFO is off
        [FIFO_EN, 0x78], // gyroscope X, Y, Z and accelerometer
        [USER_CTRL, 0x04],
        [USER_CTRL, 0x40],
      ]);
      await bus.read(settings.address, INT_STATUS, 1);
    },
  };
}

async function wake({ bus, settings, sleep }: ChipParts): Promise<void> {
  await bus.write(settings.address, PWR_MGMT_1, [0x80]);
  await sleep(100); // as the register map asks before other registers are written
  await bus.write(settings.address, PWR_MGMT_1, [AWAKE]);
  await sleep(80); // gyroscope's start-up: 30 ms typical, 35 ms of the MPU-6500; twice that to be sure
}

/** Status and sample in one transaction: the chip holds the data registers still during it, so the flag is this sample's. */
async function readNewest(parts: ChipParts, both: AccGyr): Promise<Burst> {
  const { bytes, knownUs } = await readTimed(parts, INT_STATUS, 1 + DATA_BYTES);
  const sample = bytes.subarray(hasBit(bytes, DATA_RDY) ? 1 : bytes.length);
  return { values: decode(sample, DATA_BYTES, both), knownUs, overflowed: false };
}

/** The gyroscope comes last, whether the temperature lies between or not. */
function decode(bytes: Uint8Array, frameBytes: number, { acc, gyr }: AccGyr): Burst['values'] {
  const field = { frameBytes, channels: 3, endian: 'big' } as const;
  return [
    decodeFrames(bytes, { ...field, offset: 0, scale: acc.scale }),
    decodeFrames(bytes, { ...field, offset: frameBytes - 6, scale: gyr.scale }),
  ];
}

async function runSelfTest(parts: ChipParts, die: Die): Promise<SelfTest | null> {
  const { bus, settings, sleep } = parts;
  await wake(parts);
  const accRange = die.hasAccelConfig2 ? 0x00 : 0x10; // ± 2 g, or ± 8 g of the MPU-6050
  await bus.write(settings.address, SMPLRT_DIV, [4, 2, 0x00, accRange, ...(die.hasAccelConfig2 ? [2] : [])]); // 200 Hz, about 95 Hz wide
  const off = await outputs();
  await bus.write(settings.address, SMPLRT_DIV + 2, [0xe0, 0xe0 | accRange]); // test on, all axes
  const on = await outputs();
  await bus.write(settings.address, SMPLRT_DIV + 2, [0x00, accRange]);
  const response: Response = { acc: difference(on.acc, off.acc), gyr: difference(on.gyr, off.gyr) };
  if (!die.hasAccelConfig2) return judgeMpu6050(await bus.read(settings.address, SELF_TEST, 4), response);
  const codes = {
    acc: await bus.read(settings.address, SELF_TEST, 3),
    gyr: await bus.read(settings.address, SELF_TEST_GYRO, 3),
  };
  return judgeMpu6500(codes, response);

  /** Means of both sensors, LSB, after the change of settings has died away. */
  async function outputs(): Promise<{ acc: readonly number[]; gyr: readonly number[] }> {
    await sleep(100);
    const axes = (offset: number) => async () =>
      decodeFrames(await bus.read(settings.address, INT_STATUS + 1, DATA_BYTES), {
        frameBytes: DATA_BYTES,
        offset,
        channels: 3,
        endian: 'big',
        scale: 1,
      });
    const pace = { count: 40, periodMs: 5, sleep };
    return { acc: await meanAxes(axes(0), pace), gyr: await meanAxes(axes(8), pace) };
  }
}

function difference(on: readonly number[], off: readonly number[]): readonly number[] {
  return on.map((value, axis) => value - (off[axis] ?? Number.NaN));
}

function hasBit(bytes: Uint8Array, bit: number): boolean {
  return ((bytes[0] ?? 0) & bit) !== 0;
}
