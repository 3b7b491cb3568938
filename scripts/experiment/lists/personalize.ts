/** What a board gains for its own person by learning with others. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, percent, strategies } from './regimes.ts';

function trials(context: ListContext): Trial[] {
  const rates = context.isQuick ? [0.7] : [0, 0.7];
  const series = strategies('local-only', 'fedavg', 'fedavg-masked', 'plr', 'qqr');
  return rates.flatMap((missingRate) => {
    const regime = bySubject(context, missingRate === 0 ? {} : { missingRate });
    const x = missingRate === 0 ? 'healthy' : `missing ${percent(missingRate)}`;
    return series.flatMap((each) => atPoint(context, 'own', x, each, regime));
  });
}

export const personalize: Experiment = {
  name: 'personalize',
  title: 'For one’s own person',
  question: 'Is a board’s own person recognized better by the fleet’s model, or by one learned alone?',
  claims: [],
  leastModalities: 2,
  figures: [
    {
      id: 'own',
      title: 'On a board’s own stream, and on strangers',
      caption:
        '“Predict, then train” is about the board’s own person, each window before it is learned from; the others are people that no board has seen.',
      xLabel: 'sensors',
      x: 'ordinal',
      metrics: ['online/accuracy', 'clean', 'missing/'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
