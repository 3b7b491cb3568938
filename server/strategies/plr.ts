/**
 * PLR by itself: embeddings are pulled to the global prototype of their class (docs/algorithm.md §5), a missing modality is the
 * zero embedding, the aggregator averages by modality and takes the mean as its step. Separates what alignment brings from everything else that QQR does.
 */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const plr: Strategy = {
  ...fedavgMasked,
  description: 'prototype alignment (PLR) with the zero embedding for a missing modality',
  settings: {
    ...fedavgMasked.settings,
    strategy: 'plr',
    alignWeight: 0.3,
    sendPrototypes: true,
    prototypeBits: 8,
    modelBits: 4,
  },
};
