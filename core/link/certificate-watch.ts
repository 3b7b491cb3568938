/**
 * Warns before a certificate of the link expires, once a day, from the files as they are then. A file that cannot be read is the link's
 * business, which says so at every attempt.
 */
import type { Clock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import type { Lifecycle } from '../base/lifecycle.ts';
import type { Log } from '../base/log.ts';
import { EXPIRY_WARNING_DAYS, expiryDays } from './certificate.ts';
import { type LinkFiles, readCertificate } from './link-files.ts';

const DAY_MS = 86_400_000;

/** Looks when it is started, and once a day after that. Without certificates it does nothing. */
export function createCertificateWatch({ ca, cert }: LinkFiles, clock: Clock, log: Log): Lifecycle {
  const paths = [ca, cert].filter((path) => path !== undefined);
  const stopping = new AbortController();
  let watching: Promise<void> = Promise.resolve();

  async function look(path: string): Promise<void> {
    try {
      const days = expiryDays(await readCertificate(path), clock.wallMs());
      if (days >= EXPIRY_WARNING_DAYS) return;
      log.warn({ path, days: Math.floor(days) }, days < 0 ? 'certificate has expired' : 'certificate expires soon');
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
    }
  }

  async function watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const path of paths) await look(path);
      await clock.sleep(DAY_MS, signal).catch(() => undefined); // woken by stop
    }
  }

  return {
    async start(signal) {
      if (paths.length > 0) watching = watch(AbortSignal.any([signal, stopping.signal]));
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await watching;
    },
  };
}
