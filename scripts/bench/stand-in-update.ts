/**
 * Updates of the size that real ones have, without any learning: one set of made-up values a round, quantized and entropy-coded once,
 * and told by every board under its own name. What a benchmark of the exchange needs: the aggregator checks and adds them like others.
 */
import { createRng } from '../../core/math/rng.ts';
import { paramLayout } from '../../core/model/params.ts';
import { shapeHash } from '../../core/model/spec.ts';
import { quantize } from '../../core/quant/affine.ts';
import { encodeDense } from '../../core/quant/coded.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { SUM_RESOLUTION, WEIGHT_PER_WINDOW } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { ModalityReport, Update } from '../../core/wire/update.ts';

/** Deviation of the made-up model change: its norm is then about 3 for the reference network, as in first rounds on HAPT. */
const DELTA_SCALE = 0.02;

export interface UpdateMaker {
  /** The encoded update of one board for this plan. */
  payload(plan: RoundPlan, device: string, seq: number): Uint8Array;
}

export function createUpdateMaker(): UpdateMaker {
  let made: { readonly round: number; readonly body: Omit<Update, 'device' | 'seq'> } | null = null;
  return {
    payload(plan, device, seq) {
      if (made?.round !== plan.round) made = { round: plan.round, body: bodyFor(plan) };
      return encodeUpdate({ ...made.body, device, seq });
    },
  };
}

function bodyFor(plan: RoundPlan): Omit<Update, 'device' | 'seq'> {
  const { round, kind, modelVersion, spec, settings, epoch } = plan;
  const rng = createRng(`stand-in/${round}`);
  const values = (count: number, scale: number) => Float32Array.from({ length: count }, () => scale * rng.normal());
  const windows = settings.windowsPerRound;
  const report = (m: number) => (kind === 'statistics' ? sumsOf(plan, m) : prototypesOf(plan, values));
  const tensors = paramLayout(spec).groups.flatMap((group) => group.tensors);
  const codes = () => encodeDense(tensors.map(({ size }) => quantize(values(size, DELTA_SCALE), settings.modelBits)));
  return {
    ...{ round, modelVersion, shapeHash: shapeHash(spec), windows, backlog: 0, ended: false },
    online: { correct: windows >> 1, count: windows, lossSum: windows, overconfidence: 0 },
    modalities: spec.modalities.map((_, m) => report(m)),
    model: [],
    ...(epoch !== undefined && { epoch }),
    coded: kind === 'statistics' ? null : { groups: paramLayout(spec).groups.map(({ group }) => group), ...codes() },
  };
}

function sumsOf({ spec, settings }: RoundPlan, m: number): ModalityReport {
  const { channels, samples } = spec.modalities[m] as RoundPlan['spec']['modalities'][number];
  const windows = settings.windowsPerRound;
  const count = windows * samples;
  return {
    ...{ windowsPresent: windows, meanQuality: 1, why: null, weight: WEIGHT_PER_WINDOW * windows, prototypes: null },
    sums: { count, sum: channels.map((_, c) => c * SUM_RESOLUTION), sumSquares: channels.map(() => count) },
  };
}

function prototypesOf(
  { spec, settings }: RoundPlan,
  values: (count: number, scale: number) => Float32Array,
): ModalityReport {
  const windows = settings.windowsPerRound;
  const classes = spec.classes.map((_, c) => c);
  const quantized = quantize(values(classes.length * spec.embedding, 1), settings.prototypeBits);
  return {
    ...{ windowsPresent: windows, meanQuality: 1, why: null, weight: WEIGHT_PER_WINDOW * windows, sums: null },
    prototypes: { classes, weights: classes.map(() => 1), values: quantized },
  };
}
