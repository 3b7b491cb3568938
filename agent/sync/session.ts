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
 * Beside it the publisher empties the outbox, whatever the state. Only the store's checkpoint says what has been trained, so a restart
 * at any point continues the same conversation.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { LastWill, Transport } from '../../core/link/transport.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { DeviceStatus, RoundPlan } from '../../core/wire/downlink.ts';
import { encodeStatus } from '../../core/wire/messages.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { AgentStore } from '../store/agent-store.ts';
import { createPublisher } from './publisher.ts';
import { createReceiver } from './receiver.ts';
import { createWakeup } from './wakeup.ts';

export interface RoundTrainer {
  /**
   * Trains the plan's round from `global` and commits update and checkpoint to the store in one transaction.
   * May wait for windows; rejects with the signal's reason when it aborts before the commit.
   * `no-windows`: the stream has ended and holds too few for this round.
   */
  runRound(
    plan: RoundPlan,
    global: GlobalState,
    signal: AbortSignal,
  ): Promise<'committed' | 'already-done' | 'no-windows'>;
}

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
  /** After so long without news the retained messages are asked for again. Default 5 min. */
  readonly refreshMs?: number;
}

export interface Session extends Lifecycle {
  /** Resolves in the state `finished`; rejects when the trainer or the store fails. Stays open after `stop`. */
  readonly finished: Promise<void>;
}

const STATUS_ATTEMPTS = 5;
const STATUS_BACKOFF: BackoffOptions = { baseMs: 200, capMs: 2000 };

/** The will to give to the transport, so that the fleet hears of a board that vanishes. */
export function offlineWill(topics: Topics, device: string, modalities: readonly string[]): LastWill {
  return {
    topic: topics.status(device),
    payload: encodeStatus({ device, state: 'offline', modalities }),
    qos: 1,
    retain: true,
  };
}

export function createSession(parts: SessionParts): Session {
  const { transport, topics, device, modalities, store, trainer, clock, random, log } = parts;
  const { resend = { baseMs: 5000, capMs: 300_000 }, refreshMs = 300_000 } = parts;
  const stopping = new AbortController();
  const wakeup = createWakeup(clock);
  let state: DeviceStatus['state'] = 'online';
  /** The round that the trainer was asked for last and has answered. */
  let answered = -1;
  let training: { readonly round: number; readonly abort: AbortController } | null = null;
  let running: Promise<void> = Promise.resolve();
  let finish: () => void;
  let fail: (error: unknown) => void;
  const finished = new Promise<void>((resolve, reject) => {
    finish = resolve;
    fail = reject;
  });
  finished.catch(() => undefined); // whoever awaits it is told; nobody has to

  const publisher = createPublisher({
    transport,
    topics,
    device,
    store,
    clock,
    random,
    resend,
    log,
    onSettled: wakeup.wake,
  });
  const receiver = createReceiver({
    transport,
    topics,
    device,
    log,
    onReceipt: orFail(publisher.onReceipt),
    onClosed: orFail(publisher.onClosed),
    onChange() {
      const round = receiver.plan()?.round ?? -1;
      publisher.atRound(round);
      if (training !== null && round > training.round) training.abort.abort(new Error(`round ${round} has begun`));
      wakeup.wake();
    },
  });

  function orFail<T>(handle: (value: T) => void): (value: T) => void {
    return (value) => {
      try {
        handle(value);
      } catch (error) {
        fail(error);
        throw error; // so that the broker keeps the message
      }
    };
  }

  async function announce(attempts: number): Promise<void> {
    const payload = encodeStatus({ device, state, modalities });
    for (let attempt = 0; attempt < attempts; attempt++) {
      try {
        return await transport.publish(topics.status(device), payload, { qos: 1, retain: true });
      } catch (error) {
        log.debug({ state, attempt, error: String(error) }, 'status not sent');
      }
      if (attempt + 1 < attempts) await clock.sleep(backoffMs(attempt, STATUS_BACKOFF, random));
    }
  }

  function isHandled(plan: RoundPlan): boolean {
    return answered >= plan.round || (store.checkpoint()?.round ?? -1) >= plan.round;
  }

  function isFinished(plan: RoundPlan): boolean {
    if (plan.kind === 'finished') return true;
    if (!isHandled(plan) || !store.ingestPosition()?.streamEnded || store.pending().length > 0) return false;
    const afterIndex = store.checkpoint()?.cursor ?? -1;
    return store.countWindows({ afterIndex, classes: plan.spec.classes }) < plan.settings.windowsPerRound;
  }

  async function train(plan: RoundPlan, global: GlobalState, signal: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const stop = () => abort.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    training = { round: plan.round, abort };
    try {
      const result = await trainer.runRound(plan, global, abort.signal);
      answered = plan.round;
      log.debug({ round: plan.round, result }, 'round answered');
      if (result === 'committed') publisher.wake();
    } catch (error) {
      if (!abort.signal.aborted) throw error;
      log.info({ round: plan.round, reason: String(abort.signal.reason) }, 'round given up');
    } finally {
      training = null;
      signal.removeEventListener('abort', stop);
    }
  }

  async function converse(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const plan = receiver.plan();
      if (plan !== null && isFinished(plan)) break;
      const global = plan === null || isHandled(plan) ? null : receiver.globalFor(plan);
      if (plan !== null && global !== null) await train(plan, global, signal);
      else if ((await wakeup.sleep(signal, refreshMs)) === 'late') await refresh();
    }
    state = 'finished';
    await announce(STATUS_ATTEMPTS);
    log.info({ device, round: receiver.plan()?.round }, 'session finished');
    finish();
  }

  async function refresh(): Promise<void> {
    try {
      await receiver.refresh();
    } catch (error) {
      log.debug({ error: String(error) }, 'no news could be asked for');
    }
  }

  async function run(): Promise<void> {
    const { signal } = stopping;
    const failUnlessStopped = (error: unknown) => {
      if (!signal.aborted) fail(error);
    };
    await Promise.all([converse(signal).catch(failUnlessStopped), publisher.run(signal).catch(failUnlessStopped)]);
  }

  return {
    finished,
    async start(signal) {
      signal.addEventListener('abort', () => stopping.abort(signal.reason), { once: true });
      transport.onState((connected) => {
        if (connected) void announce(1);
      });
      await receiver.subscribe();
      await announce(1);
      running = run();
    },
    async stop() {
      stopping.abort(new Error('session stopped'));
      await running;
      if (state !== 'online') return;
      state = 'offline';
      await announce(1);
    },
  };
}
