/**
 * How good the global model is on windows of subjects that no board has: clean, with each modality taken away, and with each
 * degraded, predicted exactly as a board would (the strategy's fill).
 */
import type { Batch, BatchWindow } from '../core/model/batch.ts';
import { makeBatch } from '../core/model/batch.ts';
import { accuracyOf } from '../core/model/evaluate.ts';
import type { Network } from '../core/model/network.ts';
import { type PredictSettings, predict } from '../core/model/predict.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import type { Normalization } from '../core/qqr/normalization.ts';
import type { FleetState } from './fleet-state.ts';
import type { Evaluation } from './record.ts';

export interface HoldoutWindows {
  /** Labelled windows as recorded. */
  readonly clean: readonly BatchWindow[];
  /** By modality name: the same windows with that modality degraded. Empty when it is not evaluated. */
  readonly degraded: Readonly<Record<string, readonly BatchWindow[]>>;
}

export interface Holdout {
  /** @param global with a normalization. */
  evaluate(global: FleetState): Evaluation;
}

export interface HoldoutOptions {
  readonly network: Network;
  readonly spec: ModelSpec;
  readonly windows: HoldoutWindows;
  readonly settings: PredictSettings;
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
  return {
    evaluate(global) {
      const { averaged: params, prototypes, normalization } = global;
      if (normalization === null) throw new RangeError('a model without normalization cannot be evaluated');
      if (prepared?.normalization !== normalization) prepared = prepare(windows, spec, normalization, conditions);
      const accuracy = (batch: Batch) =>
        accuracyOf(predict(network, { params, prototypes, batch, settings }), batch.labels, spec.classes.length);
      return {
        clean: accuracy(prepared.clean),
        missing: mapValues(prepared.missing, accuracy),
        degraded: mapValues(prepared.degraded, accuracy),
      };
    },
  };
}

function prepare(
  windows: HoldoutWindows,
  spec: ModelSpec,
  normalization: Normalization,
  conditions: 'all' | 'clean',
): HoldoutBatches {
  const clean = makeBatch(windows.clean, spec, normalization);
  if (conditions === 'clean') return { normalization, clean, missing: {}, degraded: {} };
  return {
    normalization,
    clean,
    missing: Object.fromEntries(spec.modalities.map(({ name }, m) => [name, withoutModality(clean, m)])),
    degraded: mapValues(windows.degraded, (degraded) => makeBatch(degraded, spec, normalization)),
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
