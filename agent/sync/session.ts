/**
 * A board's conversation with the aggregator.
 *
 *             ┌──────────── newer plan aborts the wait ───────────┐
 *             ▼                                                   │
 *   start ─▶ waiting ── plan untrained, its global state here ─▶ training
 *             │ ▲                                                 │
 *             │ └───── committed / already done / no windows ─────┘
 *             └─▶ finished:  plan says so, or the stream has ended, the plan is handled, too few windows are left, the outbox is empty
 *
 * Beside it, whatever the state, the publisher empties the outbox and a watchdog doubts the link; each has its own drawing. Only the store's checkpoint says what has been trained, so a restart
 * at any point continues the same conversation.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { BackoffOptions } from '../../core/base/retry.ts';
import type { LastWill, Transport } from '../../core/link/transport.ts';
import type { DeviceStatus, RoundPlan } from '../../core/wire/downlink.ts';
import { encodeStatus } from '../../core/wire/messages.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { createAnnouncer } from './announcer.ts';
import { createEpochFollower, type EpochFollower, type EpochParts } from './epoch-follower.ts';
import { createLinkWatchdog } from './link-watchdog.ts';
import { createPublisher, type Publisher } from './publisher.ts';
import { createReceiver, type Receiver } from './receiver.ts';
import { createRoundRunner, type RoundRunner, type RoundTrainer, windowsFor } from './round-runner.ts';
import { createWakeup, type Wakeup } from './wakeup.ts';

export { type RoundTrainer, windowsFor };

export interface SessionParts {
  /** Started by its owner, before or after the session. */
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  /** Names of the modalities that the board has. */
  readonly modalities: readonly string[];
  readonly store: AgentStore;
  readonly trainer: RoundTrainer;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Default 5 s doubling to 5 min. */
  readonly resend?: BackoffOptions;
  /** After so long without news the board says again that it is there, and asks for the retained messages. Default 5 min. */
  readonly refreshMs?: number;
  /** An update was sent and the aggregator says nothing for so long: the connection is replaced. 0: never. Default 10 min. */
  readonly silenceMs?: number;
  /** Updates that wait, together, bytes; beyond it the oldest are set aside. Default 16 · 10⁶. */
  readonly outboxBytes?: number;
}

export interface Session extends Lifecycle {
  /** Resolves in the state `finished`; rejects when the trainer or the store fails. Stays open after `stop`. */
  readonly finished: Promise<void>;
  /** What the fleet's model tells apart; null before a plan has come. */
  readonly classes: () => readonly string[] | null;
  /** Stored windows that rounds of the present plan may still use; null before a plan has come. */
  readonly usableWindows: () => number | null;
  /** Connections that were given up because nobody answered. */
  readonly reconnects: () => number;
}

/** The will to give to the transport, so that the fleet hears of a board that vanishes. */
export function offlineWill(topics: Topics, device: string, modalities: readonly string[]): LastWill {
  const payload = encodeStatus({ device, state: 'offline', modalities });
  return { topic: topics.status(device), payload, qos: 1, retain: true };
}

/** Attempts to say that the board has finished. */
const FAREWELL_ATTEMPTS = 5;
const RESEND: BackoffOptions = { baseMs: 5000, capMs: 300_000 };
const REFRESH_MS = 300_000;
const SILENCE_MS = 600_000;
const OUTBOX_BYTES = 16e6;

export function createSession(parts: SessionParts): Session {
  const { transport, store, trainer, clock, log } = parts;
  const { resend = RESEND, silenceMs = SILENCE_MS, outboxBytes = OUTBOX_BYTES } = parts;
  const stopping = new AbortController();
  const wakeup = createWakeup(clock);
  const outcome = createOutcome();
  const { announce } = createAnnouncer(parts);
  const watchdog = createLinkWatchdog({ ...parts, silenceMs });
  const publisher = createPublisher({
    ...parts,
    resend,
    outboxBytes,
    onSent: watchdog.sent,
    onSettled: wakeup.wake,
  });
  const rounds = createRoundRunner(trainer, store, log);
  const epochs = createEpochs(parts, outcome, (aside) => {
    publisher.beginAnew(aside);
    void announce(state, 1); // where it is now
  });
  const receiver = createReceiver({
    ...parts,
    epochs,
    onNews: watchdog.heard,
    onReceipt: outcome.orFail(publisher.onReceipt),
    onClosed: outcome.orFail(publisher.onClosed),
    onChange() {
      const plan = receiver.plan();
      if (plan !== null) {
        publisher.atRound(plan.kind === 'finished' ? plan.round + 1 : plan.round, plan);
        rounds.atPlan(plan);
      }
      wakeup.wake();
    },
  });
  let state: DeviceStatus['state'] = 'online';
  let running: Promise<unknown> = Promise.resolve();

  async function run(signal: AbortSignal): Promise<void> {
    const sayHello = () => announce(state, 1); // its first one may have been lost on the way
    await converse(receiver, rounds, publisher, wakeup, sayHello, parts, signal);
    state = 'finished';
    await announce(state, FAREWELL_ATTEMPTS);
    log.info({ device: parts.device, round: receiver.plan()?.round }, 'session finished');
    outcome.finish();
  }

  return {
    finished: outcome.finished,
    classes: () => receiver.plan()?.spec.classes ?? null,
    usableWindows: () => usableIn(store, receiver.plan()),
    reconnects: watchdog.reconnects,
    async start(signal) {
      signal.addEventListener('abort', () => stopping.abort(signal.reason), { once: true });
      transport.onState((connected) => {
        if (connected) void announce(state, 1);
      });
      await receiver.subscribe();
      await announce(state, 1);
      const failUnlessStopped = (error: unknown) => void (stopping.signal.aborted || outcome.fail(error));
      const all = [run(stopping.signal), publisher.run(stopping.signal), watchdog.run(stopping.signal)];
      running = Promise.all(all.map((part) => part.catch(failUnlessStopped)));
    },
    async stop() {
      stopping.abort(new Error('session stopped'));
      await running;
      if (state !== 'online') return;
      state = 'offline';
      await announce(state, 1);
    },
  };
}

function usableIn(store: AgentStore, plan: RoundPlan | null): number | null {
  return plan === null ? null : store.countWindows(windowsFor(plan, store.checkpoint()?.cursor ?? -1));
}

/** Trains what is asked for until there is nothing left to do. */
async function converse(
  receiver: Receiver,
  rounds: RoundRunner,
  publisher: Publisher,
  wakeup: Wakeup,
  sayHello: () => Promise<void>,
  { log, refreshMs = REFRESH_MS }: Pick<SessionParts, 'log' | 'refreshMs'>,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted();
    const plan = receiver.plan();
    if (plan?.kind === 'finished' || (plan !== null && rounds.isExhausted(plan))) return;
    const isHandled = plan !== null && rounds.isHandled(plan);
    if (isHandled) publisher.wake(); // whoever committed the update: it may have been a learner that died before it could say so
    const global = plan === null || isHandled ? null : receiver.globalFor(plan);
    if (plan !== null && global !== null) {
      await rounds.run(plan, global, signal);
      continue;
    }
    if ((await wakeup.sleep(signal, refreshMs)) === 'woken') continue;
    try {
      await sayHello();
      await receiver.refresh();
    } catch (error) {
      log.debug({ error: String(error) }, 'no news could be asked for');
    }
  }
}

/** As it follows; a failure of the store is the session's. */
function createEpochs(parts: SessionParts, { orFail }: Outcome, onNew: EpochParts['onNew']): EpochFollower {
  const { follows, concerns } = createEpochFollower({ ...parts, onNew });
  return { follows: orFail(follows), concerns: orFail(concerns) };
}

/** The promise of how it ended, and who may settle it. */
interface Outcome {
  readonly finished: Promise<void>;
  finish(): void;
  fail(error: unknown): void;
  /** The handler, with its failure taken as the session's and passed on, so that the broker keeps the message. */
  orFail<T, R>(handle: (value: T) => R): (value: T) => R;
}

function createOutcome(): Outcome {
  let finish: () => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  finished.catch(() => undefined); // whoever awaits it is told; nobody has to
  const orFail: Outcome['orFail'] = (handle) => (value) => {
    try {
      return handle(value);
    } catch (error) {
      fail(error);
      throw error;
    }
  };
  return { finished, finish, fail, orFail };
}
