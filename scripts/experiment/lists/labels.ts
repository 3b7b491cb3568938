/** Only some windows are labelled. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, strategies } from './regimes.ts';

function trials(context: ListContext): Trial[] {
  const shares = context.isQuick ? [0.1, 1] : [0.05, 0.1, 0.25, 0.5, 1];
  const series = context.isQuick
    ? strategies('fedavg-masked', 'qqr')
    : strategies('fedavg', 'fedavg-masked', 'plr', 'qqr');
  return shares.flatMap((labelled) => {
    const regime = bySubject(context, { missingRate: 0.5, ...(labelled === 1 ? {} : { labelled }) });
    return series.flatMap((each) => atPoint(context, 'share', labelled, each, regime));
  });
}

export const labels: Experiment = {
  name: 'labels',
  title: 'Fewer labels',
  question: 'How far do few labels go?',
  claims: [],
  leastModalities: 2,
  figures: [
    {
      id: 'share',
      title: 'Accuracy by share of labelled windows',
      caption: 'A modality is missing in half of the board-rounds.',
      xLabel: 'labelled share',
      x: 'log',
      metrics: ['clean', 'missing/', 'online/accuracy'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
