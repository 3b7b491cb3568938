/**
 * When each sample was taken, in stream time. Chips number their samples and have oscillators that are off by percents; the board
 * only learns, late by the delays of bus and scheduler, how many there are. From that the true period and phase are estimated
 * (`arrival-line.ts`), and the times follow the estimate without jumps.
 * Invariants: times are integers and rise strictly; no sample is later than the instant at which it was known to be there; inside a run
 * two neighbours are a period apart, by at most a twentieth more or less unless the estimate was off by 100 ms.
 */
import { createArrivalLine } from './arrival-line.ts';

export interface SampleClock {
  /** Times of the next `samples` samples, the newest of which was known to be there at `knownUs`: `[samples]`, the caller's. */
  stamp(samples: number, knownUs: number): Float64Array;
  /** Samples were lost, their number is unknown: the next one begins a new run. What is known of the oscillator stays. */
  restart(): void;
  /** As estimated by now, microseconds. */
  periodUs(): number;
  /** When the first sample after `afterUs` is expected; null before the first. Reads just around such instants tell most of the phase. */
  expectedUs(afterUs: number): number | null;
  /** Samples per second by the board's clock, within 0.1 % after some seconds of a run; null before. */
  rateHz(): number | null;
}

/** While the estimate moves, steps are so much longer or shorter than the period. */
const SLEW = 0.05;
/** Times that are so far behind do not catch up by slewing: the chip runs at quite another rate than it was set to. */
const JUMP_US = 100_000;
/** Of arrivals, before the estimated rate is told. */
const RATE_AFTER_US = 8_000_000;
/** Oscillators are off by some percents of the nominal period, and by little of what was estimated before. */
const NOMINAL = { doubt: 0.1, holdsUs: 2_000_000 } as const;
const ESTIMATED = { doubt: 0.0005, holdsUs: 10_000_000 } as const;
/** How much of what rounding left is still held against the next poll: delays cancel, a wrong period must not add up. */
const CARRIED = 0.75;

/** @param polled the chip keeps only its newest sample: what was not fetched in its time is lost, and is counted by the time that passed */
export function createSampleClock(options: { readonly sampleRateHz: number; readonly polled: boolean }): SampleClock {
  let line = createArrivalLine({ periodUs: 1e6 / options.sampleRateHz, ...NOMINAL });
  /** Index of the run's newest sample, lost ones counted; −1 before the first. */
  let newest = -1;
  /** Given to the newest sample, before rounding. */
  let lastUs = Number.NEGATIVE_INFINITY;
  let rateHz: number | null = null;
  let polledUs = 0;
  let remainder = 0;

  /** By how many the index rises. Without a FIFO more than one when the time since the last poll says so. */
  function advance(samples: number, knownUs: number): number {
    if (!options.polled || newest < 0) return samples;
    const periods = (knownUs - polledUs) / line.periodUs() + remainder;
    const rise = Math.max(0, Math.round(periods));
    remainder = CARRIED * (periods - rise);
    return rise;
  }

  /** Between which times the samples lie, the last of them on the second. */
  function stretch(samples: number, lost: number, isFirst: boolean, knownUs: number): readonly [number, number] {
    const aimUs = line.timeUs(newest);
    const lengthUs = samples * line.periodUs();
    if (isFirst || aimUs - lastUs - lengthUs > JUMP_US) {
      const fromUs = Math.max(lastUs, aimUs - lengthUs);
      return [fromUs, Math.max(aimUs, fromUs + samples)];
    }
    const fromUs = Math.min(lastUs + lost * line.periodUs(), knownUs - samples);
    const slewedUs = Math.min(Math.max(aimUs, fromUs + (1 - SLEW) * lengthUs), fromUs + (1 + SLEW) * lengthUs, knownUs);
    return fromUs > lastUs ? [fromUs, slewedUs] : [lastUs, Math.max(slewedUs, lastUs + samples)];
  }

  return {
    stamp(samples, knownUs) {
      const tUs = new Float64Array(samples);
      if (samples === 0) return tUs;
      const isFirst = newest < 0;
      const rise = advance(samples, knownUs);
      polledUs = knownUs;
      newest += rise;
      line.add(newest, knownUs);
      const [fromUs, toUs] = stretch(samples, Math.max(0, rise - samples), isFirst, knownUs);
      for (let i = 0; i < samples; i++) tUs[i] = Math.round(fromUs + ((i + 1) * (toUs - fromUs)) / samples);
      lastUs = toUs;
      if (line.spanUs() >= RATE_AFTER_US) rateHz = 1e6 / line.periodUs();
      return tUs;
    },
    restart() {
      line = createArrivalLine({ periodUs: line.periodUs(), ...(rateHz === null ? NOMINAL : ESTIMATED) });
      newest = -1;
      remainder = 0;
    },
    periodUs: () => line.periodUs(),
    expectedUs(afterUs) {
      if (newest < 0) return null;
      const ahead = Math.floor((afterUs - line.timeUs(newest)) / line.periodUs()) + 1;
      return line.timeUs(newest + Math.max(1, ahead));
    },
    rateHz: () => rateHz,
  };
}
