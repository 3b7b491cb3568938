/** What becomes of an update: the aggregator's receipts and lists, and what the board itself gives up, taken down in the store. */
import type { Log } from '../../core/base/log.ts';
import type { Receipt, RoundClosed } from '../../core/wire/downlink.ts';
import type { AgentStore, OutboxEntry } from '../store/agent-store.ts';
import type { OutboxKey } from '../store/outbox.ts';

export interface VerdictParts {
  readonly device: string;
  readonly store: AgentStore;
  /** An update has left the outbox. */
  readonly onLeft: (key: OutboxKey) => void;
  readonly log: Log;
}

export interface Verdicts {
  receipt(receipt: Receipt): void;
  /** @param countsLate the fleet counts late updates: one that is not listed is asked about again */
  closed(closed: RoundClosed, countsLate: boolean): void;
  /** The board gives up on it; a verdict that comes later still counts. */
  setAside(row: OutboxEntry, reason: string): void;
}

/** Refusals that come of when an update arrives. All others say that something is wrong with what it says: worth a look. */
const TIMELY: readonly string[] = ['late', 'wrong-epoch', 'wrong-round', 'wrong-version'];

export function createVerdicts({ device, store, onLeft, log }: VerdictParts): Verdicts {
  function settle(key: OutboxKey, outcome: 'counted' | 'rejected', reason = ''): void {
    const attempts = store.outgoing().find(({ round, seq }) => round === key.round && seq === key.seq)?.attempts;
    const isKept = outcome === 'rejected' && !TIMELY.includes(reason);
    const isDone = (isKept && store.setAside(key, 'rejected', reason)) || store.settle(key, outcome, reason);
    if (!isDone) return; // settled before; or on a full disk: the row stays, and is asked about again in its time
    onLeft(key);
    const fields = { round: key.round, seq: key.seq, outcome, ...(attempts !== undefined && { attempts }) };
    if (outcome === 'rejected') log.warn({ ...fields, reason }, 'update rejected');
    else log.info(fields, 'update counted');
  }

  return {
    receipt(receipt) {
      const { round, seq, verdict, reason, final } = receipt;
      const hasLeft = () => store.outgoing().every((row) => row.round !== round || row.seq !== seq);
      if (reason === 'wrong-epoch' && hasLeft()) return; // it was sent before the board had heard of this epoch, and set aside since
      if (verdict === 'rejected') settle({ round, seq }, 'rejected', reason ?? 'malformed');
      else if (final) settle({ round, seq }, 'counted');
      else store.recordReceipt(receipt);
    },
    closed({ round, accepted }, countsLate) {
      for (const { device: whose, seq, lateBy = 0 } of accepted) {
        if (whose === device) settle({ round: round - lateBy, seq }, 'counted');
      }
      if (countsLate) return;
      for (const row of store.outgoing()) {
        if (row.round === round && row.receipt === null) settle(row, 'rejected', 'late');
      }
    },
    setAside({ round, seq, bytes, attempts }, reason) {
      if (!store.setAside({ round, seq }, 'set-aside', reason)) return;
      onLeft({ round, seq });
      log.error({ round, seq, bytes, attempts, reason }, 'update set aside');
    },
  };
}
