/**
 * Counts refusals that a flood could bring by the thousand without a write for each: the first of its kind in a round at once, the
 * others when the round closes or a thousand have gathered. What is not yet written when the process dies is not counted.
 */
import type { RejectReason } from '../core/wire/update.ts';
import type { RoundStore } from './store/round-store.ts';

const GATHERED = 1000;

export interface RefusalTally {
  count(device: string, reason: RejectReason): void;
  /** Writes what has gathered; what comes after is the first of its kind again. */
  flush(): void;
}

export function createRefusalTally(store: Pick<RoundStore, 'reject'>): RefusalTally {
  const gathered = new Map<string, { readonly device: string; readonly reason: RejectReason; count: number }>();
  return {
    count(device, reason) {
      const key = `${reason} ${device}`;
      const entry = gathered.get(key);
      if (entry === undefined) {
        store.reject(reason, device);
        gathered.set(key, { device, reason, count: 0 });
      } else if (++entry.count >= GATHERED) {
        store.reject(reason, device, entry.count);
        entry.count = 0;
      }
    },
    flush() {
      for (const { device, reason, count } of gathered.values()) if (count > 0) store.reject(reason, device, count);
      gathered.clear();
    },
  };
}
