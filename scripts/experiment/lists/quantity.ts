/** A modality is missing, ever more often, for ever more boards at once. */
import type { FailureScope } from '../../../core/trace/failure-schedule.ts';
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, contenders } from './regimes.ts';

const SCOPES: readonly { readonly scope: FailureScope; readonly title: string; readonly caption: string }[] = [
  {
    scope: 'board-round',
    title: 'Missing here and there',
    caption: 'Share of board-rounds in which one modality, drawn at random, is missing.',
  },
  {
    scope: 'round',
    title: 'Missing for everybody at once',
    caption: 'Share of rounds in which one modality is missing on all boards.',
  },
  { scope: 'board', title: 'Missing for good', caption: 'Share of boards that never have one of the modalities.' },
];

function trials(context: ListContext): Trial[] {
  const rates = context.isQuick ? [0, 0.5, 0.9] : [0, 0.3, 0.5, 0.7, 0.9];
  const scopes = context.isQuick ? SCOPES.slice(0, 1) : SCOPES;
  return scopes.flatMap(({ scope }) =>
    rates.flatMap((missingRate) => {
      // without anything missing all scopes are the same run
      const regime = bySubject(context, missingRate === 0 ? {} : { missingRate, missingPer: scope });
      return contenders(context).flatMap((series) => atPoint(context, scope, missingRate, series, regime));
    }),
  );
}

export const quantity: Experiment = {
  name: 'quantity',
  title: 'Missing modalities',
  question: 'How much accuracy does a fleet lose when modalities are missing, and to whom of its boards?',
  claims: ['The paper reports QQR up to 7.4 points of accuracy above the methods that it compares with.'],
  leastModalities: 2,
  figures: SCOPES.map(({ scope, title, caption }) => ({
    id: scope,
    title,
    caption,
    xLabel: 'missing rate',
    x: 'linear',
    metrics: ['clean', 'missing/', 'online/accuracy'],
    baseline: 'fedavg-masked',
  })),
  stages: [trials],
};
