/** No federation at all: every board learns alone, from its own first model on. What joining a fleet must beat. */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const localOnly: Strategy = {
  ...fedavgMasked,
  description: 'every board learns alone; nothing is shared but the normalization',
  settings: { ...fedavgMasked.settings, strategy: 'local-only', shareModel: false },
};
