/**
 * Unlabelled windows get the class that the fleet's prototypes take them for, where they are sure (`core/qqr/pseudo-label.ts`).
 * A guess teaches the network and nothing else: prototypes made of guesses would confirm themselves.
 */
import { makeBatch } from '../../core/model/batch.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { Network } from '../../core/model/network.ts';
import { pseudoLabels } from '../../core/qqr/pseudo-label.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import type { Checkpoint } from '../store/agent-store.ts';
import { type LabelledWindow, normalizationFor, startParams } from './round-work.ts';

/** The windows in their order, those without a label with a guess where there is one. As they are when the plan wants no guesses. */
export function withGuesses(
  windows: readonly LabelledWindow[],
  { spec, settings }: RoundPlan,
  global: GlobalState,
  before: Checkpoint,
  network: Network,
): readonly LabelledWindow[] {
  const open = settings.pseudoLabels > 0 ? windows.filter(({ label }) => !spec.classes.includes(label)) : [];
  const { prototypes } = global;
  if (open.length === 0) return windows;
  const batch = makeBatch(
    open.map((window) => ({ ...window, label: -1 })),
    spec,
    normalizationFor(windows, spec, settings, global, before),
  );
  const params = startParams(settings, global, before);
  const { fill, fillTemperature, alignTemperature: temperature } = settings;
  const { embeddings } = network.infer({ params, prototypes, batch, fill, fillTemperature });
  const guesses = pseudoLabels({ embeddings, present: batch.present, prototypes, temperature }, settings.pseudoLabels);
  return windows.map((window) => {
    const guess = guesses[open.indexOf(window)] ?? -1;
    return guess < 0 ? window : { ...window, guess };
  });
}
