/**
 * Federated averaging that trains on complete windows only: what many pipelines do with missing data. A board without complete
 * windows sends nothing that round; at prediction a missing modality is the zero embedding.
 */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const dropIncomplete: Strategy = {
  ...fedavgMasked,
  description: 'federated averaging over complete windows; those that lack a modality are dropped',
  settings: { ...fedavgMasked.settings, strategy: 'drop-incomplete', dropIncomplete: true },
};
