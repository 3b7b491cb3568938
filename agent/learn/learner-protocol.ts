/**
 * What the agent and its learner process say to each other, over Node's channel with structured clones (typed arrays stay what they
 * are, bit for bit). One round is in flight at a time; every `run` gets one `answer`, unless the learner dies.
 */
import type { ErrorCode } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import type { AgentStoreOptions } from '../store/agent-store.ts';
import type { RoundTrainer } from '../sync/session.ts';
import type { WindowPrediction } from './predictor.ts';

/** What a learner is started with: its only argument, as JSON. */
export interface LearnerSettings {
  readonly device: string;
  /** The agent's database. */
  readonly storePath: string;
  readonly durability: NonNullable<AgentStoreOptions['durability']>;
  /** The board's modalities, in the order of its stored windows. */
  readonly modalities: readonly WindowModality[];
  /** The stream ends some day (a recording). */
  readonly finite: boolean;
  /** Whether the newest window is predicted whenever there is one. */
  readonly predicts: boolean;
  /** How much lower its CPU priority is than the agent's, 0 to 19. */
  readonly nice: number;
}

/** Train this round. */
export interface RoundQuestion {
  readonly kind: 'run';
  readonly plan: RoundPlan;
  readonly global: GlobalState;
}

export type ToLearner =
  | RoundQuestion
  /** Give up the wait for windows; training under way is finished and committed. */
  | { readonly kind: 'abort' }
  /** Windows may have come: look into the database again. */
  | { readonly kind: 'arrived' };

export type RoundAnswer =
  | { readonly kind: 'done'; readonly result: Awaited<ReturnType<RoundTrainer['runRound']>> }
  | { readonly kind: 'aborted' }
  /** An AppError, part by part: it would not survive the way. */
  | {
      readonly kind: 'failed';
      readonly code: ErrorCode;
      readonly what: string;
      readonly where: string | undefined;
      readonly hint: string | undefined;
    };

export type FromLearner =
  | { readonly kind: 'answer'; readonly answer: RoundAnswer }
  /** What the newest window is taken for, asked or not. */
  | { readonly kind: 'prediction'; readonly prediction: WindowPrediction }
  /** A line for the agent's log. */
  | { readonly kind: 'log'; readonly level: keyof Log; readonly fields: object; readonly message: string };
