/** When each update in the outbox is sent next. In memory only: attempts are on disk, and a restart begins with a jittered pause. */
import type { Clock } from '../../core/base/clock.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { OutboxEntry, OutboxKey } from '../store/outbox.ts';

export interface ResendSchedule {
  /** Milliseconds on the clock. A fresh update is due at once; one that an earlier run has tried waits, as the whole fleet may be back. */
  dueAtMs(row: OutboxEntry): number;
  /** Sending has ended, well or not: the receipt is given `baseMs` to come, then a jittered pause follows. */
  sent(row: OutboxEntry): void;
  /**
   * The link is back. Pauses grew while nobody could answer, or the answer went down with the broker: `newest`, which may yet count in
   * the round that is open, waits no longer now than it would after a restart. What is older keeps its pause, so that a fleet whose
   * outboxes are full does not send them all at once.
   */
  linkUp(newest: OutboxKey | undefined): void;
  forget(key: OutboxKey): void;
}

export function createResendSchedule(clock: Clock, random: () => number, resend: BackoffOptions): ResendSchedule {
  const dueAtMs = new Map<string, number>();
  return {
    dueAtMs(row) {
      const known = dueAtMs.get(nameOf(row));
      if (known !== undefined) return known;
      const due = clock.nowMs() + (row.attempts === 0 ? 0 : backoffMs(0, resend, random));
      dueAtMs.set(nameOf(row), due);
      return due;
    },
    sent(row) {
      if (!dueAtMs.has(nameOf(row))) return; // settled meanwhile
      dueAtMs.set(nameOf(row), clock.nowMs() + resend.baseMs + backoffMs(row.attempts, resend, random));
    },
    linkUp(newest) {
      const due = newest && dueAtMs.get(nameOf(newest));
      if (newest === undefined || due === undefined) return;
      dueAtMs.set(nameOf(newest), Math.min(due, clock.nowMs() + backoffMs(0, resend, random)));
    },
    forget: (key) => void dueAtMs.delete(nameOf(key)),
  };
}

function nameOf({ round, seq }: OutboxKey): string {
  return `${round}/${seq}`;
}
