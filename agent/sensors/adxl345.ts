/**
 * ADXL345 (and ADXL343, which answers alike): an accelerometer only. Full resolution: 1/256 g per LSB at every range.
 * Its FIFO gives one sample per read of the six data registers. The pause of 5 µs that it wants between two reads lies in the
 * addressing of the next transaction on I2C, at any of its speeds. The chip has no reset command: configure writes every register it uses.
 * Source: ADXL345 datasheet Rev. G ("Serial communications: I2C", "FIFO", "Self-test", "Register map", Table 1, "Offset").
 */
import type { Burst, Chip, ChipParts, SelfTest } from './chip.ts';
import { type Axes, accelerometerAxes, nearestRate, rangeFor, watermarkSamples } from './chip-tables.ts';
import { decodeAxes } from './gyr-acc-frame.ts';
import { GRAVITY_MPS2, readTimed, writeRegisters } from './registers.ts';
import { createSampleReader, type SampleFifo } from './sample-fifo.ts';
import { judged, meanAxes, responses } from './self-test.ts';
import { identifyPart } from './who-am-i.ts';

const DEVID = 0x00;
const OFSX = 0x1e;
const OFSY = 0x1f;
const OFSZ = 0x20;
const BW_RATE = 0x2c;
const POWER_CTL = 0x2d;
const INT_ENABLE = 0x2e;
const INT_MAP = 0x2f;
const INT_SOURCE = 0x30;
const DATA_FORMAT = 0x31;
const DATAX0 = 0x32;
const FIFO_CTL = 0x38;
const FIFO_STATUS = 0x39;

const KNOWN = { 229: { part: 'ADXL345' }, 230: { part: 'ADXL346' } }; // 0xE5, 0xE6
const FIFO_SAMPLES = 32;
/** POWER_CTL. */
const MEASURE = 0x08;
/** INT_SOURCE and INT_ENABLE. */
const DATA_READY = 0x80;
const WATERMARK = 0x02;
const OVERRUN = 0x01;
/** DATA_FORMAT. */
const SELF_TEST = 0x80;
const FULL_RES = 0x08;
/** FIFO_CTL. */
const STREAM = 0x80;

/** Rates of normal power; the bandwidth is half of each. I2C at 400 kHz carries up to 800 Hz ("Serial communications: I2C"). */
const RATES = [6.25, 12.5, 25, 50, 100, 200, 400, 800].map((hz, i) => ({ hz, code: 0x06 + i }));
const G_PER_LSB = 1 / 256;
const RANGES = [
  { full: 2, code: 0x00, perLsb: G_PER_LSB, codes: 511 },
  { full: 4, code: 0x01, perLsb: G_PER_LSB, codes: 1023 },
  { full: 8, code: 0x02, perLsb: G_PER_LSB, codes: 2047 },
  { full: 16, code: 0x03, perLsb: G_PER_LSB, codes: 4095 },
] as const;

/** Makes a driver of the ADXL345. @throws AppError `config-invalid` */
export function createAdxl345(parts: ChipParts): Chip {
  const { bus, settings } = parts;
  const rate = nearestRate('ADXL345', RATES, settings.rateHz);
  const range = rangeFor(RANGES, settings.accRangeG);
  const acc = accelerometerAxes(rate.hz, range);
  const fifo = createSampleReader(createFifo(parts, acc), 1, parts.nowUs);

  return {
    name: 'adxl345',
    modalities: [acc.modality],
    fifoSeconds: settings.fifo ? FIFO_SAMPLES / rate.hz : 0,
    async identify() {
      return identifyPart((await bus.read(settings.address, DEVID, 1))[0] ?? 0, 'ADXL345', KNOWN);
    },
    async configure() {
      await standBy(parts);
      await writeRegisters(parts, [
        [BW_RATE, rate.code],
        [DATA_FORMAT, FULL_RES | range.code],
        [POWER_CTL, MEASURE],
      ]);
      // Without a reset, a sample from before may still be there: read, it is gone.
      if (settings.fifo) await fifo.restart();
      else await readSample(parts, acc);
      if (settings.dataReady) await writeRegisters(parts, [[INT_ENABLE, settings.fifo ? WATERMARK : DATA_READY]]);
    },
    read: () => (settings.fifo ? fifo.read() : readOutputs(parts, acc)),
    async isConfigured() {
      const [heldRate, power] = await bus.read(settings.address, BW_RATE, 2);
      return heldRate === rate.code && power === MEASURE;
    },
    temperature: async () => null,
    selfTest: () => selfTest(parts),
    sleep: () => writeRegisters(parts, [[POWER_CTL, 0]]),
  };
}

/** Stopped, everything that could disturb a measurement at its reset value, interrupts on INT1. */
function standBy(parts: ChipParts): Promise<void> {
  return writeRegisters(parts, [
    [POWER_CTL, 0],
    [INT_ENABLE, 0],
    [INT_MAP, 0],
    [OFSX, 0],
    [OFSY, 0],
    [OFSZ, 0],
    [FIFO_CTL, 0],
  ]);
}

async function readOutputs(parts: ChipParts, acc: Axes): Promise<Burst> {
  const { bytes, knownUs } = await readTimed(parts, INT_SOURCE, 1);
  const isReady = ((bytes[0] ?? 0) & DATA_READY) !== 0;
  return { values: [isReady ? await readSample(parts, acc) : new Float32Array(0)], knownUs, overflowed: false };
}

/**
 * One more sample than the FIFO holds waits in the output filter. A full FIFO counts as overflowed: the flag says no more than that, and
 * goes only when data are read. So a restart reads some; else one overflow would be found over and over.
 */
function createFifo(parts: ChipParts, acc: Axes): SampleFifo {
  const { sampleRateHz } = acc.modality;
  return {
    capacity: FIFO_SAMPLES + 1,
    perSecond: sampleRateHz,
    mostPerTake: 1,
    async level() {
      const { bytes, knownUs } = await readTimed(parts, FIFO_STATUS, 1);
      const samples = (bytes[0] ?? 0) & 0x3f;
      const [source = 0] = await parts.bus.read(parts.settings.address, INT_SOURCE, 1);
      return { waiting: (source & OVERRUN) !== 0 ? null : samples, knownUs };
    },
    take: async () => [await readSample(parts, acc)],
    async restart() {
      await writeRegisters(parts, [[FIFO_CTL, 0]]);
      await readSample(parts, acc);
      await writeRegisters(parts, [[FIFO_CTL, STREAM | watermarkSamples(sampleRateHz, FIFO_SAMPLES)]]);
    },
  };
}

async function readSample({ bus, settings }: ChipParts, acc: Axes): Promise<Float32Array> {
  return decodeAxes(await bus.read(settings.address, DATAX0, 6), acc);
}

/**
 * "Self-test": ±16 g, full resolution, 100 Hz; mean of 10 samples without and with the force, after 4 samples of settling. Table 1 gives
 * the change at a supply of 2.5 V; "Self-test" scales it by up to 1.77 (x, y) and 1.47 (z) at the 3.3 V of a board, which the chip
 * cannot tell: the range covers both.
 */
async function selfTest(parts: ChipParts): Promise<SelfTest> {
  const acc = accelerometerAxes(100, RANGES[3]);
  const mean = () => meanAxes(() => readSample(parts, acc), { count: 10, periodMs: 12, sleep: parts.sleep });
  await standBy(parts);
  await writeRegisters(parts, [
    [BW_RATE, 0x0a],
    [DATA_FORMAT, FULL_RES | 0x03],
    [POWER_CTL, MEASURE],
  ]);
  await parts.sleep(60);
  const off = await mean();
  await writeRegisters(parts, [[DATA_FORMAT, SELF_TEST | FULL_RES | 0x03]]);
  await parts.sleep(60);
  const on = await mean();
  await writeRegisters(parts, [[DATA_FORMAT, FULL_RES | 0x03]]);
  const g = (least: number, most: number) => ({ least: least * GRAVITY_MPS2, most: most * GRAVITY_MPS2 });
  const allowed = [g(0.2, 2.1 * 1.77), g(-2.1 * 1.77, -0.2), g(0.3, 3.4 * 1.47)];
  return judged(responses('acc', off, on, allowed, (change) => change));
}
