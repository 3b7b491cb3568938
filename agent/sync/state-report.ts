/**
 * Tells the fleet's people how the board is, every few seconds while there is a link, and says goodbye when it stops. Nobody has to
 * listen: QoS 0, nothing is kept or sent again.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';
import { type BoardState, encodeBoardState } from '../../core/wire/board-state.ts';

export interface StateReportParts {
  readonly transport: Transport;
  /** `Topics.state(device)` */
  readonly topic: string;
  readonly everyMs: number;
  /** How the board is now. */
  readonly read: () => Omit<BoardState, 'online'>;
  readonly clock: Clock;
  readonly log: Log;
}

export function createStateReport({ transport, topic, everyMs, read, clock, log }: StateReportParts): Lifecycle {
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  const tell = async (online: boolean) => {
    try {
      await transport.publish(topic, encodeBoardState({ online, ...read() }), { qos: 0 });
    } catch (error) {
      log.debug({ topic, error: String(error) }, 'state not told');
    }
  };
  return {
    async start(signal) {
      const until = AbortSignal.any([signal, stopping.signal]);
      running = (async () => {
        while (!until.aborted) {
          await tell(true);
          await clock.sleep(everyMs, until).catch(() => undefined); // woken by stop
        }
      })();
    },
    async stop() {
      if (stopping.signal.aborted) return;
      stopping.abort(new Error('stopped'));
      await running;
      await tell(false);
    },
  };
}
