/**
 * A motion in which every sample says when it was measured: the first axis of each sensor rises like a saw, the second is minus half of
 * it, the third stands still. A sample that is lost, repeated, torn or turned around shows in the numbers, without any clock but the chip's.
 */
import type { Motion } from '../../agent/hw/sim/simulated-chip.ts';

/** Of the saw, microseconds: longer than the pauses between samples, so that steps can be told apart. */
export const SAW_US = 1_024_000;
export const TEMPERATURE_C = 31;

const GRAVITY = 9.80665;
const DEGREE = Math.PI / 180;

export interface Saw {
  /** Height of the saw, in the modality's unit; it begins at minus half of that. */
  readonly height: number;
  /** What the third axis always is. */
  readonly still: number;
  /** More than any chip's rounding, in the same unit. */
  readonly tolerance: number;
}

/** By the modality's name. Heights stay inside ± 4 g and ± 500 °/s. */
export const SAWS: Readonly<Record<string, Saw>> = {
  acc: { height: 6 * GRAVITY, still: GRAVITY / 2, tolerance: 0.06 },
  gyr: { height: 800 * DEGREE, still: 100 * DEGREE, tolerance: 0.15 * DEGREE },
  mag: { height: 80, still: 40, tolerance: 0.3 },
};

/** In [0, 1). */
export function phaseAt(tUs: number): number {
  return (tUs / SAW_US) % 1;
}

export function sawMotion(tUs: number): Motion {
  const vector = ({ height, still }: Saw): Motion['acc'] => {
    const first = (phaseAt(tUs) - 0.5) * height;
    return [first, -first / 2, still];
  };
  const { acc, gyr, mag } = SAWS as Record<'acc' | 'gyr' | 'mag', Saw>;
  return { acc: vector(acc), gyr: vector(gyr), mag: vector(mag), temperatureC: TEMPERATURE_C };
}

/** Lying still. */
export function restMotion(): Motion {
  return { acc: [0, 0, GRAVITY], gyr: [0, 0, 0], mag: [20, 0, -44], temperatureC: TEMPERATURE_C };
}
