/**
 * LSM6DS3 and LSM6DS3TR-C. Their FIFO is of 16-bit words without marks: gyroscope x y z, accelerometer x y z, over and over. Which word
 * comes next is told by the pattern counter; a read begins only where it says gyroscope x, and takes whole samples.
 * Source: LSM6DS3 DocID026899 and LSM6DS3TR-C DocID030071 (FIFO, FIFO_CTRL1–5, FIFO_STATUS1–4), AN4650 and AN5130 (FIFO).
 */
import type { ChipParts } from './chip.ts';
import { decodeGyrAcc, GYR_ACC_BYTES } from './gyr-acc-frame.ts';
import { createLsm6ds } from './lsm6ds.ts';
import { readTimed, writeRegisters } from './registers.ts';

const FIFO_CTRL1 = 0x06;
const FIFO_CTRL2 = 0x07;
const FIFO_CTRL3 = 0x08;
const FIFO_CTRL4 = 0x09;
const FIFO_CTRL5 = 0x0a;
const FIFO_STATUS1 = 0x3a;
const FIFO_DATA_OUT_L = 0x3e;

const WORDS = GYR_ACC_BYTES / 2;
/** 4 kB of the LSM6DS3TR-C; the LSM6DS3 holds twice as many. */
const FIFO_SAMPLES = Math.floor(2048 / WORDS);
/** FIFO_CTRL3: no decimation of gyroscope and accelerometer. */
const BOTH_UNDECIMATED = 0x09;
/** FIFO_CTRL5, FIFO_MODE: when full, the newest sample replaces the oldest. */
const CONTINUOUS = 0x06;
/** FIFO_STATUS2. */
const OVER_RUN = 0x40;
/** One read, in samples: about a kilobyte. */
const MOST_SAMPLES = 85;

export const createLsm6ds3 = createLsm6ds({
  name: 'lsm6ds3',
  part: 'LSM6DS3',
  known: {
    105: { part: 'LSM6DS3', temperatureLsbPerC: 16 }, // 0x69
    106: { part: 'LSM6DS3TR-C', temperatureLsbPerC: 256 }, // 0x6A, as LSM6DSL and LSM6DSM
  },
  accSelfTestG: { least: 0.09, most: 1.7 },
  fifoSamples: FIFO_SAMPLES,
  fifoSetup: (_code, watermark) => [
    [FIFO_CTRL1, (watermark * WORDS) & 0xff],
    [FIFO_CTRL2, (watermark * WORDS) >> 8],
    [FIFO_CTRL3, BOTH_UNDECIMATED],
    [FIFO_CTRL4, 0],
  ],
  createFifo(parts, both, rate) {
    let isFirst = true;
    return {
      capacity: FIFO_SAMPLES,
      perSecond: rate.hz,
      mostPerTake: MOST_SAMPLES,
      level: () => readLevel(parts),
      async take(samples) {
        // The address counter turns from FIFO_DATA_OUT_H back to FIFO_DATA_OUT_L (AN4650, FIFO).
        const bytes = await parts.bus.read(parts.settings.address, FIFO_DATA_OUT_L, samples * GYR_ACC_BYTES);
        const whole = isFirst ? bytes.subarray(GYR_ACC_BYTES) : bytes;
        isFirst = false;
        return decodeGyrAcc(whole, both);
      },
      async restart() {
        isFirst = true; // "the first sample acquired must be discarded" when the mode changes (DocID026899, FIFO)
        await writeRegisters(parts, [
          [FIFO_CTRL5, 0],
          [FIFO_CTRL5, (rate.code << 3) | CONTINUOUS],
        ]);
      },
    };
  },
});

/** Whole samples that wait; null after an overrun, or when the next word is not gyroscope x. */
async function readLevel(parts: ChipParts): Promise<{ waiting: number | null; knownUs: number }> {
  const { bytes: status, knownUs } = await readTimed(parts, FIFO_STATUS1, 4);
  const [low = 0, high = 0, patternLow = 0, patternHigh = 0] = status;
  const waiting = Math.floor((((high & 0x0f) << 8) | low) / WORDS);
  const pattern = ((patternHigh & 0x03) << 8) | patternLow;
  const isLost = (high & OVER_RUN) !== 0 || (waiting > 0 && pattern !== 0);
  return { waiting: isLost ? null : waiting, knownUs };
}
