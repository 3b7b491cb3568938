/**
 * What ST's LSM6DS inertial sensors have in common, over two generations: control, status and output registers, rates, ranges, self-test.
 * How the FIFO stores samples differs and comes from `lsm6ds3.ts` and `lsm6dsox.ts`.
 * Block data update (BDU) is on: registers are not updated between reads of the halves of a number, so neither an output nor the FIFO's
 * level is torn.
 * Source: LSM6DS3 datasheet DocID026899 and application note AN4650, LSM6DS3TR-C DocID030071 and AN5130, LSM6DSOX DS12814 and AN5272.
 */
import type { Burst, Chip, ChipFactory, ChipParts, SelfTest } from './chip.ts';
import {
  accelerometerAxes,
  gyroscopeAxes,
  nearestRate,
  type RateRow,
  rangeFor,
  watermarkSamples,
} from './chip-tables.ts';
import { type AccGyr, decodeAxes, readNewest } from './gyr-acc-frame.ts';
import { GRAVITY_MPS2, int16, RADIANS_PER_DEGREE, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader, type SampleFifo } from './sample-fifo.ts';
import { judged, meanAxes, responses } from './self-test.ts';
import { identifyPart, type KnownPart } from './who-am-i.ts';

const INT1_CTRL = 0x0d;
const WHO_AM_I = 0x0f;
const CTRL1_XL = 0x10;
const CTRL2_G = 0x11;
const CTRL3_C = 0x12;
const CTRL5_C = 0x14;
const STATUS_REG = 0x1e;
const OUT_TEMP_L = 0x20;
const OUTX_L_G = 0x22;
const OUTX_L_XL = 0x28;

/** CTRL3_C: block data update, address counts up in a burst (IF_INC). */
const BDU_IF_INC = 0x44;
const SW_RESET = 0x01;
/** INT1_CTRL: FIFO threshold; data ready of gyroscope and accelerometer. All are levels that hold until the data are read. */
const INT1_FTH = 0x08;
const INT1_DRDY = 0x03;
/** STATUS_REG. */
const XLDA = 0x01;
const GDA = 0x02;

/**
 * ODR_XL of CTRL1_XL and ODR_G of CTRL2_G, in high-performance mode, in which the digital filters' corners lie at half the rate or
 * below. The LSM6DS3's gyroscope ends at 1666 Hz.
 */
const RATES = [12.5, 26, 52, 104, 208, 416, 833, 1666].map((hz, i) => ({ hz, code: i + 1 }));
/** FS_XL, and linear acceleration sensitivity ("Mechanical characteristics"). */
const ACC_RANGES = [
  { full: 2, code: 0x00, perLsb: 0.061e-3 },
  { full: 4, code: 0x08, perLsb: 0.122e-3 },
  { full: 8, code: 0x0c, perLsb: 0.244e-3 },
  { full: 16, code: 0x04, perLsb: 0.488e-3 },
] as const;
/** FS_G with FS_125, and angular rate sensitivity. */
const GYR_RANGES = [
  { full: 125, code: 0x02, perLsb: 4.375e-3 },
  { full: 250, code: 0x00, perLsb: 8.75e-3 },
  { full: 500, code: 0x04, perLsb: 17.5e-3 },
  { full: 1000, code: 0x08, perLsb: 35e-3 },
  { full: 2000, code: 0x0c, perLsb: 70e-3 },
] as const;

/** SW_RESET takes 50 µs; booting 20 ms, should the part just have got its power. */
const RESET_MS = 20;
/** The gyroscope's turn-on time is 80 ms at most; earlier samples are not stored. */
const TURN_ON_MS = 100;

export interface Lsm6dsPart extends KnownPart {
  /** 25 °C is 0. */
  readonly temperatureLsbPerC: number;
}

/** What one generation does its own way. */
export interface Lsm6dsFamily {
  readonly name: string;
  /** Part that a person means by the name. */
  readonly part: string;
  readonly known: Readonly<Record<number, Lsm6dsPart>>;
  /** Response of the accelerometer to its self-test, g. */
  readonly accSelfTestG: { readonly least: number; readonly most: number };
  /** Samples of both modalities that the FIFO holds. */
  readonly fifoSamples: number;
  /** Registers to be written while the FIFO is in bypass, so that it stores both modalities at the rate `code`. */
  readonly fifoSetup: (code: number, watermark: number) => readonly (readonly [register: number, value: number])[];
  readonly createFifo: (parts: ChipParts, both: AccGyr, rate: RateRow) => SampleFifo;
}

export function createLsm6ds(family: Lsm6dsFamily): ChipFactory {
  return (parts) => {
    const { bus, settings, sleep } = parts;
    const rate = nearestRate(family.part, RATES, settings.rateHz);
    const accRange = rangeFor(ACC_RANGES, settings.accRangeG);
    const gyrRange = rangeFor(GYR_RANGES, settings.gyrRangeDps);
    const both = { acc: accelerometerAxes(rate.hz, accRange), gyr: gyroscopeAxes(rate.hz, gyrRange) };
    const control = [(rate.code << 4) | accRange.code, (rate.code << 4) | gyrRange.code, BDU_IF_INC] as const;
    const fifo = createSampleReader(family.createFifo(parts, both, rate), 2, parts.nowUs);
    const whoAmI = async () => (await bus.read(settings.address, WHO_AM_I, 1))[0] ?? 0;

    return {
      name: family.name,
      modalities: [both.acc.modality, both.gyr.modality],
      fifoSeconds: settings.fifo ? family.fifoSamples / rate.hz : 0,
      async identify() {
        const number = await whoAmI();
        return identifyPart(number, family.known[number]?.part ?? family.part, family.known);
      },
      async configure() {
        await reset(parts);
        await writeRegisters(parts, [
          [CTRL1_XL, control[0]],
          [CTRL2_G, control[1]],
        ]);
        await sleep(TURN_ON_MS);
        if (settings.dataReady) await writeRegisters(parts, [[INT1_CTRL, settings.fifo ? INT1_FTH : INT1_DRDY]]);
        if (!settings.fifo) return;
        await writeRegisters(parts, family.fifoSetup(rate.code, watermarkSamples(rate.hz, family.fifoSamples)));
        await fifo.restart();
      },
      read: () => (settings.fifo ? fifo.read() : readOutputs(parts, both)),
      async isConfigured() {
        const held = await bus.read(settings.address, CTRL1_XL, control.length);
        return control.every((value, i) => held[i] === value);
      },
      async temperature() {
        const lsbPerC = family.known[await whoAmI()]?.temperatureLsbPerC;
        if (lsbPerC === undefined) return null;
        return 25 + int16(await bus.read(settings.address, OUT_TEMP_L, 2), 0, 'little') / lsbPerC;
      },
      selfTest: () => selfTest(parts, family.accSelfTestG),
      sleep: () =>
        writeRegisters(parts, [
          [CTRL1_XL, 0],
          [CTRL2_G, 0],
        ]),
    } satisfies Chip;
  };
}

async function reset(parts: ChipParts): Promise<void> {
  await writeRegisters(parts, [[CTRL3_C, SW_RESET]]);
  await parts.sleep(RESET_MS);
  await writeRegisters(parts, [[CTRL3_C, BDU_IF_INC]]);
}

async function readOutputs(parts: ChipParts, both: AccGyr): Promise<Burst> {
  const { bytes, knownUs } = await readTimed(parts, STATUS_REG, 1);
  const status = bytes[0] ?? 0;
  const ready = { acc: (status & XLDA) !== 0, gyr: (status & GDA) !== 0 };
  return { values: await readNewest(parts, OUTX_L_G, ready, both), knownUs, overflowed: false };
}

/**
 * "Self-test" of AN4650, AN5130 and AN5272, one modality after the other with the other powered down: accelerometer ±4 g at 52 Hz
 * (CTRL1_XL 0x38), gyroscope ±2000 dps at 208 Hz (CTRL2_G 0x5C), positive sign; five samples without and five with the force.
 */
async function selfTest(parts: ChipParts, accG: Lsm6dsFamily['accSelfTestG']): Promise<SelfTest> {
  const { bus, settings, sleep } = parts;
  const acc = accelerometerAxes(52, ACC_RANGES[1]);
  const gyr = gyroscopeAxes(208, GYR_RANGES[4]);
  const readAcc = async () => decodeAxes(await bus.read(settings.address, OUTX_L_XL, 6), acc);
  const readGyr = async () => decodeAxes(await bus.read(settings.address, OUTX_L_G, 6), gyr);
  const meanAcc = () => meanAxes(readAcc, { count: 5, periodMs: 25, sleep });
  const meanGyr = () => meanAxes(readGyr, { count: 5, periodMs: 10, sleep });

  await reset(parts);
  await writeRegisters(parts, [[CTRL1_XL, 0x38]]);
  await sleep(200);
  const accOff = await meanAcc();
  await writeRegisters(parts, [[CTRL5_C, 0x01]]);
  await sleep(200);
  const accOn = await meanAcc();

  await writeRegisters(parts, [
    [CTRL1_XL, 0],
    [CTRL5_C, 0],
    [CTRL2_G, 0x5c],
  ]);
  await sleep(800);
  const gyrOff = await meanGyr();
  await writeRegisters(parts, [[CTRL5_C, 0x04]]);
  await sleep(60);
  const gyrOn = await meanGyr();
  await writeRegisters(parts, [[CTRL5_C, 0]]);

  const allowedAcc = { least: accG.least * GRAVITY_MPS2, most: accG.most * GRAVITY_MPS2 };
  const allowedGyr = { least: 150 * RADIANS_PER_DEGREE, most: 700 * RADIANS_PER_DEGREE };
  return judged([
    ...responses('acc', accOff, accOn, [allowedAcc, allowedAcc, allowedAcc]),
    ...responses('gyr', gyrOff, gyrOn, [allowedGyr, allowedGyr, allowedGyr]),
  ]);
}
