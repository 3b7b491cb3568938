/**
 * A condition variable: whoever changes what others wait for beats, whoever waits looks again at each beat.
 * Invariant: a beat between looking and waiting is not lost, because both happen in one turn of the event loop.
 */
export interface Pulse {
  beat(): void;
  /** Resolves with the next beat; rejects with the signal's reason as soon as it aborts. */
  next(signal: AbortSignal): Promise<void>;
}

export function createPulse(): Pulse {
  let waiting = new Set<() => void>();
  return {
    beat() {
      const woken = waiting;
      waiting = new Set();
      for (const wake of woken) wake();
    },
    next(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const wake = () => {
          signal.removeEventListener('abort', abort);
          resolve();
        };
        const abort = () => {
          waiting.delete(wake);
          reject(signal.reason);
        };
        waiting.add(wake);
        signal.addEventListener('abort', abort, { once: true });
      });
    },
  };
}
