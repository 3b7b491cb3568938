/**
 * InvenSense ITG-3200 (and ITG-3205): a gyroscope alone, ± 2000 °/s, without a FIFO. Every sample must be fetched in its time.
 * Source: PS-ITG-3200A rev. 1.4, under the registers' names below.
 */
import type { ChipFactory } from './chip.ts';
import { gyroscopeAxes, type RangeRow } from './chip-tables.ts';
import { dividedRate, filterFor } from './invensense.ts';
import { decodeFrames, int16, readTimed } from './registers.ts';
import { identifyPart, type KnownPart } from './who-am-i.ts';

const WHO_AM_I = 0x00; // the address 110100 in bits 6 to 1; bit 0 says nothing
const SMPLRT_DIV = 0x15; // DLPF and full scale, interrupt configuration follow
const INT_STATUS = 0x1a; // temperature and the three axes follow
const TEMP_OUT = 0x1b;
const PWR_MGM = 0x3e;

const INTERNAL_HZ = 1000; // with any filter but the widest
/** −3 dB of filters 1 to 6. */
const BANDWIDTHS_HZ = [188, 98, 42, 20, 10, 5];
/** The only full scale: 14.375 LSB per °/s, field FS_SEL = 3. */
const RANGE: RangeRow = { full: 2000, code: 3, perLsb: 1 / 14.375 };
const RAW_DATA_RDY = 0x01;
/** LATCH_INT_EN, cleared by a read of INT_STATUS; RAW_RDY_EN, without which the status does not tell either. */
const INT_CFG = 0x21;
const GYRO_OFFSET = 3;
const STATUS_AND_DATA_BYTES = 9;

const PARTS: Readonly<Record<number, KnownPart>> = { 104: { part: 'ITG-3200' }, 105: { part: 'ITG-3200' } };

export const createItg3200: ChipFactory = (parts) => {
  const { bus, settings, sleep } = parts;
  const rate = dividedRate('ITG-3200', INTERNAL_HZ, settings.rateHz);
  const gyr = gyroscopeAxes(rate.hz, RANGE);
  /** From SMPLRT_DIV on; all 0 after a reset. */
  const setup = [rate.code, (RANGE.code << 3) | filterFor(rate.hz, BANDWIDTHS_HZ, 1), INT_CFG];

  return {
    name: 'itg3200',
    modalities: [gyr.modality],
    fifoSeconds: 0,
    async identify() {
      const [whoAmI = 0] = await bus.read(settings.address, WHO_AM_I, 1);
      return identifyPart(whoAmI, 'ITG-3200', PARTS);
    },
    async configure() {
      await bus.write(settings.address, PWR_MGM, [0x80]);
      await sleep(100);
      await bus.write(settings.address, PWR_MGM, [0x01]); // gyroscope X's PLL as the clock, as PWR_MGM recommends
      await bus.write(settings.address, SMPLRT_DIV, setup);
      await sleep(70); // from power on to valid samples 50 ms ("Gyro start-up time"); and the filter's own
      await bus.read(settings.address, INT_STATUS, 1); // the sample that waits was measured before these settings
    },
    async read() {
      const { bytes, knownUs } = await readTimed(parts, INT_STATUS, STATUS_AND_DATA_BYTES);
      const isNew = ((bytes[0] ?? 0) & RAW_DATA_RDY) !== 0;
      const sample = bytes.subarray(isNew ? GYRO_OFFSET : bytes.length);
      const values = decodeFrames(sample, { frameBytes: 6, offset: 0, channels: 3, endian: 'big', scale: gyr.scale });
      return { values: [values], knownUs, overflowed: false };
    },
    async isConfigured() {
      const found = await bus.read(settings.address, SMPLRT_DIV, setup.length);
      return setup.every((value, i) => found[i] === value);
    },
    /** "Temperature sensor": 280 LSB per °C, −13200 at 35 °C. */
    async temperature() {
      return 35 + (int16(await bus.read(settings.address, TEMP_OUT, 2), 0, 'big') + 13_200) / 280;
    },
    selfTest: async () => null,
    sleep: async () => await bus.write(settings.address, PWR_MGM, [0x40]),
  };
};
