/**
 * How good the global model is on windows of subjects that no board has: clean, with each modality taken away, and with each
 * degraded, predicted exactly as a board would (the strategy's fill).
 */
import type { Batch, BatchWindow } from '../core/model/batch.ts';
import { calibrationErrorOf } from '../core/model/calibration.ts';
import { accuracyOf } from '../core/model/evaluate.ts';
import type { Network } from '../core/model/network.ts';
import { type PredictSettings, predict, retempered } from '../core/model/predict.ts';
import type { TrainSettings } from '../core/model/settings.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import type { Normalization } from '../core/qqr/normalization.ts';
import type { FleetState } from './fleet-state.ts';
import { stackerFor } from './holdout-scale.ts';
import type { Evaluation } from './record.ts';

export interface HoldoutWindows {
  /** Labelled windows as recorded. */
  readonly clean: readonly BatchWindow[];
  /** By modality name: the same windows with that modality degraded. Empty when it is not evaluated. */
  readonly degraded: Readonly<Record<string, readonly BatchWindow[]>>;
  /** Whose each window is, in the order of `clean` and of each of `degraded`; left out: all one person's. */
  readonly subjects?: readonly string[];
}

/** What a model says of the clean windows. */
export interface HoldoutPredictions {
  readonly version: number;
  /** `[N]` class indices. */
  readonly labels: Int32Array;
  /** `[N, C]` row-major; a row of zeros says "don't know". */
  readonly probabilities: Float32Array;
}

export interface Holdout {
  /** @param global with a normalization. */
  evaluate(global: FleetState): Evaluation;
  /** As above, of the clean windows alone. */
  predictions(global: FleetState): HoldoutPredictions;
}

export interface HoldoutOptions {
  readonly network: Network;
  readonly spec: ModelSpec;
  readonly windows: HoldoutWindows;
  readonly settings: PredictSettings & Partial<Pick<TrainSettings, 'scalePrior'>>;
  /** `clean` leaves `missing` and `degraded` empty: a (1 + 2M)-th of the time. */
  readonly conditions: 'all' | 'clean';
}

interface HoldoutBatches {
  readonly normalization: Normalization;
  readonly clean: Batch;
  readonly missing: Readonly<Record<string, Batch>>;
  readonly degraded: Readonly<Record<string, Batch>>;
}

export function createHoldout({ network, spec, windows, settings, conditions }: HoldoutOptions): Holdout {
  let prepared: HoldoutBatches | null = null; // the normalization is frozen after round 0: stack the windows once
  const batchesFor = ({ normalization }: FleetState): HoldoutBatches => {
    if (normalization === null) throw new RangeError('a model without normalization cannot be evaluated');
    if (prepared?.normalization !== normalization) {
      const stack = stackerFor(windows, spec, normalization, settings.scalePrior ?? 0);
      prepared = { normalization, ...prepare(windows, spec, stack, conditions) };
    }
    return prepared;
  };
  return {
    predictions(global) {
      const { averaged: params, prototypes, temperature, version } = global;
      const { clean: batch } = batchesFor(global);
      const probabilities = predict(network, { params, prototypes, temperature, batch, settings });
      return { version, labels: batch.labels, probabilities };
    },
    evaluate(global) {
      const { averaged: params, prototypes, temperature } = global;
      const classes = spec.classes.length;
      const predicted = (batch: Batch) => predict(network, { params, prototypes, temperature, batch, settings });
      const accuracy = (batch: Batch) => accuracyOf(predicted(batch), batch.labels, classes);
      const { clean, missing, degraded } = batchesFor(global);
      const ofClean = predicted(clean);
      const error = (of: Float32Array) => calibrationErrorOf(of, clean.labels, classes);
      return {
        clean: accuracyOf(ofClean, clean.labels, classes),
        missing: mapValues(missing, accuracy),
        degraded: mapValues(degraded, accuracy),
        calibration: { untempered: error(retempered(ofClean, 1 / temperature, classes)), served: error(ofClean) },
      };
    },
  };
}

function prepare(
  windows: HoldoutWindows,
  spec: ModelSpec,
  stack: (windows: readonly BatchWindow[]) => Batch,
  conditions: 'all' | 'clean',
): Omit<HoldoutBatches, 'normalization'> {
  const clean = stack(windows.clean);
  if (conditions === 'clean') return { clean, missing: {}, degraded: {} };
  return {
    clean,
    missing: Object.fromEntries(spec.modalities.map(({ name }, m) => [name, withoutModality(clean, m)])),
    degraded: mapValues(windows.degraded, stack),
  };
}

function withoutModality(batch: Batch, gone: number): Batch {
  const modalities = batch.inputs.length;
  const unlessGone = (value: number, i: number) => (i % modalities === gone ? 0 : value);
  return {
    ...batch,
    inputs: batch.inputs.map((input, m) => (m === gone ? new Float32Array(input.length) : input)),
    present: batch.present.map(unlessGone),
    quality: batch.quality.map(unlessGone),
  };
}

function mapValues<A, B>(record: Readonly<Record<string, A>>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
