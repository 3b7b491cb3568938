/**
 * What chips' own tests have in common: an electrostatic force moves the proof mass, and the outputs' change must lie in a range that
 * the datasheet gives. The board lies still meanwhile; means over a few samples keep noise out.
 */
import type { SelfTest } from './chip.ts';

export interface Allowed {
  readonly least: number;
  readonly most: number;
}

/** Mean of each axis over `count` samples, one every `periodMs`; the first after a change of settings is read and thrown away. */
export async function meanAxes(
  read: () => Promise<Float32Array>,
  { count, periodMs, sleep }: { count: number; periodMs: number; sleep: (ms: number) => Promise<void> },
): Promise<readonly number[]> {
  await read();
  const sums = [0, 0, 0];
  for (let sample = 0; sample < count; sample++) {
    await sleep(periodMs);
    const values = await read();
    for (let axis = 0; axis < 3; axis++) sums[axis] = (sums[axis] ?? 0) + (values[axis] ?? Number.NaN);
  }
  return sums.map((sum) => sum / count);
}

/** One row an axis, in the modality's unit. @param allowed per axis x, y, z */
export function responses(
  modality: string,
  off: readonly number[],
  on: readonly number[],
  allowed: readonly Allowed[],
  magnitude: (change: number) => number = Math.abs,
): SelfTest['axes'] {
  return allowed.map(({ least, most }, i) => ({
    axis: `${modality}.${'xyz'[i]}`,
    value: magnitude((on[i] ?? Number.NaN) - (off[i] ?? Number.NaN)),
    least,
    most,
  }));
}

export function judged(axes: SelfTest['axes']): SelfTest {
  return { passed: axes.every(({ value, least, most }) => value >= least && value <= most), axes };
}
