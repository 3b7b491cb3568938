/** QQR with each of its parts left out. */
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, mixedBoards, type Regime, type Series, strategies } from './regimes.ts';

const off = (label: string, settings: Series['settings']): Series => ({ label, strategy: 'qqr', settings });

const VARIANTS: readonly Series[] = [
  off('qqr', {}),
  off('with PNR', { fill: 'pnr' }),
  off('faults not rehearsed', { rehearseFaults: 0 }),
  off('gaps not rehearsed', { rehearseMissing: 0 }),
  off('gaps not rehearsed, with PNR', { rehearseMissing: 0, fill: 'pnr' }),
  off('wearing not rehearsed', { rehearseWearing: 0 }),
  off('without PLR', { alignWeight: 0 }),
  off('without evidence of prototypes', { evidenceWeight: 0 }),
  off('without second opinion', { gateWeight: 0 }),
  off('hard gate', { gateWeight: 1 }),
  off('with quality weights', { qualityWeights: true }),
  off('without modality weights', { modalityWeights: false }),
  off('without prototype memory', { prototypeMemory: 0 }),
  off('without model averaging', { modelMemory: 0 }),
  off('without FedAdam', { serverRate: 0 }),
  { ...off('without window statistics', {}), options: { windowStatistics: false } },
  off('sending float32', { modelBits: 32, prototypeBits: 32 }),
  ...strategies('fedavg-masked'),
];

function regimes(context: ListContext): readonly (readonly [name: string, regime: Regime])[] {
  const all = [
    ['missing and degraded 50 %', bySubject(context, { missingRate: 0.5, degradedRate: 0.5 })],
    ['Dirichlet 0.3, missing 70 %', mixedBoards(context, 0.3, { missingRate: 0.7 })],
  ] as const;
  return context.isQuick ? all.slice(0, 1) : all;
}

function trials(context: ListContext): Trial[] {
  return regimes(context).flatMap(([name, regime]) =>
    VARIANTS.flatMap((series) => atPoint(context, 'parts', name, series, regime)),
  );
}

export const ablation: Experiment = {
  name: 'ablation',
  title: 'Each part left out',
  question: 'Which parts of QQR earn their place?',
  claims: [
    'The paper credits prototypical rebalancing (PNR) with making up for missing modalities, and PLR for degraded ones.',
  ],
  leastModalities: 2,
  figures: [
    {
      id: 'parts',
      title: 'QQR less one part',
      caption:
        'Differences are to QQR as it comes; below 0 the part was worth having. A variant that equals the default shows no difference.',
      xLabel: 'regime',
      x: 'ordinal',
      metrics: ['clean', 'missing/', 'degraded/', 'online/accuracy'],
      baseline: 'qqr',
    },
  ],
  stages: [trials],
};
