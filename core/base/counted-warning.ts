/**
 * A warning that strangers could bring by the thousand: the first is logged at once, those of the next minute in one line with their
 * number. Invariant: at most one line a minute and one at the stop, whatever comes; of many the newest one's fields are shown.
 */
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';

const MINUTE_MS = 60_000;

/** Warns, or counts. What is called after `signal` has aborted is not logged. */
export type CountedWarning = (fields: object) => void;

export interface CountedWarningOptions {
  readonly message: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

export function createCountedWarning({ message, clock, log, signal }: CountedWarningOptions): CountedWarning {
  let isGathering = false;
  let gathered: { readonly newest: object; readonly times: number } | null = null;
  const tell = (): boolean => {
    if (gathered === null) return false;
    log.warn({ ...gathered.newest, times: gathered.times }, message);
    gathered = null;
    return true;
  };
  const gather = () => {
    isGathering = true;
    clock.sleep(MINUTE_MS, signal).then(
      () => {
        isGathering = false;
        if (tell()) gather();
      },
      () => void tell(),
    );
  };
  return (fields) => {
    if (isGathering) {
      gathered = { newest: fields, times: (gathered?.times ?? 0) + 1 };
      return;
    }
    log.warn(fields, message);
    gather();
  };
}
