/**
 * Which sensors to predict without, as a second opinion: those that look bad (docs/quality.md) in windows that have another that does
 * not. Pure, no TensorFlow.
 */
import type { Batch } from './batch.ts';

/** A modality of lower quality is doubted. */
export const DOUBTED_BELOW = 0.75;

export interface Undoubted {
  /** Their rows in the batch that was asked about, ascending. */
  readonly rows: readonly number[];
  /** These windows without their doubted modalities, in the order of `rows`. */
  readonly batch: Batch;
}

/** Null when there is no such window. */
export function withoutDoubted(batch: Batch): Undoubted | null {
  const modalities = batch.inputs.length;
  const isThere = (cell: number) => batch.present[cell] === 1;
  const isDoubted = (cell: number) => isThere(cell) && (batch.quality[cell] as number) < DOUBTED_BELOW;
  const rows = Array.from({ length: batch.size }, (_, i) => i).filter((i) => {
    const cells = Array.from({ length: modalities }, (_, m) => i * modalities + m);
    return cells.some(isDoubted) && cells.some((cell) => isThere(cell) && !isDoubted(cell));
  });
  if (rows.length === 0) return null;
  const cells = rows.flatMap((i) => Array.from({ length: modalities }, (_, m) => i * modalities + m));
  const kept = (values: Float32Array) =>
    Float32Array.from(cells, (cell) => (isDoubted(cell) ? 0 : (values[cell] as number)));
  const inputs = batch.inputs.map((input, m) => {
    const width = input.length / batch.size;
    const out = new Float32Array(rows.length * width);
    rows.forEach((i, row) => {
      if (!isDoubted(i * modalities + m)) out.set(input.subarray(i * width, (i + 1) * width), row * width);
    });
    return out;
  });
  return {
    rows,
    batch: {
      size: rows.length,
      inputs,
      present: kept(batch.present),
      quality: kept(batch.quality),
      labels: Int32Array.from(rows, (i) => batch.labels[i] as number),
    },
  };
}
