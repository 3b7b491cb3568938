/** A flag that one loop sleeps on and others raise. Raised while nobody sleeps, it is kept for the next sleep, once. */
import type { Clock } from '../../core/base/clock.ts';

export interface Wakeup {
  wake(): void;
  /** Resolves when woken, or with 'late' after `timeoutMs`; rejects with the signal's reason when it aborts. One sleeper at a time. */
  sleep(signal: AbortSignal, timeoutMs?: number): Promise<'woken' | 'late'>;
}

/** The longest delay that a timer takes; waking for nothing after 24 days does no harm. */
const FOREVER_MS = 2 ** 31 - 1;

export function createWakeup(clock: Clock): Wakeup {
  let raised = false;
  let rouse: () => void = () => undefined;
  return {
    wake() {
      raised = true;
      rouse();
    },
    async sleep(signal, timeoutMs = FOREVER_MS) {
      const roused = new AbortController();
      rouse = () => roused.abort();
      signal.addEventListener('abort', rouse, { once: true });
      if (raised || signal.aborted) rouse();
      await clock.sleep(Math.min(timeoutMs, FOREVER_MS), roused.signal).catch(() => undefined); // roused early
      signal.removeEventListener('abort', rouse);
      const how = raised ? 'woken' : 'late';
      raised = false;
      signal.throwIfAborted();
      return how;
    },
  };
}
