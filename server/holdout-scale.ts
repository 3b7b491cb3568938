/** Test windows at the scale that their person's own board would have (`core/qqr/board-normalization.ts`). */
import { type Batch, type BatchWindow, joinedBatches, makeBatch } from '../core/model/batch.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import { addToHistory, boardNormalization } from '../core/qqr/board-normalization.ts';
import type { Normalization } from '../core/qqr/normalization.ts';

/**
 * A function that stacks test windows, subject by subject, each at a scale learned from all of the subject's clean windows without
 * their labels. With a prior of 0 everything has the fleet's scale and keeps its order.
 * @param clean the windows as recorded; what is stacked are these, or the same in the same order under another condition
 * @param subjects whose each of them is; undefined: all one person's
 */
export function stackerFor(
  { clean, subjects }: { readonly clean: readonly BatchWindow[]; readonly subjects?: readonly string[] | undefined },
  spec: ModelSpec,
  fleet: Normalization,
  scalePrior: number,
): (windows: readonly BatchWindow[]) => Batch {
  if (scalePrior === 0) return (windows) => makeBatch(windows, spec, fleet);
  const channels = spec.modalities.map((modality) => modality.channels.length);
  const people = [...new Set(subjects ?? [''])].map((person) => {
    const isTheirs = clean.map((_, i) => (subjects?.[i] ?? '') === person);
    const history = addToHistory(
      undefined,
      clean.filter((_, i) => isTheirs[i]),
      channels,
    );
    return { isTheirs, scale: boardNormalization(fleet, history, scalePrior) };
  });
  return (windows) =>
    joinedBatches(
      people.map(({ isTheirs, scale }) =>
        makeBatch(
          windows.filter((_, i) => isTheirs[i]),
          spec,
          scale,
        ),
      ),
    );
}
