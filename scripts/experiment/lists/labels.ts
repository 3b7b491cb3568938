/** Only some windows are labelled. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, type Series, strategies } from './regimes.ts';

/** Taking unlabelled windows along makes more rounds, guesses or not: the second series tells the two apart. */
const UNLABELLED: readonly Series[] = [
  { label: 'qqr, all windows, no guess', strategy: 'qqr', settings: { pseudoLabels: 1 } },
  { label: 'qqr, pseudo-labels', strategy: 'qqr', settings: { pseudoLabels: 0.99 } },
];

function trials(context: ListContext): Trial[] {
  const shares = context.isQuick ? [0.1, 1] : [0.05, 0.1, 0.25, 0.5, 1];
  const known = context.isQuick
    ? strategies('fedavg-masked', 'qqr')
    : strategies('fedavg', 'fedavg-masked', 'plr', 'qqr');
  const series = [...known, ...UNLABELLED];
  return shares.flatMap((labelled) => {
    const regime = bySubject(context, { missingRate: 0.5, ...(labelled === 1 ? {} : { labelled }) });
    return series.flatMap((each) => atPoint(context, 'share', labelled, each, regime));
  });
}

export const labels: Experiment = {
  name: 'labels',
  title: 'Fewer labels',
  question: 'How far do few labels go, and do windows without one help?',
  claims: [],
  leastModalities: 2,
  figures: [
    {
      id: 'share',
      title: 'Accuracy by share of labelled windows',
      caption:
        'A modality is missing in half of the board-rounds. Without the unlabelled windows few labels make few rounds; with them as many as with all labels. Pseudo-labels: what the prototypes are at least 99 % sure of.',
      xLabel: 'labelled share',
      x: 'log',
      metrics: ['clean', 'missing/', 'online/accuracy'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
