/** What fails changes while the fleet learns. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial, TrialOptions } from '../trial.ts';
import { atPoint, contenders, mixedBoards } from './regimes.ts';

const ROUNDS = 100;

const SCENARIOS: readonly {
  readonly id: string;
  readonly title: string;
  readonly caption: string;
  readonly failing: (modalities: readonly string[], rounds: number) => TrialOptions;
}[] = [
  {
    id: 'pattern',
    title: 'Another sensor fails',
    caption:
      'In the first third of the rounds the first modality is missing in 90 % of board-rounds, in the second third the second, then none.',
    failing: ([first = '', second = ''], rounds) => ({
      phases: [
        { untilRound: Math.floor(rounds / 3), missingRate: 0.9, missingModality: first },
        { untilRound: Math.floor((2 * rounds) / 3), missingRate: 0.9, missingModality: second },
      ],
    }),
  },
  {
    id: 'outage',
    title: 'A sensor dies and returns',
    caption: 'On every board the first modality is gone in the second third of the rounds, and nothing else fails.',
    failing: ([first = ''], rounds) => ({
      outages: [
        { boards: 1, modality: first, fromRound: Math.floor(rounds / 3) + 1, untilRound: Math.floor((2 * rounds) / 3) },
      ],
    }),
  },
];

function trials(context: ListContext): Trial[] {
  return SCENARIOS.flatMap(({ id, failing }) => {
    const rounds = context.isQuick ? 12 : ROUNDS;
    const changing = failing(context.data.modalities, rounds);
    const regime = mixedBoards(context, 1, { ...changing, evaluateEvery: context.isQuick ? 2 : 4 });
    return contenders(context).flatMap((series) => atPoint(context, id, 'run', series, regime));
  });
}

export const drift: Experiment = {
  name: 'drift',
  title: 'Failures that change',
  question: 'Does a fleet recover when other sensors begin to fail, or when a dead one returns?',
  claims: [],
  leastModalities: 2,
  figures: SCENARIOS.map(({ id, title, caption }) => ({
    id,
    title,
    caption: `${caption} Five boards, Dirichlet 1.`,
    xLabel: 'round',
    x: 'curve',
    metrics: ['onlineAccuracy', 'clean', 'onlineLoss'],
    baseline: 'fedavg-masked',
  })),
  stages: [trials],
};
