/**
 * What a chip's bursts become: per modality samples with times, and findings about them. Everything here follows from the bursts alone.
 */
import type { Burst, Chip } from './chip.ts';
import type { Fault, FaultWatch } from './fault-watch.ts';
import { createSampleCheck, type SampleCheck } from './sample-check.ts';
import { createSampleClock, type SampleClock } from './sample-clock.ts';

export interface ChipTracks {
  /** Hands the burst's samples on with their times and judges them. Returns how many there were, over all modalities. */
  take(burst: Burst): number;
  /** Samples were lost, their number is unknown. @param clocks false: they were not, or their number follows from the time that passed */
  restart(clocks: boolean): void;
  /** Of the fastest modality. */
  clock(): SampleClock;
  /** Per modality, estimated. */
  rateHz(): (number | null)[];
  /** All modalities are stuck. */
  isStuck(): boolean;
}

export interface ChipTracksParts {
  readonly chip: Pick<Chip, 'modalities' | 'fifoSeconds'>;
  readonly watch: FaultWatch;
  /** Both arrays are the receiver's. @param modality index in the chip's modalities @param tUs `[n]`, n ≥ 1 */
  readonly onSamples: (modality: number, tUs: Float64Array, values: Float32Array) => void;
}

interface Track {
  readonly name: string;
  readonly channels: number;
  readonly clock: SampleClock;
  readonly check: SampleCheck;
}

export function createChipTracks({ chip, watch, onSamples }: ChipTracksParts): ChipTracks {
  const tracks: readonly Track[] = chip.modalities.map((modality) => ({
    name: modality.name,
    channels: modality.channels.length,
    clock: createSampleClock({ sampleRateHz: modality.sampleRateHz, polled: chip.fifoSeconds === 0 }),
    check: createSampleCheck(modality),
  }));

  function judge({ name, check }: Track, tUs: number): void {
    const set = (fault: Fault, isSo: boolean, detail: string) =>
      isSo ? watch.raise(fault, tUs, detail, name) : watch.clear(fault, tUs, name);
    set('stuck', check.isStuck(), 'equal values for a second');
    set('saturated', check.isSaturated(), 'values at full scale');
    const rateHz = check.wrongRateHz();
    set('wrong-rate', rateHz !== null, rateHz === null ? '' : `${rateHz.toFixed(1)} samples per second`);
  }

  return {
    take({ values, knownUs }) {
      let total = 0;
      for (const [index, track] of tracks.entries()) {
        const ofModality = values[index] as Float32Array;
        track.check.take(ofModality, knownUs);
        judge(track, knownUs);
        const samples = ofModality.length / track.channels;
        if (samples > 0) onSamples(index, track.clock.stamp(samples, knownUs), ofModality);
        total += samples;
      }
      return total;
    },
    restart(clocks) {
      for (const { clock, check } of tracks) {
        if (clocks) clock.restart();
        check.restart();
      }
    },
    clock: () => tracks.reduce((a, b) => (b.clock.periodUs() < a.clock.periodUs() ? b : a)).clock,
    rateHz: () => tracks.map(({ clock }) => clock.rateHz()),
    isStuck: () => tracks.every(({ check }) => check.isStuck()),
  };
}
