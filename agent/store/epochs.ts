/**
 * Which epoch a board is in (`core/wire/epoch.ts`), and those that it has left.
 * Invariant: checkpoint and outbox are of the epoch that is kept here. All three change in one transaction, or none does; an epoch that
 * was left is not entered again, so that what a broker has retained of it leads nobody back.
 */
import type { Epoch } from '../../core/wire/epoch.ts';
import type { CheckpointTable } from './checkpoint.ts';
import type { OutboxKey, OutboxTable } from './outbox.ts';
import type { StateTable } from './state.ts';
import { type Db, transaction } from './transaction.ts';

/**
 * `kept`: the board is in it. `first`: it was in none, as far as it knew, and goes on as it was. `left`: it will not come back.
 * `new`: its rounds begin anew; what it had not delivered is set aside.
 */
export type Adoption =
  | { readonly kind: 'kept' | 'first' | 'left' }
  | { readonly kind: 'new'; readonly from: Epoch; readonly aside: readonly OutboxKey[] };

export interface EpochTable {
  /** Null before the board has heard of any. */
  current(): Epoch | null;
  adopt(epoch: Epoch): Adoption;
}

/** Why an update of before waits no more. */
export const OTHER_EPOCH = 'other-epoch';

const KEY = 'epoch';
/** Epochs that were left and are remembered, the newest: a fleet sees a few in its life. */
const KEPT_LEFT = 16;

interface Kept {
  readonly now: Epoch;
  /** Oldest first. */
  readonly left: readonly Epoch[];
}

export function epochTable(
  db: Db,
  { state, checkpoints, outbox }: { state: StateTable; checkpoints: CheckpointTable; outbox: OutboxTable },
): EpochTable {
  const read = () => state.readJson<Kept>(KEY);
  const write = (kept: Kept) => state.writeJson(KEY, kept);
  return {
    current: () => read()?.now ?? null,
    adopt(epoch) {
      if (read()?.now === epoch) return { kind: 'kept' };
      return transaction(db, () => {
        const kept = read();
        if (kept === null) {
          write({ now: epoch, left: [] });
          return { kind: 'first' };
        }
        if (kept.now === epoch) return { kind: 'kept' };
        if (kept.left.includes(epoch)) return { kind: 'left' };
        write({ now: epoch, left: [...kept.left, kept.now].slice(-KEPT_LEFT) });
        const aside = outbox.setAllAside(OTHER_EPOCH);
        checkpoints.beginAnew();
        return { kind: 'new', from: kept.now, aside };
      });
    },
  };
}
