/**
 * When a round closes: as soon as a share of the boards asked has been counted, or at the deadline with whoever has.
 * A deadline that passes with nobody counted is set again: an empty round teaches nothing.
 */
import type { Clock } from '../core/base/clock.ts';
import type { Pulse } from './pulse.ts';

export interface Progress {
  /** Updates counted so far, those of boards that were not asked included. */
  readonly counted: number;
  /** Boards that were asked and whose update has been counted. */
  readonly answered: number;
  /** Boards that were asked and have answered or still may. */
  readonly expected: number;
}

/** `request`: an operator's. `nobody`: every board that was asked has gone for good without an update. */
export type CloseCause = 'quorum' | 'deadline' | 'request' | 'nobody';

export interface DeadlineOptions {
  readonly clock: Clock;
  /** Share of the expected boards that closes the round, in (0, 1]. */
  readonly quorum: number;
  /** Most updates that a round may count. */
  readonly capacity: number;
  /** 0 = none. */
  readonly deadlineMs: number;
  readonly progress: () => Progress;
  /** Whether an operator wants it closed with whoever has been counted. */
  readonly isClosing: () => boolean;
  /** Beats when `progress` may have changed. */
  readonly pulse: Pulse;
  /** Called when a deadline has passed in vain. */
  readonly onVain: () => void;
}

/** Resolves when the round may close; rejects with the signal's reason as soon as it aborts. */
export async function waitForClose(options: DeadlineOptions, signal: AbortSignal): Promise<CloseCause> {
  const { clock, quorum, capacity, deadlineMs, progress, pulse } = options;
  const done = new AbortController();
  const timerSignal = AbortSignal.any([signal, done.signal]);
  let expired = false;
  const arm = () => {
    if (deadlineMs === 0) return;
    clock.sleep(deadlineMs, timerSignal).then(
      () => {
        expired = true;
        pulse.beat();
      },
      () => undefined, // only an abort rejects, and whoever aborts knows
    );
  };
  arm();
  try {
    for (;;) {
      const { counted, answered, expected } = progress();
      if (counted === 0 && expected === 0) return 'nobody';
      if (answered >= quorumOf(expected, quorum) || counted >= capacity) return 'quorum';
      if (expired && counted > 0) return 'deadline';
      if (options.isClosing() && counted > 0) return 'request';
      if (expired) {
        expired = false;
        options.onVain();
        arm();
      }
      await pulse.next(signal);
    }
  } finally {
    done.abort();
  }
}

/** Answers that make a quorum of `expected` boards. The epsilon keeps 0.7 · 10 from becoming 8. */
export function quorumOf(expected: number, quorum: number): number {
  return Math.ceil(quorum * expected - 1e-9);
}
