/** The four rows that everything is measured by, for every strategy as it comes, and the bounds of single-sensor specialists. */
import { STRATEGY_NAMES } from '../../../server/strategies/registry.ts';
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial, TrialOptions } from '../trial.ts';
import { atPoint, bySubject, mixedBoards, type Regime, strategies } from './regimes.ts';

/** Every kind of fault alone, and no modality at all, beside the usual conditions. */
const TESTED: TrialOptions = { testFaults: ['kinds', 'nothing'] };

function rows(context: ListContext): readonly (readonly [name: string, regime: Regime])[] {
  return [
    ['healthy', bySubject(context, TESTED)],
    ['missing 70 %', bySubject(context, { ...TESTED, missingRate: 0.7 })],
    ['missing 50 %, degraded 50 %', bySubject(context, { ...TESTED, missingRate: 0.5, degradedRate: 0.5 })],
    ['missing 90 %, degraded 90 %', bySubject(context, { ...TESTED, missingRate: 0.9, degradedRate: 0.9 })],
    ['Dirichlet 0.3, missing 90 %', mixedBoards(context, 0.3, { ...TESTED, missingRate: 0.9 })],
  ];
}

function trials(context: ListContext): Trial[] {
  const shown = context.isQuick ? rows(context).slice(0, 3) : rows(context);
  const everybody = context.isQuick ? [] : strategies(...STRATEGY_NAMES);
  return [
    ...shown.flatMap(([name, regime]) =>
      strategies('fedavg', 'fedavg-masked', 'qqr', 'lean').flatMap((each) =>
        atPoint(context, 'rows', name, each, regime),
      ),
    ),
    ...everybody.flatMap((each) =>
      atPoint(context, 'everybody', 'missing 70 %', each, bySubject(context, { ...TESTED, missingRate: 0.7 })),
    ),
    ...specialists(context),
  ];
}

/** Trained and tested on one modality alone, with the same budget: what a fleet without the others could have. */
function specialists(context: ListContext): Trial[] {
  return context.data.modalities.flatMap((name) =>
    strategies('fedavg-masked', 'plr', 'qqr').flatMap((each) =>
      atPoint(context, 'specialists', `${name} only`, each, bySubject(context, { modalities: [name] })),
    ),
  );
}

export const headline: Experiment = {
  name: 'headline',
  title: 'The headline rows',
  question: 'How do all strategies do, as they come, on people that no board has seen?',
  claims: ['The paper reports QQR up to 7.4 points of accuracy above the methods that it compares with.'],
  leastModalities: 2,
  figures: [
    {
      id: 'rows',
      title: 'Textbook, baseline and ours in every row',
      caption:
        'Settings as they come, not tuned per row; for equal tuning see the experiment “tuned”. “Predict, then train” includes windows that came again after they had been trained on.',
      xLabel: 'row',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'degraded/', 'fault/', 'online/accuracy', 'bytes/total'],
      baseline: 'fedavg-masked',
    },
    {
      id: 'everybody',
      title: 'Every strategy there is',
      caption:
        'A board per person, a modality missing in 70 % of the board-rounds. Where boards keep their models, the mean over boards.',
      xLabel: 'row',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'degraded/', 'online/accuracy', 'bytes/total'],
      baseline: 'fedavg-masked',
    },
    {
      id: 'specialists',
      title: 'Specialists',
      caption: 'Fleets that only ever had one modality: the bound for tests without the others.',
      xLabel: 'modality',
      x: 'ordinal',
      metrics: ['clean', 'online/accuracy'],
      baseline: null,
    },
  ],
  stages: [trials],
};
