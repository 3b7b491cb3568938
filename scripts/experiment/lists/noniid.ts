/** How much it matters that boards see different classes, or different people. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, contenders, mixedBoards } from './regimes.ts';

const MISSING = { missingRate: 0.7 };

function trials(context: ListContext): Trial[] {
  const alphas = context.isQuick ? [0.1, 10] : [0.1, 0.3, 1, 3, 10];
  return contenders(context).flatMap((series) => [
    ...alphas.flatMap((alpha) => atPoint(context, 'dirichlet', alpha, series, mixedBoards(context, alpha, MISSING))),
    ...atPoint(context, 'subject', 'a board per person', series, bySubject(context, MISSING)),
  ]);
}

export const noniid: Experiment = {
  name: 'noniid',
  title: 'Boards that see different things',
  question:
    'How does accuracy depend on how alike the boards’ streams are, with a modality missing in 70 % of board-rounds?',
  claims: [],
  leastModalities: 2,
  figures: [
    {
      id: 'dirichlet',
      title: 'Five boards, classes dealt unevenly',
      caption: 'The smaller the Dirichlet parameter, the fewer classes a board sees most of the time.',
      xLabel: 'Dirichlet parameter',
      x: 'log',
      metrics: ['clean', 'missing/', 'online/accuracy'],
      baseline: 'fedavg-masked',
    },
    {
      id: 'subject',
      title: 'A board per person',
      caption: 'All classes on every board, each of one person only.',
      xLabel: 'boards',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'online/accuracy'],
      baseline: 'fedavg-masked',
    },
  ],
  stages: [trials],
};
