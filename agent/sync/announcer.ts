/** The board's own status, retained at the broker. Best effort: the aggregator's roster also learns from updates and from the will. */
import type { Clock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import { type BackoffOptions, backoffMs } from '../../core/base/retry.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { DeviceStatus } from '../../core/wire/downlink.ts';
import { encodeStatus } from '../../core/wire/messages.ts';
import type { Topics } from '../../core/wire/topics.ts';

export interface AnnouncerParts {
  readonly transport: Transport;
  readonly topics: Topics;
  readonly device: string;
  readonly modalities: readonly string[];
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
  const { transport, topics, device, modalities, clock, random, log } = parts;
  return {
    async announce(state, attempts) {
      const payload = encodeStatus({ device, state, modalities });
      for (let attempt = 0; attempt < attempts; attempt++) {
        try {
          return await transport.publish(topics.status(device), payload, { qos: 1, retain: true });
        } catch (error) {
          log.debug({ state, attempt, error: String(error) }, 'status not sent');
        }
        if (attempt + 1 < attempts) await clock.sleep(backoffMs(attempt, BACKOFF, random));
      }
    },
  };
}
