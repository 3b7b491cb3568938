/**
 * What an operator may ask of the rounds: to close the open one with whoever has answered, and to wait before the next one opens.
 * Invariant: a wish is looked at where the spine waits anyway, so nothing is cut short that has to happen whole. A pause is not stored: the
 * next start goes on.
 */
import type { Pulse } from './pulse.ts';

export interface RoundControl {
  pause(): void;
  resume(): void;
  isPaused(): boolean;
  /** The round that is open shall close as soon as one update is counted. */
  closeNow(round: number): void;
  isClosing(round: number): boolean;
  /** Resolves when rounds may open; rejects with the signal's reason as soon as it aborts. */
  whileRunning(signal: AbortSignal): Promise<void>;
}

export function createRoundControl(pulse: Pulse): RoundControl {
  let isPaused = false;
  let closing = -1;
  const pauseIs = (now: boolean) => {
    isPaused = now;
    pulse.beat();
  };
  return {
    pause: () => pauseIs(true),
    resume: () => pauseIs(false),
    isPaused: () => isPaused,
    closeNow(round) {
      closing = round;
      pulse.beat();
    },
    isClosing: (round) => closing === round,
    async whileRunning(signal) {
      while (isPaused) await pulse.next(signal);
    },
  };
}
