/**
 * L3GD20H, and its forerunners L3GD20 and L3G4200D: a gyroscope only, ±250 (245), 500 or 2000 degrees per second.
 * Registers of a burst follow one another only when bit 7 of the register's number is set. The forerunners have no reset
 * command and no low rates: configure writes every register it uses, and identify refuses a rate that the part does not have.
 * Block data update is on, so no number is torn; without the FIFO, axes of a sample can be of two instants (see `gyr-acc-frame.ts`).
 * The temperature register has no defined zero: there is no temperature.
 * Source: L3GD20H DocID023469 and AN4506 (FIFO, I2C operation, registers, mechanical characteristics), L3GD20 DocID022116, L3G4200D
 * DocID17116.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Burst, Chip, ChipParts, Identity, SelfTest } from './chip.ts';
import { type Axes, gyroscopeAxes, nearestRate, rangeFor, watermarkSamples } from './chip-tables.ts';
import { decodeAxes } from './gyr-acc-frame.ts';
import { RADIANS_PER_DEGREE, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader, type SampleFifo } from './sample-fifo.ts';
import { judged, meanAxes, responses } from './self-test.ts';
import { identifyPart } from './who-am-i.ts';

const WHO_AM_I = 0x0f;
const CTRL1 = 0x20;
const CTRL2 = 0x21;
const CTRL3 = 0x22;
const CTRL4 = 0x23;
const CTRL5 = 0x24;
const STATUS = 0x27;
const OUT_X_L = 0x28;
const FIFO_CTRL = 0x2e;
const FIFO_SRC = 0x2f;
const LOW_ODR = 0x39;
const AUTO_INCREMENT = 0x80;

const L3GD20H = 0xd7;
const KNOWN = {
  [L3GD20H]: { part: 'L3GD20H' },
  212: { part: 'L3GD20', warning: 'its rates are 5 % lower: 95 Hz for 100' }, // 0xD4
  211: { part: 'L3G4200D' }, // 0xD3
};
const FIFO_SAMPLES = 32;
/** CTRL1: all axes on, powered; the widest filter (BW 11), whose corner is below half of each rate. */
const RUNNING = 0x0f;
const WIDEST = 0x30;
/** CTRL3, pin DRDY/INT2: data ready, FIFO threshold. Levels that hold until the data are read. */
const I2_DRDY = 0x08;
const I2_FTH = 0x04;
/** CTRL4: block data update. CTRL5: FIFO. */
const BDU = 0x80;
const FIFO_EN = 0x40;
/** FIFO_CTRL: stream mode. FIFO_SRC: FIFO completely filled; samples in it. */
const STREAM = 0x40;
const OVRN = 0x40;
const FSS = 0x1f;
/** STATUS: new data on all axes. */
const ZYXDA = 0x08;
/** Turn-on time (mechanical characteristics of the forerunners: 250 ms; the L3GD20H needs less). */
const TURN_ON_MS = 250;

/** DR of CTRL1, and LOW_ODR: only the L3GD20H has the rates below 100 Hz. */
const RATES = [
  { hz: 12.5, code: 0x00, isLow: true },
  { hz: 25, code: 0x40, isLow: true },
  { hz: 50, code: 0x80, isLow: true },
  { hz: 100, code: 0x00, isLow: false },
  { hz: 200, code: 0x40, isLow: false },
  { hz: 400, code: 0x80, isLow: false },
  { hz: 800, code: 0xc0, isLow: false },
];
const RANGES = [
  { full: 245, code: 0x00, perLsb: 8.75e-3 },
  { full: 500, code: 0x10, perLsb: 17.5e-3 },
  { full: 2000, code: 0x20, perLsb: 70e-3 },
] as const;

/** Makes a driver of the L3GD20H. @throws AppError `config-invalid` */
export function createL3gd20h(parts: ChipParts): Chip {
  const { bus, settings, sleep } = parts;
  const rate = nearestRate('L3GD20H', RATES, settings.rateHz);
  const { isLow } = rate;
  // "250" names the range that the L3GD20H's datasheet calls 245.
  const range = rangeFor(RANGES, settings.gyrRangeDps <= 250 ? 245 : settings.gyrRangeDps);
  const gyr = gyroscopeAxes(rate.hz, range);
  const ctrl1 = rate.code | WIDEST | RUNNING;
  const ctrl4 = BDU | range.code;
  const pin = settings.fifo ? I2_FTH : I2_DRDY;

  const fifo = createSampleReader(createFifo(parts, gyr), 1, parts.nowUs);

  return {
    name: 'l3gd20h',
    modalities: [gyr.modality],
    fifoSeconds: settings.fifo ? FIFO_SAMPLES / rate.hz : 0,
    identify: () => identify(parts, isLow),
    async configure() {
      const { whoAmI } = await identify(parts, isLow);
      await powerDown(parts);
      if (whoAmI === L3GD20H) await writeRegisters(parts, [[LOW_ODR, isLow ? 0x01 : 0x00]]);
      await writeRegisters(parts, [
        [CTRL4, ctrl4],
        [CTRL1, ctrl1],
      ]);
      await sleep(TURN_ON_MS);
      if (settings.fifo) {
        await writeRegisters(parts, [[CTRL5, FIFO_EN]]);
        await fifo.restart();
      }
      if (settings.dataReady) await writeRegisters(parts, [[CTRL3, pin]]);
    },
    read: () => (settings.fifo ? fifo.read() : readOutputs(parts, gyr)),
    async isConfigured() {
      const held = await bus.read(settings.address, CTRL1 | AUTO_INCREMENT, 4);
      return held[0] === ctrl1 && held[3] === ctrl4;
    },
    temperature: async () => null,
    selfTest: () => selfTest(parts),
    sleep: () => writeRegisters(parts, [[CTRL1, 0]]),
  };
}

async function identify({ bus, settings }: ChipParts, isLow: boolean): Promise<Identity> {
  const [whoAmI = 0] = await bus.read(settings.address, WHO_AM_I, 1);
  const identity = identifyPart(whoAmI, 'L3GD20H', KNOWN);
  if (isLow && whoAmI !== L3GD20H) {
    throw new AppError('config-invalid', `${identity.part} does not sample at ${settings.rateHz} Hz`, {
      where: 'sensors.rateHz',
      hint: 'set 100, 200, 400 or 800',
    });
  }
  return identity;
}

function powerDown(parts: ChipParts): Promise<void> {
  return writeRegisters(parts, [
    [CTRL1, 0],
    [CTRL2, 0],
    [CTRL3, 0],
    [CTRL5, 0],
    [FIFO_CTRL, 0],
  ]);
}

async function readOutputs(parts: ChipParts, gyr: Axes): Promise<Burst> {
  const { bytes, knownUs } = await readTimed(parts, STATUS, 1);
  const isReady = ((bytes[0] ?? 0) & ZYXDA) !== 0;
  return { values: [isReady ? await readSamples(parts, gyr, 1) : new Float32Array(0)], knownUs, overflowed: false };
}

/** A full FIFO counts as overflowed: it looks the same after samples were lost. */
function createFifo(parts: ChipParts, gyr: Axes): SampleFifo {
  return {
    capacity: FIFO_SAMPLES,
    perSecond: gyr.modality.sampleRateHz,
    mostPerTake: FIFO_SAMPLES,
    async level() {
      const { bytes, knownUs } = await readTimed(parts, FIFO_SRC, 1);
      const source = bytes[0] ?? 0;
      return { waiting: (source & OVRN) !== 0 ? null : source & FSS, knownUs };
    },
    take: async (samples) => [await readSamples(parts, gyr, samples)],
    restart: () =>
      writeRegisters(parts, [
        [FIFO_CTRL, 0],
        [FIFO_CTRL, STREAM | watermarkSamples(gyr.modality.sampleRateHz, FIFO_SAMPLES)],
      ]),
  };
}

/** With the FIFO on, the address turns from OUT_Z_H back to OUT_X_L (AN4506, retrieving data from the FIFO). */
async function readSamples({ bus, settings }: ChipParts, gyr: Axes, samples: number): Promise<Float32Array> {
  return decodeAxes(await bus.read(settings.address, OUT_X_L | AUTO_INCREMENT, samples * 6), gyr);
}

/**
 * CTRL4 ST = 01 at ±2000 dps and 200 Hz. The datasheet gives a typical change only (530 dps); half to twice as much passes.
 */
async function selfTest(parts: ChipParts): Promise<SelfTest> {
  const gyr = gyroscopeAxes(200, RANGES[2]);
  const mean = () => meanAxes(() => readSamples(parts, gyr, 1), { count: 5, periodMs: 10, sleep: parts.sleep });
  const { whoAmI } = await identify(parts, false);
  await powerDown(parts);
  if (whoAmI === L3GD20H) await writeRegisters(parts, [[LOW_ODR, 0]]);
  await writeRegisters(parts, [
    [CTRL4, BDU | RANGES[2].code],
    [CTRL1, 0x40 | WIDEST | RUNNING],
  ]);
  await parts.sleep(TURN_ON_MS + 550);
  const off = await mean();
  await writeRegisters(parts, [[CTRL4, BDU | RANGES[2].code | 0x02]]);
  await parts.sleep(TURN_ON_MS);
  const on = await mean();
  await writeRegisters(parts, [[CTRL4, BDU | RANGES[2].code]]);
  const allowed = { least: 265 * RADIANS_PER_DEGREE, most: 1060 * RADIANS_PER_DEGREE };
  return judged(responses('gyr', off, on, [allowed, allowed, allowed]));
}
