/** What a board's update says of a modality's quality in the round's windows: its mean, and what pulled it down. */
import type { Why } from '../../core/qqr/quality.ts';

/** A window below this is told of with its reason. */
const LOW_QUALITY = 0.8;

export interface JudgedWindow {
  readonly values: readonly (Float32Array | null)[];
  readonly quality: readonly number[];
  readonly why?: readonly (Why | null)[];
}

/** Mean over the windows that had the modality, in [0, 1]; 0 when none had. */
export function meanQualityOf(windows: readonly JudgedWindow[], m: number): number {
  const present = windows.filter((window) => window.values[m] !== null);
  if (present.length === 0) return 0;
  return present.reduce((sum, window) => sum + (window.quality[m] as number), 0) / present.length;
}

/** Of the windows of low quality that had the modality: the reason that took most quality away in all of them. */
export function reasonOf(windows: readonly JudgedWindow[], m: number): Why | null {
  const taken = new Map<Why, number>();
  for (const { values, quality, why } of windows) {
    const [of, reason] = [quality[m] as number, why?.[m] ?? null];
    if (values[m] !== null && reason !== null && of < LOW_QUALITY) taken.set(reason, (taken.get(reason) ?? 0) + 1 - of);
  }
  return [...taken].reduce<[Why | null, number]>((most, next) => (next[1] > most[1] ? next : most), [null, 0])[0];
}
