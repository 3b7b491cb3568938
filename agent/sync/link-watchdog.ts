/**
 * The board's own doubt about its link: connected, updates handed over, and yet not a word from the aggregator. TCP and MQTT see nothing
 * wrong with a broker that acknowledges and delivers nothing, or has forgotten a subscription, so the connection is replaced.
 *
 *   quiet ──an update was sent──▶ waiting ──news that no broker had kept, or another connection──▶ quiet
 *                                   └──silence for `silenceMs` and a jitter──▶ a new connection; the next silence may be twice as long
 *
 * Where the aggregator is away that is in vain, so the silences grow, up to eight times the first, until there is news.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';
import { createWakeup } from './wakeup.ts';

export interface LinkWatchdogParts {
  readonly transport: Pick<Transport, 'reconnect' | 'onState'>;
  /** 0: never. */
  readonly silenceMs: number;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
}

export interface LinkWatchdog {
  /** Watches until the signal aborts; rejects with its reason. */
  run(signal: AbortSignal): Promise<void>;
  /** An update was handed over. */
  sent(): void;
  /** The aggregator has spoken. What a broker had kept (a retained message) is no sign of that. */
  heard(): void;
  /** Connections that were given up so far. */
  reconnects(): number;
}

const MOST_DOUBLINGS = 3;

export function createLinkWatchdog({ transport, silenceMs, clock, random, log }: LinkWatchdogParts): LinkWatchdog {
  const wakeup = createWakeup(clock);
  let dueAtMs: number | null = null;
  let inVain = 0;
  let reconnects = 0;

  const relax = () => {
    dueAtMs = null;
    wakeup.wake();
  };
  transport.onState((connected) => {
    if (!connected) relax();
  });

  return {
    async run(signal) {
      for (;;) {
        const waitMs = dueAtMs === null ? undefined : dueAtMs - clock.nowMs();
        if (waitMs === undefined || waitMs > 0) {
          await wakeup.sleep(signal, waitMs);
          continue;
        }
        dueAtMs = null;
        inVain++;
        reconnects++;
        log.warn({ inVain, reconnects }, 'updates were sent and nobody has answered: the connection is replaced');
        transport.reconnect('no word from the aggregator');
      }
    },
    sent() {
      if (silenceMs === 0 || dueAtMs !== null) return;
      const patienceMs = silenceMs * 2 ** Math.min(inVain, MOST_DOUBLINGS);
      dueAtMs = clock.nowMs() + patienceMs * (1 + random() / 2);
      wakeup.wake();
    },
    heard() {
      inVain = 0;
      if (dueAtMs !== null) relax();
    },
    reconnects: () => reconnects,
  };
}
