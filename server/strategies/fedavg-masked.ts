/**
 * FedAvg that knows about presence, the strong baseline: a missing modality is the zero embedding, and an encoder is averaged
 * only over the boards that had its modality (docs/algorithm.md §4).
 */
import { fedavg } from './fedavg.ts';
import type { Strategy } from './strategy.ts';

export const fedavgMasked: Strategy = {
  ...fedavg,
  description: 'federated averaging per modality; a missing modality is the zero embedding',
  settings: { ...fedavg.settings, strategy: 'fedavg-masked', fill: 'zero-embedding', modalityWeights: true },
};
