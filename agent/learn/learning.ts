/**
 * What learns on a board, and beside it what says what the board is taken to do now: both wait for windows, know the same model, and
 * share one network. In the learner's process on a board, in the replay's own for many boards.
 */
import type { Log } from '../../core/base/log.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { createArrivals } from '../stream/arrivals.ts';
import type { RoundTrainer } from '../sync/session.ts';
import { createPredictor, type WindowPrediction } from './predictor.ts';
import { createTrainer, type TrainerOptions } from './trainer.ts';

export interface LearningOptions extends Omit<TrainerOptions, 'nextArrival'> {
  /** Told what each newest window is taken for, from the first round on; null: nothing is predicted. */
  readonly onPrediction: ((prediction: WindowPrediction) => void) | null;
  readonly log: Log;
}

export interface Learning extends RoundTrainer {
  /** Windows may have come. */
  arrived(): void;
}

export function createLearning(options: LearningOptions): Learning {
  const { onPrediction, log } = options;
  const arrivals = createArrivals();
  const trainer = createTrainer({ ...options, nextArrival: arrivals.next });
  const predictor = createPredictor(options);
  let newest: { readonly plan: RoundPlan; readonly global: GlobalState } | null = null;
  return {
    runRound(plan, global, signal) {
      newest = { plan, global };
      return trainer.runRound(plan, global, signal);
    },
    arrived() {
      arrivals.announce();
      if (onPrediction === null || newest === null) return;
      predictor.newest(newest.plan, newest.global).then(
        (prediction) => void (prediction !== null && onPrediction(prediction)),
        (error: unknown) => log.debug({ error: String(error) }, 'no prediction'), // what it is will show in the next round
      );
    },
  };
}
