/**
 * The same movement as if the board had been worn a little differently and the person had been a little faster or slower: the
 * sensor's frame is turned by up to ±10° about a random axis, one rotation for all three-axis sensors of the window; time is
 * stretched by up to ±10 % and shifted by up to an eighth of the window, reflected at its ends, linear in between.
 * A fleet meets people and mountings that none of its boards has seen; E steps over ten windows would learn those ten by heart.
 */
import type { Rng } from '../../core/math/rng.ts';
import type { BatchWindow } from '../../core/model/batch.ts';

const MOST_TURN = (10 * Math.PI) / 180;
const MOST_STRETCH = 0.1;
/** Of the window's length. */
const MOST_SHIFT = 1 / 8;
const AXES = 3;

/** Row-major 3 × 3. */
type Rotation = readonly number[];

/** A window in physical units; a new one, of the same shape. @param channels per modality; only those of 3 channels are turned */
export function reworn(window: BatchWindow, channels: readonly number[], rng: Rng): BatchWindow {
  const rotation = randomRotation(rng);
  const pace = 1 + MOST_STRETCH * (2 * rng.next() - 1);
  const shift = MOST_SHIFT * (2 * rng.next() - 1);
  const values = window.values.map((of, m) => {
    if (of === null) return null;
    const width = channels[m] as number;
    const retimed = resampled(of, width, pace, shift);
    if (width === AXES) turn(retimed, rotation);
    return retimed;
  });
  return { ...window, values };
}

/** Rodrigues' formula for a random axis and an angle within ±10°. */
function randomRotation(rng: Rng): Rotation {
  const axis = [rng.normal(), rng.normal(), rng.normal()] as const;
  const length = Math.hypot(...axis);
  const [x, y, z] = axis.map((a) => a / length) as [number, number, number];
  const angle = MOST_TURN * (2 * rng.next() - 1);
  const [s, c] = [Math.sin(angle), Math.cos(angle)];
  const t = 1 - c;
  return [
    ...[t * x * x + c, t * x * y - s * z, t * x * z + s * y],
    ...[t * x * y + s * z, t * y * y + c, t * y * z - s * x],
    ...[t * x * z - s * y, t * y * z + s * x, t * z * z + c],
  ];
}

/** In place: every sample of `[T, 3]` times the rotation. */
function turn(values: Float32Array, [a, b, c, d, e, f, g, h, i]: Rotation): void {
  for (let at = 0; at < values.length; at += AXES) {
    const [x, y, z] = [values[at] as number, values[at + 1] as number, values[at + 2] as number];
    values[at] = (a as number) * x + (b as number) * y + (c as number) * z;
    values[at + 1] = (d as number) * x + (e as number) * y + (f as number) * z;
    values[at + 2] = (g as number) * x + (h as number) * y + (i as number) * z;
  }
}

/** `[T, channels]` read at (t − T/2) · pace + T/2 + shift · T. */
function resampled(values: Float32Array, channels: number, pace: number, shift: number): Float32Array {
  const length = values.length / channels;
  const out = new Float32Array(values.length);
  for (let t = 0; t < length; t++) {
    const place = reflected((t - length / 2) * pace + length / 2 + shift * length, length - 1);
    const before = Math.min(Math.floor(place), length - 1);
    const after = Math.min(before + 1, length - 1);
    const share = place - before;
    for (let c = 0; c < channels; c++) {
      const [from, to] = [values[before * channels + c] as number, values[after * channels + c] as number];
      out[t * channels + c] = from + share * (to - from);
    }
  }
  return out;
}

/** `place` mirrored into [0, last]; it is never farther out than `last`. */
function reflected(place: number, last: number): number {
  if (place < 0) return Math.min(-place, last);
  return place > last ? Math.max(2 * last - place, 0) : place;
}
