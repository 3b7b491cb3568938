/**
 * What a die feels: the board's motion, made wrong by its faults and rough by its noise, just before the chip turns it into codes.
 * Order: gain, growing bias, noise. A stuck die goes on delivering what it felt last, noise included.
 * Invariant: with `noise` 0 and no fault the motion passes through untouched, so a chip's codes are exactly the motion's.
 */
import type { ChipFaults, Motion, MotionSource } from './simulated-chip.ts';

export interface SurroundingsParts {
  readonly motion: MotionSource;
  /** Uniform in [0, 1): the noise's source. */
  readonly random: () => number;
  /** May be changed while the chip runs. */
  readonly faults: ChipFaults;
  /** Share of the datasheet's noise: 1 as the part is, 0 none. */
  readonly noise?: number;
}

/** Root mean square of a sample's noise, in `Motion`'s units. */
export interface NoiseRms {
  readonly acc: number;
  readonly gyr: number;
  readonly mag: number;
}

export const noFaults = (): ChipFaults => ({ stuck: false, gain: 1, rateError: 0, driftPerSecond: 0 });

type Vector = Motion['acc'];

export class Surroundings {
  readonly faults: ChipFaults;
  readonly #motion: MotionSource;
  readonly #random: () => number;
  readonly #noise: number;
  #last: Motion | null = null;
  #lastUs = 0;
  #bias = 0;

  constructor(parts: SurroundingsParts) {
    this.faults = parts.faults;
    this.#motion = parts.motion;
    this.#random = parts.random;
    this.#noise = parts.noise ?? 1;
  }

  /** @param tUs ascending from call to call */
  at(tUs: number, rms: NoiseRms): Motion {
    if (this.faults.stuck && this.#last !== null) return this.#last;
    const { gain, driftPerSecond } = this.faults;
    const elapsedS = this.#last === null ? 0 : (tUs - this.#lastUs) / 1e6;
    this.#bias = driftPerSecond === 0 ? 0 : this.#bias + driftPerSecond * elapsedS;
    const felt = this.#motion(tUs);
    this.#lastUs = tUs;
    this.#last = {
      acc: this.#distort(felt.acc, gain, this.#bias, rms.acc),
      gyr: this.#distort(felt.gyr, gain, this.#bias, rms.gyr),
      mag: this.#distort(felt.mag, gain, 0, rms.mag),
      temperatureC: felt.temperatureC,
    };
    return this.#last;
  }

  #distort(vector: Vector, gain: number, bias: number, rms: number): Vector {
    const spread = this.#noise * rms;
    const axis = (value: number) => value * gain + bias + (spread === 0 ? 0 : spread * this.#normal());
    return [axis(vector[0]), axis(vector[1]), axis(vector[2])];
  }

  /** Box-Muller. */
  #normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.#random())) * Math.cos(2 * Math.PI * this.#random());
  }
}
