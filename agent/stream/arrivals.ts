/** A bell between acquisition and learning: those who wait for windows are woken after each ingest and look into the database again. */
export interface Arrivals {
  announce(): void;
  /** Resolves at the next `announce`; rejects with the signal's reason when it aborts first. */
  next(signal: AbortSignal): Promise<void>;
}

export function createArrivals(): Arrivals {
  let waiting: (() => void)[] = [];
  return {
    announce() {
      const woken = waiting;
      waiting = [];
      for (const wake of woken) wake();
    },
    next(signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const onAbort = () => reject(signal.reason);
        signal.addEventListener('abort', onAbort, { once: true });
        waiting.push(() => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        });
      });
    },
  };
}
