/**
 * Time as a parameter. Boards have no real-time clock, so everything that orders or measures uses the
 * monotonic clock; wall time is for people. Tests inject a clock that they move by hand.
 */
export interface Clock {
  /** Monotonic time in milliseconds since an arbitrary start. */
  nowMs(): number;
  /** Wall time in milliseconds since 1970, possibly wrong until NTP has synchronized. */
  wallMs(): number;
  /** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  },
};
