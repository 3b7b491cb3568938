/**
 * FedAvg (McMahan et al. 2017), the textbook baseline: a missing modality is a window of zeros through its encoder,
 * every board counts by its windows, the model travels as float32.
 */
import type { Strategy } from './strategy.ts';

export const fedavg: Strategy = {
  description: 'plain federated averaging; a missing modality is a window of zeros',
  settings: {
    strategy: 'fedavg',
    learningRate: 0.1,
    localSteps: 5,
    windowsPerRound: 10,
    fill: 'zero-input',
    fillTemperature: 0.25,
    alignWeight: 0,
    alignTemperature: 0.2,
    qualityWeights: false,
    modalityWeights: false,
    sendPrototypes: false,
    prototypeBits: 4,
    modelBits: 32,
  },
  prototypeMemory: 0.7,
  modelMemory: 0.8,
};
