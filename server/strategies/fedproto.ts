/**
 * FedProto (Tan et al. 2022): boards keep their own models; only prototypes travel, and each embedding is drawn to its class's
 * by squared distance. With shareModel = true the distance loss comes on top of federated averaging.
 */
import { localOnly } from './local-only.ts';
import type { Strategy } from './strategy.ts';

export const fedproto: Strategy = {
  ...localOnly,
  description: 'prototypes travel, models stay on their boards; embeddings are drawn to their prototype',
  settings: {
    ...localOnly.settings,
    strategy: 'fedproto',
    alignLoss: 'distance',
    alignWeight: 1,
    sendPrototypes: true,
    prototypeBits: 32,
  },
};
