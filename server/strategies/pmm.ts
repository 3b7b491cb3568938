/**
 * PMM (arXiv 2505.16138; form ours), QQR's predecessor: in training a missing modality is filled with the prototype of the window's
 * true class. At prediction there is no label; then the filling is PNR's.
 */
import { fedavgMasked } from './fedavg-masked.ts';
import type { Strategy } from './strategy.ts';

export const pmm: Strategy = {
  ...fedavgMasked,
  description: "a missing modality is filled with its true class's prototype in training",
  settings: { ...fedavgMasked.settings, strategy: 'pmm', fill: 'label', sendPrototypes: true },
};
