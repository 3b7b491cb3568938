/** FedProx (Li et al. 2020): every local step is also pulled back to the broadcast model, μ/2 ‖W − W_broadcast‖². */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const fedprox: Strategy = {
  ...fedavgMasked,
  description: 'masked federated averaging with a proximal term that holds boards to the broadcast model',
  settings: { ...fedavgMasked.settings, strategy: 'fedprox', proximalWeight: 0.1 },
};
