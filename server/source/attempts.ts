/**
 * Slows down whoever guesses passwords: each wrong one from an address is answered later than the one before, and only so many may
 * wait for their answer. Right passwords are answered at once, so a board behind the same address is not locked out by another's mistake.
 * Bounded: the addresses with the oldest failures are forgotten first.
 */
import type { Clock } from '../../core/base/clock.ts';

export interface Attempts {
  /** True when so many wrong answers wait already that this address is not asked at all. */
  isBlocked(address: string): boolean;
  /** Resolves when the wrong password may be answered. */
  failed(address: string): Promise<void>;
}

interface Failures {
  count: number;
  waiting: number;
  lastMs: number;
}

const FIRST_DELAY_MS = 250;
const LONGEST_DELAY_MS = 8000;
const MOST_WAITING = 8;
const FORGET_AFTER_MS = 600_000;
const MOST_ADDRESSES = 10_000;

export function createAttempts(clock: Clock, signal: AbortSignal): Attempts {
  const failures = new Map<string, Failures>();
  const entryOf = (address: string): Failures => {
    const known = failures.get(address);
    failures.delete(address); // put back as the newest
    const isOld = known !== undefined && known.waiting === 0 && clock.nowMs() - known.lastMs > FORGET_AFTER_MS;
    const entry = known === undefined || isOld ? { count: 0, waiting: 0, lastMs: 0 } : known;
    failures.set(address, entry);
    if (failures.size > MOST_ADDRESSES) failures.delete(failures.keys().next().value as string);
    return entry;
  };
  return {
    isBlocked: (address) => (failures.get(address)?.waiting ?? 0) >= MOST_WAITING,
    async failed(address) {
      const entry = entryOf(address);
      const delayMs = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(entry.count, 16));
      entry.count++;
      entry.waiting++;
      entry.lastMs = clock.nowMs();
      await clock.sleep(delayMs, signal).catch(() => undefined); // woken by stop
      entry.waiting--;
    },
  };
}
