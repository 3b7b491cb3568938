/**
 * BMI160 (and BMX160, which adds a magnetometer that is not read). Its FIFO is used with frame headers: a frame says what is in it, one
 * that does not fit is not stored in part, and after an overflow the chip itself puts a skip frame in front, which no other mode has.
 * Accelerometer and gyroscope run on one clock and share each frame.
 * Source: BST-BMI160-DS000 rev. 0.8 (§2.5 FIFO, §2.6 interrupts, self-test, §2.11 registers).
 */
import type { Burst, Chip, ChipParts, SelfTest } from './chip.ts';
import { accelerometerAxes, gyroscopeAxes, nearestRate, rangeFor, watermarkSamples } from './chip-tables.ts';
import { type AccGyr, decodeAxes, readNewest } from './gyr-acc-frame.ts';
import { GRAVITY_MPS2, int16, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader, type SampleFifo } from './sample-fifo.ts';
import { judged, responses } from './self-test.ts';
import { identifyPart } from './who-am-i.ts';

const CHIP_ID = 0x00;
const PMU_STATUS = 0x03;
const DATA_GYR = 0x0c;
const DATA_ACC = 0x12;
const STATUS = 0x1b;
const TEMPERATURE = 0x20;
const FIFO_LENGTH = 0x22;
const FIFO_DATA = 0x24;
const ACC_CONF = 0x40;
const ACC_RANGE = 0x41;
const GYR_CONF = 0x42;
const GYR_RANGE = 0x43;
const FIFO_DOWNS = 0x45;
const FIFO_CONFIG_0 = 0x46;
const FIFO_CONFIG_1 = 0x47;
const INT_EN_1 = 0x51;
const INT_OUT_CTRL = 0x53;
const INT_LATCH = 0x54;
const INT_MAP_1 = 0x56;
const SELF_TEST = 0x6d;
const CMD = 0x7e;

const KNOWN = { 209: { part: 'BMI160' }, 216: { part: 'BMX160' } }; // 0xD1, 0xD8
const COMMAND = {
  accNormal: 0x11,
  accSuspend: 0x10,
  gyrNormal: 0x15,
  gyrSuspend: 0x14,
  fifoFlush: 0xb0,
  softReset: 0xb6,
} as const;
/** PMU_STATUS with accelerometer and gyroscope in normal mode, and the bits that say so. */
const BOTH_NORMAL = 0x14;
const PMU_MASK = 0x3c;
/** Pauses, ms: after a reset, between writes while suspended (450 µs), and for the two power modes (start-up times: 3.8 and 80 ms). */
const PAUSE_MS = { reset: 10, suspendedWrite: 1, accNormal: 5, gyrNormal: 81 } as const;

/** acc_odr and gyr_odr that both can have; below, the gyroscope cannot. */
const RATES = [25, 50, 100, 200, 400, 800, 1600].map((hz, i) => ({ hz, code: 0x06 + i }));
/** acc_bwp and gyr_bwp "normal": corners below half of the rate. */
const NORMAL_FILTER = 0x20;
const ACC_RANGES = [
  { full: 2, code: 0x03, perLsb: 1 / 16_384 },
  { full: 4, code: 0x05, perLsb: 1 / 8192 },
  { full: 8, code: 0x08, perLsb: 1 / 4096 },
  { full: 16, code: 0x0c, perLsb: 1 / 2048 },
] as const;
const GYR_RANGES = [
  { full: 125, code: 0x04, perLsb: 1 / 262.4 },
  { full: 250, code: 0x03, perLsb: 1 / 131.2 },
  { full: 500, code: 0x02, perLsb: 1 / 65.6 },
  { full: 1000, code: 0x01, perLsb: 1 / 32.8 },
  { full: 2000, code: 0x00, perLsb: 1 / 16.4 },
] as const;

const FIFO_BYTES = 1024;
const FRAME_BYTES = 13;
/** FIFO_CONFIG_1: gyroscope, accelerometer, header. FIFO_DOWNS: filtered data, not decimated. */
const GYR_ACC_HEADER = 0xd0;
const FILTERED = 0x88;
/** INT_EN_1 and INT_MAP_1 (int1) have these at the same place but for data ready. */
const WATERMARK = 0x40;

/** Makes a driver of the BMI160. @throws AppError `config-invalid` */
export function createBmi160(parts: ChipParts): Chip {
  const { bus, settings } = parts;
  const rate = nearestRate('BMI160', RATES, settings.rateHz);
  const accRange = rangeFor(ACC_RANGES, settings.accRangeG);
  const gyrRange = rangeFor(GYR_RANGES, settings.gyrRangeDps);
  const both = { acc: accelerometerAxes(rate.hz, accRange), gyr: gyroscopeAxes(rate.hz, gyrRange) };
  const fifo = createSampleReader(createFifo(parts, both), 2, parts.nowUs);
  const fifoSamples = Math.floor(FIFO_BYTES / FRAME_BYTES);

  return {
    name: 'bmi160',
    modalities: [both.acc.modality, both.gyr.modality],
    fifoSeconds: settings.fifo ? fifoSamples / rate.hz : 0,
    async identify() {
      return identifyPart((await bus.read(settings.address, CHIP_ID, 1))[0] ?? 0, 'BMI160', KNOWN);
    },
    async configure() {
      await wake(parts, [
        [ACC_CONF, NORMAL_FILTER | rate.code],
        [ACC_RANGE, accRange.code],
        [GYR_CONF, NORMAL_FILTER | rate.code],
        [GYR_RANGE, gyrRange.code],
      ]);
      if (settings.dataReady) await signal(parts, settings.fifo ? watermarkSamples(rate.hz, fifoSamples) : null);
      if (!settings.fifo) return;
      await writeRegisters(parts, [
        [FIFO_DOWNS, FILTERED],
        [FIFO_CONFIG_1, GYR_ACC_HEADER],
      ]);
      await fifo.restart();
    },
    read: () => (settings.fifo ? fifo.read() : readOutputs(parts, both)),
    // A reset suspends both sensors; every other register of a chip that has them running is as configure left it.
    async isConfigured() {
      const [power = 0] = await bus.read(settings.address, PMU_STATUS, 1);
      return (power & PMU_MASK) === BOTH_NORMAL;
    },
    async temperature() {
      const code = int16(await bus.read(settings.address, TEMPERATURE, 2), 0, 'little');
      return code === -32_768 ? null : 23 + code / 512; // §2.11.8: 0x8000 is invalid
    },
    selfTest: () => selfTest(parts),
    sleep: () =>
      writeRegisters(parts, [
        [CMD, COMMAND.gyrSuspend],
        [CMD, COMMAND.accSuspend],
      ]),
  };
}

/**
 * Reset, settings, then both sensors in normal mode. In this order no sample of other settings is ever in the data registers. While the
 * sensors are suspended, writes need a pause between them.
 */
async function wake(
  parts: ChipParts,
  settings: readonly (readonly [register: number, value: number])[],
): Promise<void> {
  await writeRegisters(parts, [[CMD, COMMAND.softReset]]);
  await parts.sleep(PAUSE_MS.reset);
  for (const setting of settings) {
    await writeRegisters(parts, [setting]);
    await parts.sleep(PAUSE_MS.suspendedWrite);
  }
  await writeRegisters(parts, [[CMD, COMMAND.accNormal]]);
  await parts.sleep(PAUSE_MS.accNormal);
  await writeRegisters(parts, [[CMD, COMMAND.gyrNormal]]);
  await parts.sleep(PAUSE_MS.gyrNormal);
}

/**
 * INT1, push-pull, active high: at the watermark a level that holds while so much is in the FIFO; at new data latched, since unlatched it
 * clears itself (§2.6.10).
 */
async function signal(parts: ChipParts, watermark: number | null): Promise<void> {
  if (watermark === null) {
    await writeRegisters(parts, [
      [INT_LATCH, 0x0f],
      [INT_MAP_1, 0x80],
      [INT_OUT_CTRL, 0x0a],
      [INT_EN_1, 0x10],
    ]);
    return;
  }
  await writeRegisters(parts, [
    [FIFO_CONFIG_0, Math.floor((watermark * FRAME_BYTES) / 4)], // in units of 4 bytes, reached at or above
    [INT_MAP_1, WATERMARK],
    [INT_OUT_CTRL, 0x0a],
    [INT_EN_1, WATERMARK],
  ]);
}

async function readOutputs(parts: ChipParts, both: AccGyr): Promise<Burst> {
  // STATUS, INT_STATUS_0 and _1: the flags of new data, and the latched interrupt is released before the data are taken.
  const { bytes, knownUs } = await readTimed(parts, STATUS, 3);
  const status = bytes[0] ?? 0;
  const ready = { acc: (status & 0x80) !== 0, gyr: (status & 0x40) !== 0 };
  return { values: await readNewest(parts, DATA_GYR, ready, both), knownUs, overflowed: false };
}

/** Counted in bytes. A skip frame tells of an overflow whenever it happens, and the whole FIFO is one transaction. */
function createFifo(parts: ChipParts, both: AccGyr): SampleFifo {
  return {
    capacity: Number.POSITIVE_INFINITY,
    perSecond: FRAME_BYTES * both.acc.modality.sampleRateHz,
    mostPerTake: FIFO_BYTES,
    async level() {
      const { bytes, knownUs } = await readTimed(parts, FIFO_LENGTH, 2);
      const [low = 0, high = 0] = bytes;
      return { waiting: ((high & 0x07) << 8) | low, knownUs };
    },
    take: async (length) => framesOf(await parts.bus.read(parts.settings.address, FIFO_DATA, length), both),
    restart: () => writeRegisters(parts, [[CMD, COMMAND.fifoFlush]]),
  };
}

/**
 * FIFO bytes → accelerometer, gyroscope (§2.5.1: gyroscope first in a frame). A frame that is cut off at the end comes whole with
 * the next read. Null after an overflow (skip frame), or when a header is none.
 */
function framesOf(bytes: Uint8Array, { acc, gyr }: AccGyr): Burst['values'] | null {
  const ofAcc: number[] = [];
  const ofGyr: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    const header = (bytes[at] ?? 0) & 0xfc; // the two lowest bits tag interrupts
    if (header === 0x80) break; // read beyond the end
    const hasGyr = header === 0x88 || header === 0x8c;
    const hasAcc = header === 0x84 || header === 0x8c;
    const isConfigChange = header === 0x48;
    if (!hasGyr && !hasAcc && !isConfigChange) return null;
    const next = at + 1 + (hasGyr ? 6 : 0) + (hasAcc ? 6 : 0) + (isConfigChange ? 1 : 0);
    if (next > bytes.length) break;
    if (hasGyr) ofGyr.push(...bytes.subarray(at + 1, at + 7));
    if (hasAcc) ofAcc.push(...bytes.subarray(next - 6, next));
    at = next;
  }
  return [decodeAxes(Uint8Array.from(ofAcc), acc), decodeAxes(Uint8Array.from(ofGyr), gyr)];
}

/**
 * Accelerometer at ±8 g and 1600 Hz, force of high amplitude in one direction and then in the other, 50 ms each; the difference must be
 * 2 g or more (Bosch's BMI160_SensorAPI: 8192 LSB). The gyroscope tests itself and tells the outcome after 20 ms.
 */
async function selfTest(parts: ChipParts): Promise<SelfTest> {
  const { bus, settings, sleep } = parts;
  const acc = accelerometerAxes(1600, ACC_RANGES[2]);
  const output = async () => [...decodeAxes(await bus.read(settings.address, DATA_ACC, 6), acc)];
  await wake(parts, [
    [ACC_RANGE, ACC_RANGES[2].code],
    [ACC_CONF, 0x2c],
  ]);
  await writeRegisters(parts, [[SELF_TEST, 0x0d]]);
  await sleep(50);
  const positive = await output();
  await writeRegisters(parts, [[SELF_TEST, 0x09]]);
  await sleep(50);
  const negative = await output();
  await writeRegisters(parts, [[SELF_TEST, 0x10]]);
  await sleep(20);
  const isGyrWell = (((await bus.read(settings.address, STATUS, 1))[0] ?? 0) & 0x02) !== 0;
  await writeRegisters(parts, [[SELF_TEST, 0]]);
  const allowed = { least: 2 * GRAVITY_MPS2, most: 16 * GRAVITY_MPS2 };
  return judged([
    ...responses('acc', negative, positive, [allowed, allowed, allowed]),
    { axis: 'gyr', value: isGyrWell ? 1 : 0, least: 1, most: 1 },
  ]);
}
