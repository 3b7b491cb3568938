/** Who trains a board's rounds: a process of its own, or, in a replay, a part of this one. */
import type { Clock } from '../core/base/clock.ts';
import type { Log } from '../core/base/log.ts';
import type { NetworkFor } from '../core/model/network-cache.ts';
import type { WindowModality } from '../core/stream/align.ts';
import { createLearnerProcess, type LearnerProcess } from './learn/learner-process.ts';
import { createLearning } from './learn/learning.ts';
import type { WindowPrediction } from './learn/predictor.ts';
import type { AgentStore } from './store/agent-store.ts';
import type { RoundTrainer } from './sync/session.ts';

export type LearnerPlace =
  /** In a process of its own, so that sampling never waits for training: a board. */
  | { readonly kind: 'child' }
  /** In this process, with a network that many boards may share: a replay. */
  | { readonly kind: 'inside'; readonly networkFor: NetworkFor };

export interface BoardLearnerOptions {
  readonly config: {
    readonly device: string;
    readonly durability: 'normal' | 'full';
    readonly learner: { readonly memoryMb: number; readonly nice: number };
    /** With it a new window is predicted for people; everyS 0: none is. */
    readonly state: { readonly everyS: number };
  };
  readonly place: LearnerPlace;
  readonly modalities: readonly WindowModality[];
  /** The stream has an end. */
  readonly finite: boolean;
  readonly store: AgentStore;
  readonly storePath: string;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface BoardLearner {
  readonly trainer: RoundTrainer;
  /** Of the newest window; null before the first. */
  prediction(): WindowPrediction | null;
  arrived(): void;
  /** Null when it learns in this process. */
  readonly process: LearnerProcess | null;
  stop(): Promise<void>;
}

/** Starts nothing yet. */
export function createBoardLearner(options: BoardLearnerOptions): BoardLearner {
  const { config, place, modalities, finite, store, storePath, random, clock, log } = options;
  const { device, durability } = config;
  const shared = { device, modalities, finite };
  const predicts = config.state.everyS > 0;
  let newest: WindowPrediction | null = null;
  const prediction = () => newest;
  const onPrediction = (predicted: WindowPrediction) => {
    newest = predicted;
  };
  if (place.kind === 'inside') {
    const { networkFor } = place;
    const told = predicts ? onPrediction : null;
    const learning = createLearning({ ...shared, store, networkFor, onPrediction: told, log });
    return { trainer: learning, process: null, prediction, arrived: learning.arrived, stop: async () => undefined };
  }
  const { memoryMb, nice } = config.learner;
  const settings = { ...shared, storePath, durability, predicts, nice };
  const trainer = createLearnerProcess({ settings, memoryMb, onPrediction, clock, random, log });
  return { trainer, process: trainer, prediction, arrived: trainer.arrived, stop: trainer.stop };
}
