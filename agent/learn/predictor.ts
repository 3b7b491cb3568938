/**
 * What the board is taken to do right now: its newest window, predicted with the fleet's newest model that the learner knows, exactly
 * as the fleet's accuracy is measured (`core/model/predict.ts`). Nothing is stored and nothing learned from it.
 */
import { makeBatch } from '../../core/model/batch.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import { predict } from '../../core/model/predict.ts';
import { predictionAt } from '../../core/model/prediction.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { fittingCheckpoint, normalizationFor, startParams } from './round-work.ts';
import { inSpecOrder, matchModalities } from './spec-order.ts';

export interface WindowPrediction {
  readonly windowIndex: number;
  /** A class of the fleet's model; null: "don't know", because the window had no sensor to go by. */
  readonly activity: string | null;
  /** Calibrated, in [0, 1]; 0 for "don't know". */
  readonly confidence: number;
  readonly modelVersion: number;
}

export interface PredictorOptions {
  /** The board's modalities, in the order of its stored windows. */
  readonly modalities: readonly WindowModality[];
  readonly store: AgentStore;
  readonly networkFor: NetworkFor;
}

export interface Predictor {
  /** Null when there is no newer window than at the last call, or no model yet. @throws AppError `shape-mismatch`, `storage-failed` */
  newest(plan: RoundPlan, global: GlobalState): Promise<WindowPrediction | null>;
}

export function createPredictor({ modalities, store, networkFor }: PredictorOptions): Predictor {
  let predicted = -1;
  return {
    async newest({ spec, settings }, global) {
      const window = store.newestWindow();
      if (global.normalization === null || window === null || window.index <= predicted) return null;
      predicted = window.index;
      const network = await networkFor(spec);
      const own = inSpecOrder(window, matchModalities(spec, modalities));
      const before = fittingCheckpoint(store.checkpoint(), global);
      const scale = normalizationFor([own], spec, settings, global, before);
      const { prototypes, temperature, version } = global;
      const probabilities = predict(network, {
        params: startParams(settings, global, before),
        prototypes,
        temperature,
        batch: makeBatch([{ ...own, label: -1 }], spec, scale),
        settings,
      });
      const { class: best, confidence } = predictionAt(probabilities, 0, spec.classes.length);
      const activity = best === null ? null : (spec.classes[best] as string);
      return { windowIndex: window.index, activity, confidence, modelVersion: version };
    },
  };
}
