/**
 * What one modality's samples say about the health of their sensor: stuck, saturated, or at another rate than it was set to. Looks at
 * what the chip said, before calibration. What makes a modality merely bad (noise, drift) is the quality judge's business.
 * Invariant: each finding comes within 2.1 s of samples after its beginning, so within one window of 2.56 s.
 */
import type { ChipModality } from './chip.ts';

export interface SampleCheck {
  /** One burst: `[n, channels]`, n may be 0, and when its newest was known to be there. Allocates nothing per sample. */
  take(values: Float32Array, knownUs: number): void;
  /** Samples were lost: rates are counted anew. */
  restart(): void;
  readonly isStuck: () => boolean;
  readonly isSaturated: () => boolean;
  /** Samples per second when they are too many or too few, else null. */
  readonly wrongRateHz: () => number | null;
}

/** A chip at 2 Hz is not stuck because two samples agree. */
const LEAST_SAMPLES = 16;
const SATURATED_SHARE = 0.1;
const UNSATURATED_SHARE = 0.05;
const RATE_OVER_US = 2_000_000;
const RATE_OVER_PERIODS = 20;
/** As `RATE_TOLERANCE` of windows; found to be over when it is well inside. */
const WRONG_RATE = 0.1;
const RIGHT_RATE = 0.08;

export function createSampleCheck(modality: ChipModality): SampleCheck {
  const equal = createRunOfEquals(modality.channels.length);
  const ceiling = createCeiling(modality);
  const pace = createPace(modality.sampleRateHz);
  const secondOfSamples = Math.max(LEAST_SAMPLES, Math.round(modality.sampleRateHz));
  return {
    take(values, knownUs) {
      equal.take(values);
      ceiling.take(values);
      pace.take(values.length / modality.channels.length, knownUs);
    },
    restart: () => pace.restart(),
    isStuck: () => equal.length() > secondOfSamples,
    isSaturated: ceiling.isReached,
    wrongRateHz: pace.wrongHz,
  };
}

/** Number of samples at the end of all so far that are equal in every channel. */
function createRunOfEquals(channels: number) {
  const last = new Float32Array(channels).fill(Number.NaN);
  let run = 0;
  return {
    length: () => run,
    take(values: Float32Array): void {
      for (let at = 0; at < values.length; at += channels) {
        let isEqual = true;
        for (let c = 0; c < channels; c++) {
          const value = values[at + c] as number;
          if (value !== last[c]) isEqual = false;
          last[c] = value;
        }
        run = isEqual ? run + 1 : 1;
      }
    },
  };
}

/** Share of a second's samples with a channel at full scale. */
function createCeiling({ channels: { length: channels }, fullScale, sampleRateHz }: ChipModality) {
  const perBlock = Math.max(LEAST_SAMPLES, Math.round(sampleRateHz));
  let samples = 0;
  let atFullScale = 0;
  let isReached = false;
  return {
    isReached: () => isReached,
    take(values: Float32Array): void {
      for (let at = 0; at < values.length; at += channels) {
        let isFull = false;
        for (let c = 0; c < channels; c++) if (Math.abs(values[at + c] as number) >= fullScale) isFull = true;
        samples++;
        if (isFull) atFullScale++;
        if (samples < perBlock) continue;
        isReached = atFullScale / samples >= (isReached ? UNSATURATED_SHARE : SATURATED_SHARE);
        samples = 0;
        atFullScale = 0;
      }
    },
  };
}

/** Samples per second over the last two seconds of bursts (twenty periods when those are longer). */
function createPace(nominalHz: number) {
  const overUs = Math.max(RATE_OVER_US, (RATE_OVER_PERIODS * 1e6) / nominalHz);
  let bursts: { readonly knownUs: number; readonly count: number }[] = [];
  let count = 0;
  let wrongHz: number | null = null;
  return {
    wrongHz: () => wrongHz,
    restart(): void {
      bursts = [];
    },
    take(samples: number, knownUs: number): void {
      count += samples;
      bursts.push({ knownUs, count });
      while (bursts.length > 2 && (bursts[1] as { knownUs: number }).knownUs <= knownUs - overUs) bursts.shift();
      const first = bursts[0] as { knownUs: number; count: number };
      if (knownUs - first.knownUs < overUs) return;
      const rateHz = ((count - first.count) * 1e6) / (knownUs - first.knownUs);
      const off = Math.abs(rateHz / nominalHz - 1);
      wrongHz = off > (wrongHz === null ? WRONG_RATE : RIGHT_RATE) ? rateHz : null;
    },
  };
}
