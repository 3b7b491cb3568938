/**
 * What InvenSense's motion sensors have in common, from the ITG-3200 to the ICM-20948: an internal rate divided by a register's value,
 * low-pass filters by number, the same sensitivities, and a FIFO of bytes.
 * Source: register maps RM-MPU-6000A, RM-MPU-6500A, RM-MPU-9250A, DS-000189 and PS-ITG-3200A: SMPLRT_DIV, DLPF_CFG, FS_SEL, FIFO_COUNT.
 */
import { type RangeRow, type RateRow, refuseRateBeyond } from './chip-tables.ts';
import type { SampleFifo } from './sample-fifo.ts';

/** Of one read of the FIFO: 23 ms of a bus at 400 kHz. */
const MOST_BYTES = 1024;
/** Largest value of a rate divider of 8 bits. */
const MOST_DIVIDER = 255;

/** Sensitivity in LSB/g: 16384, 8192, 4096, 2048. Codes are not shifted: the field's place differs. */
export const ACC_RANGES: readonly [RangeRow, ...RangeRow[]] = [
  { full: 2, code: 0, perLsb: 1 / 16_384 },
  { full: 4, code: 1, perLsb: 1 / 8_192 },
  { full: 8, code: 2, perLsb: 1 / 4_096 },
  { full: 16, code: 3, perLsb: 1 / 2_048 },
];

/** Sensitivity in LSB/(°/s): 131, 65.5, 32.8, 16.4. */
export const GYR_RANGES: readonly [RangeRow, ...RangeRow[]] = [
  { full: 250, code: 0, perLsb: 1 / 131 },
  { full: 500, code: 1, perLsb: 1 / 65.5 },
  { full: 1000, code: 2, perLsb: 1 / 32.8 },
  { full: 2000, code: 3, perLsb: 1 / 16.4 },
];

/** The rate `baseHz / (1 + code)` that is nearest to what was asked. @throws AppError `config-invalid` beyond what the divider can do */
export function dividedRate(part: string, baseHz: number, askedHz: number): RateRow {
  const lowest = baseHz / (1 + MOST_DIVIDER);
  refuseRateBeyond({ lowest, highest: baseHz, steps: `${baseHz} / 1, / 2, / 3, …` }, part, askedHz);
  const below = Math.min(Math.max(Math.floor(baseHz / askedHz) - 1, 0), MOST_DIVIDER);
  const rows = [below, Math.min(below + 1, MOST_DIVIDER)].map((code) => ({ code, hz: baseHz / (1 + code) }));
  const [fast, slow] = rows as [RateRow, RateRow];
  return fast.hz - askedHz <= askedHz - slow.hz ? fast : slow;
}

/**
 * Number of the widest filter whose −3 dB lie at half of the output rate or below, so that little is folded back; of the narrowest when
 * none does. A filter's edge is soft: 5 % more still counts, lest a rate of 102.3 Hz miss a filter of 51.2 Hz.
 * @param bandwidthsHz of filter `first`, `first` + 1, …; falling
 */
export function filterFor(rateHz: number, bandwidthsHz: readonly number[], first: number): number {
  const index = bandwidthsHz.findIndex((bandwidthHz) => bandwidthHz <= 1.05 * (rateHz / 2));
  return first + (index < 0 ? bandwidthsHz.length - 1 : index);
}

/** A FIFO that counts bytes; a frame is one sample. */
export interface ByteFifo extends Pick<SampleFifo, 'perSecond' | 'restart'> {
  frameBytes(): number;
  sizeBytes(): number;
  /** By the flag, which stays set until this is asked. */
  hasOverflowed(): Promise<boolean>;
  /** FIFO_COUNT, both bytes in one transaction: the high byte's reading latches them. */
  count(): Promise<{ readonly bytes: Uint8Array; readonly knownUs: number }>;
  /** Whole frames. */
  take(bytes: number): ReturnType<SampleFifo['take']>;
}

/**
 * When this FIFO overflows, the oldest bytes go, and what remains begins inside a frame: axes would change places from then on, silently
 * and for good. So a full one counts as overflowed whatever the flag says, and a frame of which a part has been written is left in it.
 */
export function framesOf(fifo: ByteFifo, nowUs: () => number): SampleFifo {
  return {
    get capacity() {
      return Math.floor(fifo.sizeBytes() / fifo.frameBytes()) - 1; // one may be there in part
    },
    perSecond: fifo.perSecond,
    get mostPerTake() {
      return Math.floor(MOST_BYTES / fifo.frameBytes());
    },
    async level() {
      if (await fifo.hasOverflowed()) return { waiting: null, knownUs: nowUs() };
      const { bytes, knownUs } = await fifo.count();
      const level = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
      return { waiting: level >= fifo.sizeBytes() ? null : Math.floor(level / fifo.frameBytes()), knownUs };
    },
    take: (frames) => fifo.take(frames * fifo.frameBytes()),
    hasOverflowed: fifo.hasOverflowed,
    restart: fifo.restart,
  };
}
