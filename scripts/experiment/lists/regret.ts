/** How fast an online learner stops regretting: convex, where theory speaks, and deep, where it does not. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial, TrialOptions } from '../trial.ts';
import { atPoint, mixedBoards, type Series, strategies } from './regimes.ts';

/** Step sizes of the convex case: the exponent depends on them more than on anything else. */
const STEPS = [0.1, 1];

const FAILURES = [
  { figure: 'missing', option: 'missingRate' },
  { figure: 'degraded', option: 'degradedRate' },
] as const;

function convexSeries({ isQuick }: ListContext): Series[] {
  const steps = isQuick ? STEPS.slice(0, 1) : STEPS;
  return steps.flatMap((learningRate): Series[] => [
    { label: `zeros, step ${learningRate}`, strategy: 'fedavg', settings: { learningRate } },
    { label: `prototypes, step ${learningRate}`, strategy: 'qqr', settings: { learningRate, fill: 'pnr' } },
  ]);
}

function trials(context: ListContext): Trial[] {
  const rates = context.isQuick ? [0, 0.9] : [0, 0.5, 0.9];
  const deep = context.isQuick ? strategies('fedavg', 'qqr') : strategies('fedavg', 'fedavg-masked', 'qqr');
  return FAILURES.slice(0, context.isQuick ? 1 : 2).flatMap(({ figure, option }) =>
    rates.flatMap((rate) => {
      const failing: TrialOptions = rate === 0 ? {} : { [option]: rate };
      const regime = mixedBoards(context, 1, failing);
      return [
        ...deep.flatMap((each) => atPoint(context, `deep-${figure}`, rate, each, regime, { measure: 'regret-deep' })),
        ...convexSeries(context).flatMap((each) =>
          atPoint(context, `convex-${figure}`, rate, each, regime, { measure: 'regret-convex' }),
        ),
      ];
    }),
  );
}

const METRICS = ['regret/exponent', 'regret/per-window', 'online/loss'];

export const regret: Experiment = {
  name: 'regret',
  title: 'Regret',
  question:
    'By which power of the number of rounds does the cumulative loss outgrow that of a fixed model in hindsight?',
  claims: ['The paper proves regret of order √T (exponent 0.5) for convex losses.'],
  leastModalities: 1,
  figures: FAILURES.flatMap(({ figure }) => [
    {
      id: `deep-${figure}`,
      title: `The network, a modality ${figure}`,
      caption:
        'Online loss before training, less the loss of the run’s own final model on the same stream, in which windows come again where a board has too few. Five boards, Dirichlet 1. Exponents are slopes over T = 2, 4, 8, … rounds.',
      xLabel: `${figure} rate`,
      x: 'linear' as const,
      metrics: METRICS,
      baseline: 'fedavg-masked',
    },
    {
      id: `convex-${figure}`,
      title: `Softmax regression, a modality ${figure}`,
      caption:
        'Online gradient descent with steps η/√t on fixed features, against the best fixed weights for the first T rounds; windows come again where a board has too few. A missing modality is zeros, or filled from class means.',
      xLabel: `${figure} rate`,
      x: 'linear' as const,
      metrics: METRICS,
      baseline: null,
    },
  ]),
  stages: [trials],
};
