/**
 * QQR (arXiv 2508.11159; formulas ours): a missing modality is filled from prototypes (PNR, docs/algorithm.md §4), embeddings are pulled
 * to their class (PLR, §5), prototypes and averages weigh a modality by its quality (§6).
 */
import { plr } from './plr.ts';
import type { Strategy } from './strategy.ts';

export const qqr: Strategy = {
  description: 'prototypes fill in missing modalities (PNR) and align degraded ones (PLR), weighed by quality',
  settings: { ...plr.settings, strategy: 'qqr', fill: 'pnr', fillTemperature: 0.25, qualityWeights: true },
  prototypeMemory: 0.7,
  modelMemory: 0.8,
};
