/** The board's modalities in the order of the fleet's model: a board may have them in another order, more of them, or fewer. */
import { AppError } from '../../core/base/errors.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import { alignModalities, type WindowModality } from '../../core/stream/align.ts';
import type { StoredWindow } from '../store/agent-store.ts';
import type { LabelledWindow } from './round-work.ts';

/**
 * For each modality of the spec its position on the board, −1 when the board does not have it.
 * @throws AppError `shape-mismatch` when a modality of that name is measured otherwise: it would teach the fleet nonsense
 */
export function matchModalities(spec: ModelSpec, board: readonly WindowModality[]): number[] {
  const index = alignModalities(board, spec.modalities);
  spec.modalities.forEach(({ name, samples, sampleRateHz }, m) => {
    const own = board[index[m] as number];
    if (own === undefined || own.samples === samples) return;
    throw new AppError(
      'shape-mismatch',
      `a window of '${name}' has ${own.samples} samples here and ${samples} in the fleet's model`,
      {
        where: name,
        hint: `set window.seconds and the sensor's rate (here ${own.sampleRateHz} Hz, there ${sampleRateHz} Hz) as the aggregator does`,
      },
    );
  });
  return index;
}

/** A stored window with its modalities as the spec has them; one that the board lacks is absent, of quality 0. */
export function inSpecOrder(window: StoredWindow, boardIndex: readonly number[]): LabelledWindow {
  return {
    label: window.label ?? '',
    values: boardIndex.map((at) => window.values[at] ?? null),
    quality: boardIndex.map((at) => window.quality[at] ?? 0),
    why: boardIndex.map((at) => window.why?.[at] ?? null),
  };
}
