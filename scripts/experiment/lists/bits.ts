/** How few bits may travel: the model, the prototypes, both; and how few of the model's values. */
import { STRATEGY_NAMES } from '../../../server/strategies/registry.ts';
import type { Experiment, ListContext } from '../experiment.ts';
import type { Trial } from '../trial.ts';
import { atPoint, bySubject, type Series, strategies } from './regimes.ts';

const FLOAT32 = 32;

function series(label: string, settings: Series['settings']): Series {
  return { label, strategy: 'qqr', settings: { modelBits: FLOAT32, prototypeBits: FLOAT32, ...settings } };
}

/** One bit a value is its sign: codes between the extremes take two. */
function modelAt(bits: number): Series['settings'] {
  return bits === 1 ? { modelBits: 1, modelCode: 'sign' } : { modelBits: bits };
}

/** Shares of the model's values, at 4 bits each; codes at their least; rounds between two models. */
const SPARSE: readonly (readonly [x: string, settings: Series['settings']])[] = [
  ['all values', {}],
  ['largest 30 %', { modelShare: 0.3 }],
  ['largest 10 %', { modelShare: 0.1 }],
  ['largest 3 %', { modelShare: 0.03 }],
  ['largest 1 %', { modelShare: 0.01 }],
  ['2 bits, stochastic', { modelBits: 2, modelCode: 'stochastic' }],
  ['signs', modelAt(1)],
  ['every 2nd round', { modelEvery: 2 }],
  ['every 4th round', { modelEvery: 4 }],
];

function trials(context: ListContext): Trial[] {
  const regime = bySubject(context, { missingRate: 0.5 });
  const widths = context.isQuick ? [1, 8] : [1, 2, 4, 8];
  const sparse = context.isQuick ? SPARSE.slice(2, 4) : SPARSE;
  const at = (figure: string, x: number | string, each: Series) => atPoint(context, figure, x, each, regime);
  return [
    ...widths.flatMap((bits) => [
      ...at('width', bits, series('model', modelAt(bits))),
      ...at('width', bits, series('prototypes', { prototypeBits: bits })),
      ...at('width', bits, series('both', { ...modelAt(bits), prototypeBits: bits })),
      ...at('width', bits, series('neither', {})),
    ]),
    ...sparse.flatMap(([x, settings]) => [
      ...at('sparse', x, series('coded', { prototypeBits: 4, modelBits: 4, ...settings })),
      ...at('sparse', x, series('float32', {})),
    ]),
    ...(context.isQuick ? strategies('fedavg', 'qqr') : strategies(...STRATEGY_NAMES)).flatMap((each) =>
      at('cost', each.label, { ...each, label: 'as it comes' }),
    ),
  ];
}

export const bits: Experiment = {
  name: 'bits',
  title: 'Bits on the wire',
  question: 'How many bits does a value need, and what does a board send in a round, headers included?',
  claims: ['The paper reports 71.3 % fewer bytes at 95.2 % of the accuracy kept, by quantized prototypes.'],
  leastModalities: 2,
  figures: [
    {
      id: 'width',
      title: 'Accuracy by bits per value',
      caption:
        'QQR with a modality missing in half of the board-rounds; “neither” sends float32 and is the same at every place.',
      xLabel: 'bits per value',
      x: 'linear',
      metrics: ['clean', 'bytes/total', 'bytes/model', 'bytes/prototypes'],
      baseline: 'neither',
    },
    {
      id: 'sparse',
      title: 'Less than every value',
      caption:
        'The model at 4 bits a value unless said otherwise, prototypes at 4; what does not travel waits on the board.',
      xLabel: 'what travels of the model',
      x: 'ordinal',
      metrics: ['clean', 'bytes/total', 'bytes/model'],
      baseline: 'float32',
    },
    {
      id: 'cost',
      title: 'What each strategy costs as it comes',
      caption: 'Bytes that a board puts on its socket per round, everything counted.',
      xLabel: 'strategy',
      x: 'ordinal',
      metrics: ['bytes/total', 'bytes/fp32', 'clean'],
      baseline: null,
    },
  ],
  stages: [trials],
};
