/**
 * The aggregator's voice: retained state, the plan of the round, who was counted, receipts.
 * Invariant: what is retained is told in the order in which it was decided, again after each loss of the link (a broker may have
 * forgotten it), and never older after newer. Every message says the store's epoch. Receipts are told once: a board that misses one sends again and gets another.
 */
import type { Clock } from '../core/base/clock.ts';
import { errorFields } from '../core/base/errors.ts';
import type { Log } from '../core/base/log.ts';
import { backoffMs } from '../core/base/retry.ts';
import type { Transport } from '../core/link/transport.ts';
import type { Receipt, RoundClosed, RoundPlan } from '../core/wire/downlink.ts';
import type { Epoch } from '../core/wire/epoch.ts';
import { encodeGlobal, encodeReceipt, encodeRoundClosed, encodeRoundPlan } from '../core/wire/messages.ts';
import type { Topics } from '../core/wire/topics.ts';
import type { FleetState } from './fleet-state.ts';

const RETRY = { baseMs: 200, capMs: 10_000 };
/** So long nothing can be told before the log says so: a broker that restarts is back by then. */
const MUTE_MS = 60_000;

export interface Broadcast {
  /** Retained model and prototypes, made by `round`. Resolves when the broker has them; tries again until the signal aborts. */
  global(state: FleetState, round: number, signal: AbortSignal): Promise<void>;
  /** Retained plan. As above. */
  plan(plan: RoundPlan, signal: AbortSignal): Promise<void>;
  /** As above, not retained. */
  closed(closed: RoundClosed, signal: AbortSignal): Promise<void>;
  /** Hands a receipt over without waiting for the broker. */
  receipt(device: string, receipt: Receipt): void;
  /** Tells all that is retained again, as after a reconnect. */
  again(signal: AbortSignal): Promise<void>;
}

export interface BroadcastOptions {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly shapeHash: number;
  /** Of the store: said with everything. */
  readonly epoch: Epoch;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the jitter of retries. */
  readonly random: () => number;
  readonly log: Log;
}

export function createBroadcast(options: BroadcastOptions): Broadcast {
  const { transport, topics, shapeHash, epoch, clock, random, log } = options;
  const retained = new Map<string, Uint8Array>();
  let queue = Promise.resolve();
  let timesAgain = 0;

  /** Runs `job` when all before it are done, whether they came off or not. */
  const inOrder = (job: () => Promise<void>): Promise<void> => {
    const result = queue.then(job);
    queue = result.catch(() => undefined);
    return result;
  };
  const mute = createMuteWatch(clock, log);
  const publish = async (topic: string, payload: Uint8Array, retain: boolean, signal: AbortSignal) => {
    for (let attempt = 0; ; attempt++) {
      signal.throwIfAborted();
      try {
        await unlessAborted(transport.publish(topic, payload, { qos: 1, retain }), signal);
        return mute.told();
      } catch (error) {
        signal.throwIfAborted();
        log.debug({ topic, attempt, error: String(error) }, 'publish failed, trying again');
        mute.failed(topic, error);
        await clock.sleep(backoffMs(attempt, RETRY, random), signal);
      }
    }
  };
  const retain = (entries: readonly (readonly [string, Uint8Array])[], signal: AbortSignal) => {
    for (const [topic, payload] of entries) retained.set(topic, payload);
    return inOrder(async () => {
      for (const [topic, payload] of entries) await publish(topic, payload, true, signal);
    });
  };
  return {
    global(state, round, signal) {
      const { model, prototypes } = encodeGlobal(state, { round, shapeHash, epoch });
      const entries = [[topics.globalModel, model] as const, [topics.globalPrototypes, prototypes] as const];
      return retain(entries, signal);
    },
    plan: (plan, signal) => retain([[topics.roundCurrent, encodeRoundPlan({ ...plan, epoch })]], signal),
    closed(closed, signal) {
      const payload = encodeRoundClosed({ ...closed, epoch });
      return inOrder(() => publish(topics.roundClosed, payload, false, signal));
    },
    receipt(device, receipt) {
      transport.publish(topics.receipt(device), encodeReceipt({ ...receipt, epoch }), { qos: 1 }).catch((error) => {
        log.debug({ device, error: String(error) }, 'receipt not handed over');
      });
    },
    again(signal) {
      const time = ++timesAgain;
      return inOrder(async () => {
        if (time < timesAgain) return; // the link has come and gone since: the newest turn tells for all of them
        for (const [topic, payload] of retained) await publish(topic, payload, true, signal);
      });
    },
  };
}

/** Says once that the fleet has heard nothing for a minute, and once that it hears again. */
function createMuteWatch(clock: Clock, log: Log) {
  let sinceMs: number | null = null;
  let isSaid = false;
  const seconds = () => Math.round((clock.nowMs() - (sinceMs ?? 0)) / 1000);
  return {
    failed(topic: string, error: unknown): void {
      sinceMs ??= clock.nowMs();
      if (isSaid || clock.nowMs() - sinceMs < MUTE_MS) return;
      isSaid = true;
      log.warn({ seconds: seconds(), topic, ...errorFields(error) }, 'boards cannot be told anything');
    },
    told(): void {
      if (isSaid) log.warn({ seconds: seconds() }, 'boards can be told again');
      sinceMs = null;
      isSaid = false;
    },
  };
}

/** The promise's outcome, or the signal's reason as soon as it aborts: a broker that does not answer must not hold up a stop. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
