/**
 * Which updates are sent in vain while others of the same link get their receipts: something is wrong with them, not with the link.
 * A strike is a receipt of another update since this one was last sent. In memory only: a restart begins anew.
 */
import type { OutboxKey } from '../store/outbox.ts';

export interface Suspects {
  /** It was handed to the broker. */
  sent(key: OutboxKey): void;
  /** The aggregator has answered for it: it is beyond suspicion, and every other one that waits gets a strike. */
  answered(key: OutboxKey): void;
  strikes(key: OutboxKey): number;
  forget(key: OutboxKey): void;
}

export function createSuspects(): Suspects {
  const waiting = new Map<string, { strikes: number; isSent: boolean }>();
  return {
    sent(key) {
      const known = waiting.get(nameOf(key));
      if (known === undefined) waiting.set(nameOf(key), { strikes: 0, isSent: true });
      else known.isSent = true;
    },
    answered(key) {
      if (!waiting.delete(nameOf(key))) return; // an echo of what has been answered before
      for (const other of waiting.values()) {
        if (other.isSent) other.strikes++;
        other.isSent = false;
      }
    },
    strikes: (key) => waiting.get(nameOf(key))?.strikes ?? 0,
    forget: (key) => void waiting.delete(nameOf(key)),
  };
}

function nameOf({ round, seq }: OutboxKey): string {
  return `${round}/${seq}`;
}
