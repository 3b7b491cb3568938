/** A modality is there, and wrong: each kind of fault by its severity. */
import { FAULT_KINDS } from '../../../core/trace/faults.ts';
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, type Series, strategies } from './regimes.ts';

/** With what probability a board's modality is degraded in a round. */
const RATE = 0.6;

function series({ isQuick }: ListContext): Series[] {
  const plain = strategies('fedavg-masked', 'qqr');
  const weighted: Series = { label: 'qqr, weighed by quality', strategy: 'qqr', settings: { qualityWeights: true } };
  return isQuick ? plain : [...plain, weighted];
}

function trials(context: ListContext): Trial[] {
  const severities = context.isQuick ? [0.2, 0.8] : [0.2, 0.5, 0.8];
  const kinds = context.isQuick ? FAULT_KINDS.slice(0, 2) : FAULT_KINDS;
  return kinds.flatMap((kind) =>
    severities.flatMap((severity) => {
      const regime = bySubject(context, { degradedRate: RATE, kinds: [kind], severity: [severity, severity] });
      return series(context).flatMap((each) => atPoint(context, kind, severity, each, regime));
    }),
  );
}

export const quality: Experiment = {
  name: 'quality',
  title: 'Degraded modalities',
  question: 'Which faults of a sensor cost accuracy, from which severity on, and does weighing by quality help?',
  claims: ['The paper weighs what it shares by quality to counter degraded modalities.'],
  leastModalities: 1,
  figures: FAULT_KINDS.map((kind) => ({
    id: kind,
    title: `Fault: ${kind}`,
    caption: 'One modality of a board is degraded in 60 % of its rounds, and, for “degraded”, in every test window.',
    xLabel: 'severity',
    x: 'linear',
    metrics: ['clean', 'degraded/', 'online/accuracy'],
    baseline: 'fedavg-masked',
  })),
  stages: [trials],
};
