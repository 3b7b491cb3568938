/**
 * What moves a simulated board: a recording, a synthetic walk for `--sim` without one, or a hand that lays it on one side after the other.
 * A recording is not interpolated: a chip that samples faster than the recording sees steps, as the windows of a direct replay
 * would.
 * Invariant: pure functions of time; the same instant gives the same motion, whoever asks and however often.
 */
import { GRAVITY } from './codes.ts';
import type { Motion, MotionSource } from './simulated-chip.ts';

type Vector = Motion['acc'];

export interface RecordedMotion {
  /** Ascending, microseconds; the first is the recording's start. */
  readonly tUs: ArrayLike<number>;
  /** `[n, 3]`, m/s². */
  readonly acc: ArrayLike<number>;
  /** `[n, 3]`, rad/s. */
  readonly gyr: ArrayLike<number>;
}

/** Earth's field at mid latitudes, µT, for motions that say nothing about it. */
export const EARTH_FIELD: Vector = [20, 0, -44];

/**
 * The recording's nearest earlier row, its first row standing at `startUs` of the simulation's clock; before that, the first row.
 * @param atEnd `loop`: it starts again one row spacing after its last row; `hold`: the last row stays
 */
export function recordedMotion(
  recording: RecordedMotion,
  atEnd: 'loop' | 'hold',
  startUs = 0,
  temperatureC = 25,
): MotionSource {
  const { tUs, acc, gyr } = recording;
  const count = tUs.length;
  const first = tUs[0] ?? 0;
  const span = (tUs[count - 1] ?? 0) - first;
  const lengthUs = count > 1 ? span * (count / (count - 1)) : 1;
  const vector = (values: ArrayLike<number>, row: number): Vector => [
    values[3 * row] ?? 0,
    values[3 * row + 1] ?? 0,
    values[3 * row + 2] ?? 0,
  ];
  return (nowUs) => {
    const sinceUs = Math.max(0, nowUs - startUs);
    const at = first + (atEnd === 'loop' ? sinceUs % lengthUs : sinceUs);
    const row = lastAtOrBefore(tUs, at);
    return { acc: vector(acc, row), gyr: vector(gyr, row), mag: EARTH_FIELD, temperatureC };
  };
}

/** Index of the last of `tUs` that is not after `at`; 0 when all are. */
function lastAtOrBefore(tUs: ArrayLike<number>, at: number): number {
  let low = 0;
  let high = tUs.length;
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if ((tUs[middle] ?? 0) <= at) low = middle;
    else high = middle;
  }
  return low;
}

const STEP_HZ = 1.9;
const WALK_SECONDS = 12;
const REST_SECONDS = 8;

/** A worn board: twelve seconds of walking, eight of rest, over and over. Amplitudes as of a watch on an easy walk. */
export function syntheticMotion(): MotionSource {
  return (tUs) => {
    const t = tUs / 1e6;
    const mag = EARTH_FIELD;
    const temperatureC = 25 + 4 * (1 - Math.exp(-t / 300));
    if (t % (WALK_SECONDS + REST_SECONDS) >= WALK_SECONDS) {
      return { acc: [0, 0, GRAVITY], gyr: [0, 0, 0], mag, temperatureC };
    }
    const step = 2 * Math.PI * STEP_HZ * t;
    const swing = step / 2;
    return {
      acc: [
        1.8 * Math.sin(swing) + 0.6 * Math.sin(2 * step + 0.4),
        1.1 * Math.cos(step) + 0.4 * Math.sin(3 * step),
        GRAVITY + 2.6 * Math.sin(step) + 0.9 * Math.sin(2 * step),
      ],
      gyr: [1.4 * Math.cos(swing), 0.7 * Math.sin(step) + 0.2 * Math.cos(2 * step), 0.5 * Math.sin(swing + 0.8)],
      mag,
      temperatureC,
    };
  };
}

/** Gravity, in the order in which the hand turns the board: each of its axes up and down. */
const SIDES: readonly Vector[] = [
  [0, 0, GRAVITY],
  [0, 0, -GRAVITY],
  [GRAVITY, 0, 0],
  [-GRAVITY, 0, 0],
  [0, GRAVITY, 0],
  [0, -GRAVITY, 0],
];

/** A board that lies still, flat at first. `turn` lays it on its next side, from after the newest instant on that was asked about. */
export function laidMotion(): { readonly motion: MotionSource; turn(): void } {
  const turnsUs: number[] = [];
  let newestUs = 0;
  const motion: MotionSource = (tUs) => {
    newestUs = Math.max(newestUs, tUs);
    const turns = turnsUs.filter((turnUs) => turnUs < tUs).length;
    return { acc: SIDES[turns % SIDES.length] as Vector, gyr: [0, 0, 0], mag: EARTH_FIELD, temperatureC: 25 };
  };
  return { motion, turn: () => void turnsUs.push(newestUs) };
}
