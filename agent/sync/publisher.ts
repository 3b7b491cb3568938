/**
 * The outbox's way out: one update at a time, again and again until the aggregator's verdict on it is final.
 *
 *   no receipt ──send, back off with full jitter──▶ no receipt
 *   no receipt ──accepted / duplicate, not final──▶ waits for `round/closed`; sends again if the fleet moves on without it
 *   any        ──final receipt, or key in `round/closed`──▶ settled as counted
 *   any        ──rejected──▶ settled as rejected(reason)
 *   no receipt ──`round/closed` without the key──▶ settled as rejected(late), unless the fleet counts late updates: then it is sent again,
 *                and the aggregator says in a receipt whether it is late or counted in the round that is open now
 *
 * A broker's PUBACK settles nothing: every broker measured has lost acknowledged messages (ARCHITECTURE §3).
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import type { BackoffOptions } from '../../core/base/retry.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { Receipt, RoundClosed } from '../../core/wire/downlink.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { AgentStore, OutboxRow } from '../store/agent-store.ts';
import { createResendSchedule } from './resend-schedule.ts';
import { createWakeup } from './wakeup.ts';

export interface PublisherParts {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  readonly store: AgentStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A receipt is given `baseMs` to come, then a jittered delay up to `capMs`. */
  readonly resend: BackoffOptions;
  /** An update has left the outbox. */
  readonly onSettled: () => void;
  readonly log: Log;
}

export interface Publisher {
  /** Sends until the signal aborts; rejects when the store fails. */
  run(signal: AbortSignal): Promise<void>;
  /** There may be something new to send. */
  wake(): void;
  /**
   * The fleet works on this round: what is older will not be answered by its own `round/closed` any more.
   * @param lateRounds how many rounds late an update may still be counted
   */
  atRound(round: number, lateRounds?: number): void;
  onReceipt(receipt: Receipt): void;
  onClosed(closed: RoundClosed): void;
}

export function createPublisher(parts: PublisherParts): Publisher {
  const { transport, topics, device, store, clock, random, resend, onSettled, log } = parts;
  const wakeup = createWakeup(clock);
  const schedule = createResendSchedule(clock, random, resend);
  let currentRound = -1;
  let countsLate = false;

  function settle(row: OutboxRow, outcome: 'counted' | 'rejected', reason?: string): void {
    if (!store.settle(row, outcome, reason)) return; // on a full disk: the row stays, and is asked about again in its time
    schedule.forget(row);
    const fields = { round: row.round, seq: row.seq, outcome, attempts: row.attempts };
    if (outcome === 'rejected') log.warn({ ...fields, reason }, 'update rejected');
    else log.info(fields, 'update counted');
    onSettled();
  }

  function mostUrgent(): OutboxRow | null {
    const open = store.pending().filter((row) => row.receipt === null || row.round < currentRound);
    const [first] = open.sort((a, b) => schedule.dueAtMs(a) - schedule.dueAtMs(b)); // stable: of two, the older update
    return first ?? null;
  }

  async function send(row: OutboxRow): Promise<void> {
    store.recordAttempt(row);
    schedule.sent(row);
    try {
      await transport.publish(topics.up(device), row.payload, { qos: 1 });
    } catch (error) {
      log.debug({ round: row.round, seq: row.seq, error: String(error) }, 'update not sent');
    }
  }

  transport.onState((connected) => {
    if (!connected) return;
    schedule.linkUp();
    wakeup.wake();
  });

  return {
    async run(signal) {
      while (!signal.aborted) {
        const row = mostUrgent();
        const waitMs = row === null ? undefined : schedule.dueAtMs(row) - clock.nowMs();
        if (row !== null && waitMs !== undefined && waitMs <= 0) await send(row);
        else await wakeup.sleep(signal, waitMs);
      }
    },
    wake: wakeup.wake,
    atRound(round, lateRounds = 0) {
      countsLate = lateRounds > 0;
      if (round <= currentRound) return;
      currentRound = round;
      wakeup.wake();
    },
    onReceipt(receipt) {
      const row = store.pending().find(({ round, seq }) => round === receipt.round && seq === receipt.seq);
      if (row === undefined) return;
      if (receipt.verdict === 'rejected') settle(row, 'rejected', receipt.reason ?? 'malformed');
      else if (receipt.final) settle(row, 'counted');
      else store.recordReceipt(receipt);
      wakeup.wake();
    },
    onClosed({ round, accepted }) {
      const own = accepted.filter((key) => key.device === device);
      const counted = new Set(own.map(({ seq, lateBy = 0 }) => `${round - lateBy}/${seq}`));
      for (const row of store.pending()) {
        if (counted.has(`${row.round}/${row.seq}`)) settle(row, 'counted');
        else if (row.round === round && row.receipt === null && !countsLate) settle(row, 'rejected', 'late');
      }
      wakeup.wake();
    },
  };
}
