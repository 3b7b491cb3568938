/** The board's own status, retained at the broker. Best effort: the aggregator's roster also learns from updates and from the will. */
import type { Clock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { DeviceStatus } from '../../core/wire/downlink.ts';
import { encodeStatus } from '../../core/wire/messages.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { AgentStore } from '../store/agent-store.ts';

export interface AnnouncerParts {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  readonly modalities: readonly string[];
  readonly store: Pick<AgentStore, 'epoch' | 'checkpoint'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
}

export interface Announcer {
  /** Tries up to `attempts` times; never rejects. */
  announce(state: DeviceStatus['state'], attempts: number): Promise<void>;
}

const BACKOFF: BackoffOptions = { baseMs: 200, capMs: 2000 };

export function createAnnouncer(parts: AnnouncerParts): Announcer {
  const { transport, topics, device, modalities, store, clock, random, log } = parts;
  /** Where the board is, so that an aggregator whose database was restored can see that it is behind. */
  const position = (): Pick<DeviceStatus, 'epoch' | 'round'> => {
    const [epoch, round] = [store.epoch(), store.checkpoint()?.round ?? -1];
    return { ...(epoch !== null && { epoch }), ...(round >= 0 && { round }) };
  };
  return {
    async announce(state, attempts) {
      for (let attempt = 0; attempt < attempts; attempt++) {
        try {
          const payload = encodeStatus({ device, state, modalities, ...position() });
          return await transport.publish(topics.status(device), payload, { qos: 1, retain: true });
        } catch (error) {
          log.debug({ state, attempt, error: String(error) }, 'status not sent');
        }
        if (attempt + 1 < attempts) await clock.sleep(backoffMs(attempt, BACKOFF, random));
      }
    },
  };
}
