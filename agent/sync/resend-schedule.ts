/** When each update in the outbox is sent next. In memory only: attempts are on disk, and a restart begins with a jittered pause. */
import type { Clock } from '../../core/base/clock.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { OutboxEntry, OutboxKey } from '../store/outbox.ts';
import { createPatience } from './patience.ts';

export interface ResendSchedule {
  /** Milliseconds on the clock. A fresh update is due at once; one that an earlier run has tried waits, as the whole fleet may be back. */
  dueAtMs(row: OutboxEntry): number;
  /** Sending has ended, well or not: the receipt is given time to come, then a jittered pause follows. */
  sent(row: OutboxEntry): void;
  /** The aggregator has said something of the update. */
  answered(key: OutboxKey): void;
  /**
   * The link is back. Pauses grew while nobody could answer, or the answer went down with the broker: `newest`, which may yet count in
   * the round that is open, waits no longer now than it would after a restart. What is older keeps its pause, so that a fleet whose
   * outboxes are full does not send them all at once.
   */
  linkUp(newest: OutboxKey | undefined): void;
  forget(key: OutboxKey): void;
}

interface Wait {
  dueAtMs: number;
  /** When it was first sent, as long as its receipt will tell how long the aggregator takes: over one connection, in this run. */
  sentAtMs: number | null;
}

export function createResendSchedule(clock: Clock, random: () => number, resend: BackoffOptions): ResendSchedule {
  const patience = createPatience(resend.baseMs);
  const waits = new Map<string, Wait>();

  function waitOf(row: OutboxEntry): Wait {
    const known = waits.get(nameOf(row));
    if (known !== undefined) return known;
    const dueAtMs = clock.nowMs() + (row.attempts === 0 ? 0 : backoffMs(0, resend, random));
    const wait = { dueAtMs, sentAtMs: null };
    waits.set(nameOf(row), wait);
    return wait;
  }

  return {
    dueAtMs: (row) => waitOf(row).dueAtMs,
    sent(row) {
      const wait = waits.get(nameOf(row));
      if (wait === undefined) return; // settled meanwhile
      // Of two sendings nobody knows which was answered. The first is taken: rather too patient than too eager.
      if (row.attempts === 0) wait.sentAtMs = clock.nowMs();
      wait.dueAtMs = clock.nowMs() + patience.currentMs() + backoffMs(row.attempts, resend, random);
    },
    answered(key) {
      const wait = waits.get(nameOf(key));
      if (wait === undefined || wait.sentAtMs === null) return;
      patience.answered(clock.nowMs() - wait.sentAtMs);
      wait.sentAtMs = null;
    },
    linkUp(newest) {
      for (const wait of waits.values()) wait.sentAtMs = null;
      const wait = newest && waits.get(nameOf(newest));
      if (wait !== undefined) wait.dueAtMs = Math.min(wait.dueAtMs, clock.nowMs() + backoffMs(0, resend, random));
    },
    forget: (key) => void waits.delete(nameOf(key)),
  };
}

function nameOf({ round, seq }: OutboxKey): string {
  return `${round}/${seq}`;
}
