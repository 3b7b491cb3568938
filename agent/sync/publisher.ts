/**
 * The outbox's way out: each update again and again until the aggregator's verdict on it is final.
 *
 *   no receipt ──send, back off with full jitter──▶ no receipt
 *   no receipt ──accepted / duplicate, not final──▶ waits for `round/closed`; sends again if the fleet moves on without it
 *   any        ──final receipt, or key in `round/closed`──▶ settled as counted
 *   any        ──rejected──▶ settled as rejected(reason); kept in the quarantine when the update itself is at fault
 *   no receipt ──`round/closed` without the key──▶ settled as rejected(late), unless the fleet counts late updates: then it is sent again,
 *                and the aggregator says in a receipt whether it is late or counted in the round that is open now
 *   no receipt ──larger than a message may be──▶ set aside(too-large), never sent
 *   no receipt ──its round is over, and others get receipts while it does not──▶ set aside(no-receipt)
 *   any        ──the outbox is larger than it may be, and this is the oldest──▶ set aside(outbox-full)
 *   any        ──the board has entered another epoch──▶ set aside(other-epoch), by the store
 *   set aside  ──a verdict after all──▶ settled by it
 *
 * A few may be on their way at once, so that none holds up the others: one after a failure, twice as many with each that the broker
 * acknowledges. A broker's PUBACK settles nothing: every broker measured has lost acknowledged messages (ARCHITECTURE §3).
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { BackoffOptions } from '../../core/base/retry.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { Receipt, RoundClosed, RoundPlan } from '../../core/wire/downlink.ts';
import { MAX_PAYLOAD_BYTES } from '../../core/wire/limits.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { AgentStore, OutboxEntry } from '../store/agent-store.ts';
import type { OutboxKey } from '../store/outbox.ts';
import { createResendSchedule } from './resend-schedule.ts';
import { createSuspects } from './suspects.ts';
import { triage } from './triage.ts';
import { createVerdicts } from './verdicts.ts';
import { createWakeup } from './wakeup.ts';

export interface PublisherParts {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  readonly store: AgentStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** A receipt is given `baseMs` to come, or longer when receipts have taken longer; then a jittered delay up to `capMs`. */
  readonly resend: BackoffOptions;
  /** Payloads in the outbox together, bytes; the newest update stays whatever its size. */
  readonly outboxBytes: number;
  /** An update has been handed to the broker, as far as can be known. */
  readonly onSent: () => void;
  /** An update has left the outbox. */
  readonly onSettled: () => void;
  readonly log: Log;
}

/** What the aggregator takes: as large as this, as late as that. */
export type RoundTerms = Pick<RoundPlan, 'maxUpdateBytes' | 'lateRounds'>;

export interface Publisher {
  /** Sends until the signal aborts; rejects when the store fails. */
  run(signal: AbortSignal): Promise<void>;
  /** There may be something new to send. */
  wake(): void;
  /** The fleet works on this round, on these terms: what is older will not be answered by its own `round/closed` any more. */
  atRound(round: number, terms?: RoundTerms): void;
  /** The board has begun anew in another epoch; these have left the outbox. */
  beginAnew(aside: readonly OutboxKey[]): void;
  onReceipt(receipt: Receipt): void;
  onClosed(closed: RoundClosed): void;
}

/** Updates on their way at once. */
const MOST_IN_FLIGHT = 8;

export function createPublisher(parts: PublisherParts): Publisher {
  const { transport, store, clock, random, resend, outboxBytes, onSettled } = parts;
  const wakeup = createWakeup(clock);
  const schedule = createResendSchedule(clock, random, resend);
  const suspects = createSuspects();
  const flight = createFlight(parts, (row) => {
    schedule.sent(row);
    wakeup.wake();
  });
  const onLeft = (key: OutboxKey) => {
    for (const known of [schedule, suspects]) known.forget(key);
    onSettled();
  };
  const verdicts = createVerdicts({ ...parts, onLeft });
  let currentRound = -1;
  let terms: RoundTerms = {};

  /** The next to be sent, after what cannot be has been set aside. */
  function mostUrgent(): OutboxEntry | null {
    const { maxUpdateBytes: maxBytes = MAX_PAYLOAD_BYTES } = terms;
    const rules = { maxBytes, outboxBytes, currentRound, strikes: suspects.strikes };
    const { kept, aside } = triage(store.outgoing(), rules);
    for (const { row, reason } of aside) verdicts.setAside(row, reason);
    const waiting = kept.filter((row) => (row.receipt === null || row.round < currentRound) && !flight.holds(row));
    return waiting.sort((a, b) => schedule.dueAtMs(a) - schedule.dueAtMs(b))[0] ?? null; // stable: of two, the older update
  }

  function send(row: OutboxEntry): void {
    const payload = store.payloadOf(row);
    if (payload === null) return;
    store.recordAttempt(row);
    suspects.sent(row);
    flight.launch(row, payload);
  }

  transport.onState((connected) => {
    if (!connected) return;
    schedule.linkUp(store.outgoing().at(-1));
    wakeup.wake();
  });

  return {
    async run(signal) {
      while (!signal.aborted) {
        const row = flight.isFull() ? null : mostUrgent();
        const waitMs = row === null ? undefined : schedule.dueAtMs(row) - clock.nowMs();
        if (row !== null && waitMs !== undefined && waitMs <= 0) send(row);
        else await wakeup.sleep(signal, waitMs);
      }
    },
    wake: wakeup.wake,
    atRound(round, next = {}) {
      const isNew = next.maxUpdateBytes !== terms.maxUpdateBytes || next.lateRounds !== terms.lateRounds;
      if (round <= currentRound && !isNew) return;
      currentRound = Math.max(round, currentRound);
      terms = next;
      wakeup.wake();
    },
    beginAnew(aside) {
      [currentRound, terms] = [-1, {}];
      for (const key of aside) onLeft(key);
    },
    onReceipt(receipt) {
      suspects.answered(receipt);
      schedule.answered(receipt);
      verdicts.receipt(receipt);
      wakeup.wake();
    },
    onClosed(closed) {
      verdicts.closed(closed, (terms.lateRounds ?? 0) > 0);
      wakeup.wake();
    },
  };
}

/** Updates on their way to the broker: one after a failure, twice as many with each that is acknowledged. */
function createFlight(
  { transport, topics, device, onSent, log }: PublisherParts,
  onLanded: (row: OutboxEntry) => void,
): {
  launch(row: OutboxEntry, payload: Uint8Array): void;
  holds(key: OutboxKey): boolean;
  isFull(): boolean;
} {
  const inFlight = new Set<string>();
  let width = 1;

  async function fly(row: OutboxEntry, payload: Uint8Array): Promise<void> {
    try {
      await transport.publish(topics.up(device), payload, { qos: 1 });
      width = Math.min(2 * width, MOST_IN_FLIGHT);
      onSent();
    } catch (error) {
      width = 1;
      if (error instanceof AppError && error.code === 'timeout') onSent(); // it may be there all the same
      log.debug({ round: row.round, seq: row.seq, error: String(error) }, 'update not sent');
    } finally {
      inFlight.delete(nameOf(row));
      onLanded(row);
    }
  }

  return {
    launch(row, payload) {
      inFlight.add(nameOf(row));
      void fly(row, payload);
    },
    holds: (key) => inFlight.has(nameOf(key)),
    isFull: () => inFlight.size >= width,
  };
}

function nameOf({ round, seq }: OutboxKey): string {
  return `${round}/${seq}`;
}
