/**
 * A trainer whose rounds are trained in a process of their own, so that sampling never waits for training and TensorFlow's memory is
 * not the agent's. A learner that dies, of whatever, is started again after a growing pause and asked for the same round again: the
 * database says whether the round had been committed.
 * Invariant: never two learners at once.
 */
import { AppError } from '../../core/base/errors.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { RoundTrainer } from '../sync/session.ts';
import { type LearnerChild, type LearnerChildOptions, startLearnerChild } from './learner-child.ts';
import type { RoundAnswer, RoundQuestion } from './learner-protocol.ts';

export interface LearnerProcessOptions extends LearnerChildOptions {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Pauses before asking again; they begin anew after an answered round. Default 1 s doubling to 1 min. */
  readonly restart?: BackoffOptions;
}

export interface LearnerProcess extends RoundTrainer {
  /** Tells it that windows may have come. */
  arrived(): void;
  stats(): LearnerStats;
  /** Of the learner that runs, MB (10⁶ bytes); null while none does, or where there is no /proc. */
  residentMb(): Promise<number | null>;
  /** Gives up the round under way and ends the learner; takes at most five seconds. */
  stop(): Promise<void>;
}

export interface LearnerStats {
  /** Null while none runs. */
  readonly pid: number | null;
  /** Times that it ended without being told to, whatever the cause. */
  readonly died: number;
  /** Those of them in which it was ended for its memory. */
  readonly overMemory: number;
}

const RESTART: BackoffOptions = { baseMs: 1000, capMs: 60_000 };

/** Starts nothing yet: a learner is started for the first round. */
export function createLearnerProcess(options: LearnerProcessOptions): LearnerProcess {
  const { clock, random, log, restart = RESTART } = options;
  const stopping = new AbortController();
  let child: LearnerChild | null = null;
  let failures = 0;
  let died = 0;
  let overMemory = 0;

  function start(): LearnerChild {
    const started = startLearnerChild(options);
    log.info({ pid: started.pid }, 'learner started');
    void started.ended.then((how) => {
      child = null;
      if (stopping.signal.aborted) return;
      died++;
      if (how.isOverMemory) overMemory++;
      log.warn({ ...how, died }, 'learner ended');
    });
    return started;
  }

  /** Null when the learner died of it. */
  async function ask(question: RoundQuestion, signal: AbortSignal): Promise<RoundAnswer | null> {
    child ??= start();
    const { abort } = child;
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await child.run(question);
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  return {
    async runRound(plan, global, givenUp) {
      const signal = AbortSignal.any([givenUp, stopping.signal]);
      for (;;) {
        signal.throwIfAborted();
        const answer = await ask({ kind: 'run', plan, global }, signal);
        if (answer?.kind === 'failed') throw asAppError(answer);
        if (answer?.kind === 'done') {
          failures = 0;
          return answer.result;
        }
        signal.throwIfAborted();
        const pauseMs = backoffMs(failures++, restart, random);
        log.info({ round: plan.round, pauseMs: Math.round(pauseMs) }, 'round will be asked for again');
        await clock.sleep(pauseMs, signal);
      }
    },
    arrived: () => child?.arrived(),
    residentMb: async () => child?.residentMb() ?? null,
    stats: () => ({ pid: child?.pid ?? null, died, overMemory }),
    async stop() {
      stopping.abort(new Error('learner stopped'));
      await child?.stop();
    },
  };
}

function asAppError({ code, what, where, hint }: RoundAnswer & { kind: 'failed' }): AppError {
  return new AppError(code, what, { ...(where !== undefined && { where }), ...(hint !== undefined && { hint }) });
}
