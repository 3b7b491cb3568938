/**
 * FedAvg (McMahan et al. 2017), the textbook baseline: a missing modality is a window of zeros through its encoder,
 * every board counts by its windows, the model travels as float32.
 */
import { DEFAULT_SETTINGS } from '../../core/model/settings.ts';
import { NO_GUARD } from './guard.ts';
import { adamStep } from './server-step.ts';
import type { Strategy } from './strategy.ts';

export const fedavg: Strategy = {
  description: 'plain federated averaging; a missing modality is a window of zeros',
  settings: DEFAULT_SETTINGS,
  prototypeMemory: 0.7,
  serverRate: 0,
  serverStep: adamStep,
  modelMemory: 0.8,
  lateExponent: 0.5,
  guard: NO_GUARD,
};
