/**
 * Between the samplers and whoever takes the stream: a bounded queue of events. When the taker is slower than the sensors for too long the
 * oldest samples are dropped and counted; a sampler is never held up.
 * Invariant: at most `capacity` blocks and one change of label between two of them.
 */
import type { StreamEvent } from '../../core/stream/event.ts';

export interface EventQueue {
  push(event: StreamEvent): void;
  /** Rejects the taker with `reason`, after what is queued. */
  fail(reason: unknown): void;
  /** The events in the order in which they came, until the signal aborts. One taker at a time. */
  take(signal: AbortSignal): AsyncGenerator<StreamEvent, void, undefined>;
  /** Samples dropped so far. */
  overrun(): number;
}

export function createEventQueue(capacity: number): EventQueue {
  let events: StreamEvent[] = [];
  let blocks = 0;
  let overrun = 0;
  let failure: { readonly reason: unknown } | null = null;
  let wake: () => void = () => undefined;

  /** Of two changes of label with nothing between them the first says nothing. */
  function dropOldest(): void {
    const at = events.findIndex(({ kind }) => kind === 'samples');
    const [dropped] = events.splice(at, 1);
    if (dropped?.kind === 'samples') overrun += dropped.tUs.length;
    blocks--;
    if (at > 0 && events[at]?.kind === 'label') events.splice(at - 1, 1);
  }

  return {
    push(event) {
      if (event.kind === 'samples') blocks++;
      else if (events.at(-1)?.kind === 'label') events.pop();
      events.push(event);
      if (blocks > capacity) dropOldest();
      wake();
    },
    fail(reason) {
      failure ??= { reason };
      wake();
    },
    async *take(signal) {
      const woken = () => wake();
      signal.addEventListener('abort', woken);
      try {
        while (!signal.aborted) {
          const taken = events;
          events = [];
          blocks = 0;
          for (const event of taken) {
            if (signal.aborted) return;
            yield event;
          }
          if (events.length > 0 || signal.aborted) continue;
          if (failure !== null) throw failure.reason;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
      } finally {
        signal.removeEventListener('abort', woken);
      }
    },
    overrun: () => overrun,
  };
}
