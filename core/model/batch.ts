/**
 * Windows as the network takes them: z-scored, stacked, with masks.
 * Invariant: a modality that the window does not have is zeros in `inputs` (the mean, after normalization), 0 in `present` and 0 in `quality`.
 */
import { AppError } from '../base/errors.ts';
import type { Normalization } from '../qqr/normalization.ts';
import { joined } from '../qqr/stack.ts';
import type { ModalitySpec, ModelSpec } from './spec.ts';

export interface Batch {
  /** B */
  readonly size: number;
  /** Per modality `[B, T_m, C_m]` z-scored; all zeros for windows without it. */
  readonly inputs: readonly Float32Array[];
  /** `[B, M]` 1 where the modality is there, else 0. */
  readonly present: Float32Array;
  /** `[B, M]` 1 where alignment may use the window's modality although the head does not get it; left out: as `present`. */
  readonly sensed?: Float32Array;
  /** `[B, M]` quality in [0, 1]; 0 where absent. */
  readonly quality: Float32Array;
  /** `[B]` class index, −1 where unknown. */
  readonly labels: Int32Array;
}

/** What a batch needs to know of a window. */
export interface BatchWindow {
  /** Per modality `[T_m, C_m]` row-major in physical units; null when absent. */
  readonly values: readonly (Float32Array | null)[];
  /** Per modality, in [0, 1]; not read where absent. */
  readonly quality: readonly number[];
  /** Class index, −1 when unknown. */
  readonly label: number;
}

/** Stacks and z-scores `windows`; copies, never keeps their arrays. @throws AppError `shape-mismatch`. */
export function makeBatch(windows: readonly BatchWindow[], spec: ModelSpec, normalization: Normalization): Batch {
  const size = windows.length;
  const count = spec.modalities.length;
  const inputs = spec.modalities.map((m) => new Float32Array(size * m.samples * m.channels.length));
  const present = new Float32Array(size * count);
  const quality = new Float32Array(size * count);
  for (const [m, modality] of spec.modalities.entries()) {
    const target = inputs[m] as Float32Array;
    const length = modality.samples * modality.channels.length;
    for (const [b, window] of windows.entries()) {
      const values = window.values[m] ?? null;
      if (values === null) continue;
      if (values.length !== length) throw shapeMismatch(modality, values.length, length);
      standardize(values, channelScale(normalization, m, modality), target, b * length);
      present[b * count + m] = 1;
      quality[b * count + m] = window.quality[m] ?? 0;
    }
  }
  return { size, inputs, present, quality, labels: Int32Array.from(windows, (window) => window.label) };
}

interface ChannelScale {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

function channelScale(normalization: Normalization, m: number, modality: ModalitySpec): ChannelScale {
  const mean = normalization.mean[m];
  const std = normalization.std[m];
  const channels = modality.channels.length;
  if (mean?.length !== channels || std?.length !== channels) throw shapeMismatch(modality, mean?.length ?? 0, channels);
  return { mean, std };
}

/** target[offset + i] = (values[i] − mean) / std of its channel. */
function standardize(values: Float32Array, { mean, std }: ChannelScale, target: Float32Array, offset: number): void {
  const channels = mean.length;
  for (let c = 0; c < channels; c++) {
    const center = mean[c] as number;
    const scale = 1 / (std[c] as number);
    for (let i = c; i < values.length; i += channels) target[offset + i] = ((values[i] as number) - center) * scale;
  }
}

function shapeMismatch(modality: ModalitySpec, got: number, wanted: number): AppError {
  return new AppError('shape-mismatch', `${got} values where the model takes ${wanted}`, {
    where: `modality '${modality.name}'`,
    hint: 'Cut windows with the spec that the aggregator broadcasts.',
  });
}

/** The windows of all, one after the other; at least one batch. What only alignment sees (`sensed`) is left out. */
export function joinedBatches(batches: readonly Batch[]): Batch {
  const all = (of: (batch: Batch) => Float32Array) => joined(batches.map(of));
  return {
    size: batches.reduce((sum, { size }) => sum + size, 0),
    inputs: (batches[0]?.inputs ?? []).map((_, m) => all(({ inputs }) => inputs[m] as Float32Array)),
    present: all(({ present }) => present),
    quality: all(({ quality }) => quality),
    labels: Int32Array.from(batches.flatMap(({ labels }) => [...labels])),
  };
}

/** Windows `from` … `to − 1`, as views. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  const cut = (values: Float32Array) => {
    const each = values.length / batch.size;
    return values.subarray(from * each, to * each);
  };
  return {
    size: to - from,
    inputs: batch.inputs.map(cut),
    present: cut(batch.present),
    quality: cut(batch.quality),
    labels: batch.labels.subarray(from, to),
  };
}
