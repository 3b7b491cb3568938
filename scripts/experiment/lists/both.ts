/** Missing and degraded together, the setting that the algorithm is named after. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, contenders } from './regimes.ts';

function trials(context: ListContext): Trial[] {
  const rates = context.isQuick ? [0, 0.5, 0.9] : [0, 0.3, 0.5, 0.7, 0.9];
  return rates.flatMap((rate) => {
    const regime = bySubject(context, rate === 0 ? {} : { missingRate: rate, degradedRate: rate });
    return contenders(context).flatMap((series) => atPoint(context, 'both', rate, series, regime));
  });
}

export const both: Experiment = {
  name: 'both',
  title: 'Missing and degraded together',
  question: 'What is left when modalities are missing and degraded at the same time?',
  claims: ['The paper reports QQR up to 7.4 points of accuracy above the methods that it compares with.'],
  leastModalities: 2,
  figures: [
    {
      id: 'both',
      title: 'Missing and degraded at the same rate',
      caption: 'Share of board-rounds with a missing modality, and, drawn apart, with a degraded one.',
      xLabel: 'rate of each',
      x: 'linear',
      metrics: ['clean', 'missing/', 'degraded/', 'online/accuracy'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
