/** What a board gains for its own person by learning with others. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, percent, type Series, strategies } from './regimes.ts';

/**
 * The first two are trained alike: on its own stream a board predicts with the fleet's prototypes, or with its own mixed in. With a
 * scale of its own it also trains otherwise, and a stranger's scale is learned from the stranger's windows, without labels.
 */
const PERSONAL: readonly Series[] = [
  { label: 'qqr, fleet’s prototypes', strategy: 'qqr', settings: { personalPrior: 1e6 } },
  { label: 'qqr, own prototypes', strategy: 'qqr', settings: { personalPrior: 3 } },
  { label: 'qqr, own scale', strategy: 'qqr', settings: { scalePrior: 30 } },
  { label: 'qqr, own prototypes and scale', strategy: 'qqr', settings: { personalPrior: 3, scalePrior: 30 } },
];

function trials(context: ListContext): Trial[] {
  const rates = context.isQuick ? [0.7] : [0, 0.7];
  const series = [...strategies('local-only', 'fedavg', 'fedavg-masked', 'plr', 'qqr'), ...PERSONAL];
  return rates.flatMap((missingRate) => {
    const regime = bySubject(context, missingRate === 0 ? {} : { missingRate });
    const x = missingRate === 0 ? 'healthy' : `missing ${percent(missingRate)}`;
    return series.flatMap((each) => atPoint(context, 'own', x, each, regime));
  });
}

export const personalize: Experiment = {
  name: 'personalize',
  title: 'For one’s own person',
  question:
    'Is a board’s own person recognized better by the fleet’s model, or by one learned alone, and what do prototypes and an input scale of one’s own bring?',
  claims: [],
  leastModalities: 2,
  figures: [
    {
      id: 'own',
      title: 'On a board’s own stream, and on strangers',
      caption:
        '“Predict, then train” is about the board’s own person, each window before the round that trains on it; short streams come round again, so some windows were trained on earlier. It is what the head says; in series with prototypes in their name head and evidence. The others are people that no board has seen. With an own scale theirs comes from all of their windows, without labels.',
      xLabel: 'sensors',
      x: 'ordinal',
      metrics: ['online/accuracy', 'clean', 'missing/'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
