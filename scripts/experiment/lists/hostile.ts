/** A quarter of the boards mean harm: what the plain mean loses, and what clipping and robust averages keep. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial, TrialOptions } from '../trial.ts';
import { atPoint, bySubject, type Series } from './regimes.ts';

const SHARE = 0.25;
type Kind = NonNullable<TrialOptions['hostile']>['kind'];

const GUARDS: readonly Series[] = [
  { label: 'mean', strategy: 'qqr', settings: { clipFactor: 0 } },
  { label: 'as it comes', strategy: 'qqr', settings: {} },
  { label: 'clipped closely', strategy: 'qqr', settings: { clipFactor: 1, maxShare: 0.1 } },
  { label: 'trimmed mean', strategy: 'qqr', settings: { robust: 'trimmed-mean', trim: 0.3, clipFactor: 0 } },
  { label: 'median', strategy: 'qqr', settings: { robust: 'median', clipFactor: 0 } },
];

function kinds({ isQuick }: ListContext): readonly (readonly [name: string, kind: Kind | null])[] {
  const few: readonly (readonly [string, Kind | null])[] = [
    ['nobody', null],
    ['sign flipped', 'flipped'],
    ['flipped, × 100', 'reversed'],
  ];
  if (isQuick) return few;
  return [
    ...few,
    ['× 100', 'scaled'],
    ['noise', 'noise'],
    ['NaN', 'nan'],
    ['wrong labels', 'labels'],
    ['offset in round 0', 'statistics'],
  ];
}

function trials(context: ListContext): Trial[] {
  return kinds(context).flatMap(([name, kind]) => {
    const regime = bySubject(context, kind === null ? {} : { hostile: { kind, share: SHARE } });
    return GUARDS.flatMap((each) => atPoint(context, 'hostile', name, each, regime));
  });
}

export const hostile: Experiment = {
  name: 'hostile',
  title: 'Hostile boards',
  question: 'What do boards that mean harm cost, and what do clipping and robust averages cost when nobody does?',
  claims: [],
  leastModalities: 1,
  figures: [
    {
      id: 'hostile',
      title: 'A quarter of the boards is hostile',
      caption:
        'Every hostile board does the same in every round, as strongly as the aggregator’s limits let through. “Nobody” is what a guard costs an honest fleet.',
      xLabel: 'attack',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'degraded/'],
      baseline: 'mean',
    },
  ],
  stages: [trials],
};
