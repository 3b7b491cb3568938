/**
 * Which of the aggregator's lives the board is in: a plan of a new one is followed, one of a life that was left is not, and what is
 * said of another one's updates is passed over. The store does the change, in one transaction (`agent/store/epochs.ts`).
 */
import type { Log } from '../../core/base/log.ts';
import { type Epoch, isSameEpoch } from '../../core/wire/epoch.ts';
import type { AgentStore } from '../store/agent-store.ts';
import type { OutboxKey } from '../store/outbox.ts';

export interface EpochFollower {
  /** Whether a plan of this epoch may be taken; enters the epoch when it is a new one. False on a full disk: the plan will come again. */
  follows(epoch: Epoch | undefined): boolean;
  /** Whether what is said of an update may be about one of this board's. */
  concerns(epoch: Epoch | undefined): boolean;
}

export interface EpochParts {
  readonly store: Pick<AgentStore, 'epoch' | 'adoptEpoch'>;
  /** The board has begun anew, without these updates. */
  readonly onNew: (aside: readonly OutboxKey[]) => void;
  readonly log: Log;
}

export function createEpochFollower({ store, onNew, log }: EpochParts): EpochFollower {
  let toldOf: Epoch | null = null;
  return {
    follows(epoch) {
      if (epoch === undefined) return true; // an aggregator of before epochs: as ever
      const adoption = store.adoptEpoch(epoch);
      if (adoption === null) return false;
      if (adoption.kind === 'new') {
        const { from, aside } = adoption;
        log.warn({ epoch, from, setAside: aside.length }, 'the aggregator has begun anew: so does this board');
        onNew(aside);
      }
      if (adoption.kind !== 'left') return true;
      if (toldOf !== epoch) {
        const hint = 'if it stays so, stop the aggregator, run qqr server new-epoch, start it';
        log.warn({ epoch, hint }, 'the plan is of an epoch that this board has left: passed over');
      }
      toldOf = epoch;
      return false;
    },
    concerns: (epoch) => isSameEpoch(epoch, store.epoch()),
  };
}
