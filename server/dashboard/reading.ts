/**
 * Reading something again whenever it may have changed: one request at a time, and one more when a change came in between.
 * What fails is shown where the content would be, and tried again with the next change.
 */
import { element, setText } from './element.ts';

export interface Reading {
  /** Says what went wrong; empty while all is well. */
  readonly element: HTMLElement;
  again(): void;
  stop(): void;
}

export function startReading(read: (signal: AbortSignal) => Promise<void>): Reading {
  const stopping = new AbortController();
  const message = element('p', { class: 'muted', role: 'status' }, 'Reading …');
  let isReading = false;
  let isStale = false;
  const run = async () => {
    isReading = true;
    isStale = false;
    try {
      await read(stopping.signal);
      setText(message, '');
    } catch (error) {
      if (!stopping.signal.aborted) setText(message, error instanceof Error ? error.message : String(error));
    }
    isReading = false;
    if (isStale && !stopping.signal.aborted) await run();
  };
  const again = () => {
    if (isReading) isStale = true;
    else run().catch(() => undefined); // `run` has shown what there is to say
  };
  again();
  return { element: message, again, stop: () => stopping.abort() };
}
