/**
 * LSM6DSO, LSM6DSOX and LSM6DSR, but not LSM6DSO32: it answers with the same number and measures twice the range, so that its accelerations
 * would come out as half (0.5 g at rest). Their FIFO is of words of 7 bytes: a tag that says which sensor the six bytes after it are from.
 * A tag with wrong parity, or of a sensor that is not stored, means that bytes were lost on the way: nothing of that read is used.
 * Source: LSM6DSOX DS12814 (FIFO, FIFO_CTRL1–4, FIFO_STATUS1–2, FIFO_DATA_OUT_TAG), AN5272 (FIFO).
 */
import type { Burst, ChipParts } from './chip.ts';
import { type AccGyr, decodeAxes } from './gyr-acc-frame.ts';
import { createLsm6ds } from './lsm6ds.ts';
import { readTimed, writeRegisters } from './registers.ts';

const FIFO_CTRL1 = 0x07;
const FIFO_CTRL2 = 0x08;
const FIFO_CTRL3 = 0x09;
const FIFO_CTRL4 = 0x0a;
const FIFO_STATUS1 = 0x3a;
const FIFO_DATA_OUT_TAG = 0x78;

const WORD_BYTES = 7;
/** 3 kB without the tags. */
const FIFO_WORDS = 512;
/** FIFO_CTRL4, FIFO_MODE: when full, the newest word replaces the oldest. */
const CONTINUOUS = 0x06;
/** FIFO_STATUS2: FIFO_OVR_IA, and its latched twin, which a read of the register clears. */
const OVERRUN = 0x48;
/** TAG_SENSOR ("FIFO_DATA_OUT_TAG"). */
const TAG_GYROSCOPE = 0x01;
const TAG_ACCELEROMETER = 0x02;
/** One read, in words: about a kilobyte. */
const MOST_WORDS = 146;

export const createLsm6dsox = createLsm6ds({
  name: 'lsm6dsox',
  part: 'LSM6DSOX',
  known: {
    108: { part: 'LSM6DSOX', temperatureLsbPerC: 256 }, // 0x6C, as LSM6DSO
    107: { part: 'LSM6DSR', temperatureLsbPerC: 256, warning: 'of the LSM6DSOX family, not the part itself' }, // 0x6B
  },
  accSelfTestG: { least: 0.05, most: 1.7 },
  fifoSamples: FIFO_WORDS / 2,
  fifoSetup: (code, watermark) => [
    [FIFO_CTRL1, (watermark * 2) & 0xff],
    [FIFO_CTRL2, (watermark * 2) >> 8],
    [FIFO_CTRL3, (code << 4) | code],
  ],
  createFifo: (parts, both, rate) => ({
    capacity: FIFO_WORDS,
    perSecond: 2 * rate.hz,
    mostPerTake: MOST_WORDS,
    level: () => readLevel(parts),
    async take(words) {
      // The address counter turns from FIFO_DATA_OUT_Z_H back to FIFO_DATA_OUT_TAG (AN5272, FIFO).
      return sorted(await parts.bus.read(parts.settings.address, FIFO_DATA_OUT_TAG, words * WORD_BYTES), both);
    },
    restart: () =>
      writeRegisters(parts, [
        [FIFO_CTRL4, 0],
        [FIFO_CTRL4, CONTINUOUS],
      ]),
  }),
});

/** Words that wait; null after an overrun. */
async function readLevel(parts: ChipParts): Promise<{ waiting: number | null; knownUs: number }> {
  const { bytes: status, knownUs } = await readTimed(parts, FIFO_STATUS1, 2);
  const [low = 0, high = 0] = status;
  return { waiting: (high & OVERRUN) !== 0 ? null : ((high & 0x03) << 8) | low, knownUs };
}

/** Words → accelerometer, gyroscope; null when a tag is neither. */
function sorted(bytes: Uint8Array, { acc, gyr }: AccGyr): Burst['values'] | null {
  const ofAcc: number[] = [];
  const ofGyr: number[] = [];
  for (let at = 0; at < bytes.length; at += WORD_BYTES) {
    const tag = bytes[at] ?? 0;
    const sensor = tag >> 3;
    if (!hasEvenParity(tag) || (sensor !== TAG_GYROSCOPE && sensor !== TAG_ACCELEROMETER)) return null;
    (sensor === TAG_GYROSCOPE ? ofGyr : ofAcc).push(...bytes.subarray(at + 1, at + WORD_BYTES));
  }
  return [decodeAxes(Uint8Array.from(ofAcc), acc), decodeAxes(Uint8Array.from(ofGyr), gyr)];
}

/** TAG_PARITY makes the number of ones in the tag even. */
function hasEvenParity(byte: number): boolean {
  const folded = byte ^ (byte >> 4);
  return ((0x6996 >> (folded & 0x0f)) & 1) === 0;
}
