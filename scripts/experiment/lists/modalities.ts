/** One, two or three modalities, each person left out once. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial, TrialOptions } from '../trial.ts';
import { bySubject, percent, type Series, seedsOf, strategies, trialFor } from './regimes.ts';

const MISSING = 0.5;
/** The segments that DSADS is published in. */
const CUTTING: TrialOptions = { windowSeconds: 5, overlap: 0 };

/** All sets of modalities, small ones first, in the order of the recordings. */
function subsets(names: readonly string[]): string[][] {
  const all = Array.from({ length: 2 ** names.length - 1 }, (_, i) => names.filter((_name, m) => (i + 1) & (1 << m)));
  return all.sort((a, b) => a.length - b.length);
}

/** As many seeds as people, where there are few, so that each is the test once. */
function turns(context: ListContext): number[] {
  if (context.isQuick || context.data.subjects.length > 10) return seedsOf(context);
  return context.data.subjects.map((_, i) => i + 1);
}

function trials(context: ListContext): Trial[] {
  const sets = subsets(context.data.modalities.slice(0, 3)).filter((set) => !context.isQuick || set.length !== 2);
  const base: TrialOptions = { ...CUTTING, split: { kind: 'leave-one-out' }, rounds: context.isQuick ? 12 : 100 };
  const at = (modalities: string[], missingRate: number, each: Series) => {
    const regime = bySubject(context, { ...base, modalities, ...(missingRate === 0 ? {} : { missingRate }) });
    const label = missingRate === 0 ? `${each.label}, healthy` : `${each.label}, missing ${percent(missingRate)}`;
    const arm = { figure: 'sets', x: modalities.join(' + '), series: label };
    return turns(context).map((seed) => trialFor(seed, arm, each, regime));
  };
  const [qqr] = strategies('qqr') as [Series];
  const rivals = context.isQuick ? [] : strategies('fedavg-masked');
  return [
    ...sets.flatMap((set) => [...at(set, 0, qqr), ...(set.length < 2 ? [] : at(set, MISSING, qqr))]),
    ...rivals.flatMap((each) => sets.slice(-1).flatMap((set) => [...at(set, 0, each), ...at(set, MISSING, each)])),
  ];
}

export const modalities: Experiment = {
  name: 'modalities',
  title: 'One, two, three modalities',
  question: 'What does each further modality bring, and what is lost when one is missing half of the time?',
  claims: [],
  leastModalities: 3,
  figures: [
    {
      id: 'sets',
      title: 'Accuracy by set of modalities',
      caption:
        'Each person is the test once; ± is over people, who differ. Missing: one of the set, in half of the board-rounds.',
      xLabel: 'modalities',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'online/accuracy'],
      baseline: 'qqr, healthy',
    },
  ],
  stages: [trials],
};
