/**
 * The service manager's watchdog, tied to sampling: it is told that the board is alive only while bus transactions end (in success or in
 * error: an unplugged sensor is no reason to restart, an acquisition that no longer turns is one). That the timer runs shows that the
 * event loop does.
 */
import type { Clock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { ServiceManager } from '../../core/base/service-manager.ts';

/** Looks in one period of the watchdog; one that is late still leaves time. */
const LOOKS = 4;

/** @param progress a number that grows as sampling goes on @param status what is told beside it, for people */
export function createWatchdog(
  manager: Pick<ServiceManager, 'watchdogMs' | 'alive'>,
  progress: () => number,
  status: () => string,
  clock: Clock,
  log: Log,
): Lifecycle {
  const stopping = new AbortController();
  let watching: Promise<void> = Promise.resolve();
  return {
    async start(signal) {
      const { watchdogMs } = manager;
      if (watchdogMs === null) return;
      const until = AbortSignal.any([signal, stopping.signal]);
      watching = watch(watchdogMs / LOOKS, until).catch((error: unknown) => {
        if (!until.aborted) throw error;
      });
    },
    async stop() {
      stopping.abort(new Error('stopped'));
      await watching;
    },
  };

  async function watch(everyMs: number, signal: AbortSignal): Promise<void> {
    let seen = Number.NEGATIVE_INFINITY;
    let isStalled = false;
    for (;;) {
      const now = progress();
      if (now > seen) await manager.alive(status());
      else if (!isStalled)
        log.error({ progress: now }, 'sampling has stalled: the service manager is not told any more');
      isStalled = now <= seen;
      seen = now;
      await clock.sleep(everyMs, signal);
    }
  }
}
