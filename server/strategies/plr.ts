/**
 * PLR without PNR: embeddings are pulled to the global prototype of their class (docs/algorithm.md §5), a missing modality is the zero
 * embedding. Separates what alignment brings from what filling brings.
 */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const plr: Strategy = {
  description: 'prototype alignment (PLR) with the zero embedding for a missing modality',
  settings: {
    ...fedavgMasked.settings,
    strategy: 'plr',
    alignWeight: 1,
    sendPrototypes: true,
    prototypeBits: 4,
    modelBits: 2,
  },
  prototypeMemory: 0.7,
  modelMemory: 0.8,
};
