/**
 * When a chip is read next, if no interrupt pin says so. The FIFO decides how often; where between two samples decides how well the
 * board learns the samples' phase: a read that comes just after a sample bounds that sample's time tightly, one that comes at any
 * time bounds it by a period. So reads are aimed at the instants at which samples are expected, somewhat early, since an estimate
 * that is late shows only to who looks before it.
 */

import type { SampleClock } from './sample-clock.ts';

export type ExpectedSamples = Pick<SampleClock, 'expectedUs' | 'rateHz'>;

export interface ReadSchedule {
  /**
   * When to read again, stream time in microseconds, after a read that ended at `nowUs`.
   * @param found whether that read brought a sample
   * @param clock of the chip's fastest modality
   */
  nextUs(nowUs: number, found: boolean, clock: ExpectedSamples): number;
  /** The longest pause that it makes, microseconds. */
  readonly intervalUs: number;
}

/** Of the FIFO that may be full when it is read: three reads may fail before samples are lost. */
const FIFO_SHARE = 0.25;
/** Windows, labels and faults wait no longer for samples. */
const LONGEST_US = 100_000;
/** Until the oscillator is known more reads tell sooner of it: a fraction of the interval. */
const EAGER_SHARE = 0.25;
/** Where reads are aimed, periods from the expected sample: uniform between the two. */
const AIM = [-0.375, 0.125] as const;
/** Without a FIFO: begin to look so early, and look again so often, in periods. */
const LOOK_EARLY = 0.25;
const LOOK_AGAIN = 0.125;

/** @param random uniform in [0, 1) */
export function createReadSchedule(
  chip: { readonly fifoSeconds: number; readonly sampleRateHz: number },
  random: () => number,
): ReadSchedule {
  const periodUs = 1e6 / chip.sampleRateHz;
  if (chip.fifoSeconds === 0) {
    return {
      intervalUs: periodUs,
      nextUs(nowUs, found, clock) {
        const dueUs = found ? (clock.expectedUs(nowUs) ?? nowUs) - LOOK_EARLY * periodUs : nowUs;
        return Math.max(nowUs + LOOK_AGAIN * periodUs, dueUs);
      },
    };
  }
  const intervalUs = Math.min(FIFO_SHARE * chip.fifoSeconds * 1e6, LONGEST_US);
  return {
    intervalUs,
    nextUs(nowUs, _found, clock) {
      const pauseUs = clock.rateHz() === null ? EAGER_SHARE * intervalUs : intervalUs;
      const sampleUs = clock.expectedUs(nowUs + Math.max(0, pauseUs - periodUs));
      if (sampleUs === null) return nowUs + pauseUs;
      const aimedUs = sampleUs + (AIM[0] + random() * (AIM[1] - AIM[0])) * periodUs;
      return Math.min(nowUs + intervalUs, Math.max(nowUs + pauseUs / 4, aimedUs));
    },
  };
}
