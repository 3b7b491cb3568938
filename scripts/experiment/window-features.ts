/**
 * Fixed features of a window for the convex case: per channel mean, standard deviation, mean absolute difference, minimum and
 * maximum. They depend on nothing that is learned, so that softmax regression on them is a convex problem.
 */
import type { Window } from '../../core/stream/window.ts';

export const FEATURES_PER_CHANNEL = 5;

/** Per modality `[5 · channels]`, or null where the window does not have it. */
export function featuresOf({ values }: Window, channels: readonly number[]): (Float64Array | null)[] {
  return values.map((of, m) => (of === null ? null : modalityFeatures(of, channels[m] as number)));
}

function modalityFeatures(values: Float32Array, channels: number): Float64Array {
  const features = new Float64Array(FEATURES_PER_CHANNEL * channels);
  const samples = values.length / channels;
  for (let c = 0; c < channels; c++) {
    let [sum, squares, change, low, high] = [0, 0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (let i = c; i < values.length; i += channels) {
      const value = values[i] as number;
      sum += value;
      squares += value * value;
      if (i >= channels) change += Math.abs(value - (values[i - channels] as number));
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    const mean = sum / samples;
    const std = Math.sqrt(Math.max(0, squares / samples - mean * mean));
    features.set([mean, std, change / Math.max(1, samples - 1), low, high], FEATURES_PER_CHANNEL * c);
  }
  return features;
}

/** Largest size of a scaled feature: a fault far outside of the ordinary must not decide a gradient. */
const LIMIT = 5;

/** z-scores by the features of some windows, per modality; those without any are left as they are, and so is a constant. */
export function createScale(
  windows: readonly (readonly (Float64Array | null)[])[],
): (features: readonly (Float64Array | null)[]) => (Float64Array | null)[] {
  const modalities = windows[0]?.length ?? 0;
  const scales = Array.from({ length: modalities }, (_, m) => scaleOf(windows.flatMap((of) => of[m] ?? [])));
  return (features) =>
    features.map((of, m) => {
      const scale = scales[m] ?? null;
      if (of === null || scale === null) return of;
      return of.map((value, i) => {
        const z = (value - (scale.mean[i] as number)) / (scale.std[i] as number);
        return Math.max(-LIMIT, Math.min(LIMIT, z));
      });
    });
}

function scaleOf(rows: readonly Float64Array[]): { readonly mean: Float64Array; readonly std: Float64Array } | null {
  const [first] = rows;
  if (first === undefined) return null;
  const mean = first.map((_, i) => rows.reduce((sum, row) => sum + (row[i] as number), 0) / rows.length);
  const std = first.map((_, i) => {
    const variance = rows.reduce((sum, row) => sum + ((row[i] as number) - (mean[i] as number)) ** 2, 0) / rows.length;
    return variance > 0 ? Math.sqrt(variance) : 1;
  });
  return { mean, std };
}
