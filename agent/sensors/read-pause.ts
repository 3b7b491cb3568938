/**
 * The pause between two reads of a chip: by the clock, or until its interrupt pin says that there is data. The pin is a level that stays
 * until the chip is read, since edges as short as a chip's pulse are lost on the way through the kernel; and a lost edge must not stop the
 * board, so the pause ends by the clock in any case.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { GpioInput } from '../hw/gpio.ts';

export interface ReadPause {
  /**
   * Resolves after `latestMs`, or when the pin is high and `leastMs` are over.
   * Rejects when the signal aborts.
   */
  wait(leastMs: number, latestMs: number, signal: AbortSignal): Promise<void>;
  /** Ends listening to the pin. */
  close(): void;
}

export function createReadPause(clock: Clock, pin: GpioInput | undefined): ReadPause {
  if (pin === undefined)
    return { wait: (_, latestMs, signal) => clock.sleep(latestMs, signal), close: () => undefined };
  let wake: () => void = () => undefined;
  const close = pin.watch((level) => {
    if (level === 1) wake();
  });
  return {
    close,
    async wait(leastMs, latestMs, signal) {
      const beganMs = clock.nowMs();
      if (leastMs > 0) await clock.sleep(leastMs, signal);
      const over = new AbortController();
      const end = () => over.abort();
      wake = end;
      signal.addEventListener('abort', end); // not AbortSignal.any: hundreds a second would pile up on a signal that lives for months
      try {
        if ((await pin.read()) === 1) return;
        await clock.sleep(latestMs - (clock.nowMs() - beganMs), over.signal).catch(() => undefined); // woken: told apart below
        signal.throwIfAborted();
      } finally {
        signal.removeEventListener('abort', end);
      }
    },
  };
}
