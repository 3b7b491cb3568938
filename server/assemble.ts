/**
 * Who is asked in a round: waits until enough boards are there.
 * The first round waits for the whole fleet however long it takes. Later rounds wait for it as long as a round stays open
 * (`deadlineMs`, 0 = for ever), then go on with whoever is there: a board that died must not stop the others. Boards that let the
 * deadline of the round before pass are not waited for at all (`roster.ts`).
 */
import type { Clock } from '../core/base/clock.ts';
import type { Log } from '../core/base/log.ts';
import type { Pulse } from './pulse.ts';
import type { Roster } from './roster.ts';
import type { RoundSettings } from './round-settings.ts';

export interface AssembleParts {
  readonly config: Pick<RoundSettings, 'minBoards' | 'deadlineMs'>;
  readonly roster: Roster;
  readonly pulse: Pulse;
  readonly clock: Clock;
  readonly log: Log;
}

/** The boards to ask, sorted, at least one; null when nothing more will come from any. Rejects with the signal's reason. */
export async function assemble(
  parts: AssembleParts,
  round: number,
  signal: AbortSignal,
): Promise<readonly string[] | null> {
  const { config, roster, pulse, clock, log } = parts;
  const done = new AbortController();
  let isLate = false;
  if (round > 0 && config.deadlineMs > 0) {
    clock.sleep(config.deadlineMs, AbortSignal.any([signal, done.signal])).then(
      () => {
        isLate = true;
        pulse.beat();
      },
      () => undefined, // only an abort rejects, and whoever aborts knows
    );
  }
  try {
    for (;;) {
      const there = roster.availableCount();
      const missing = config.minBoards - roster.endedCount() - roster.silentCount() - there;
      if (there > 0 && missing <= 0) return roster.available();
      if (there > 0 && isLate) {
        log.warn({ round, asked: there, missing }, 'boards are missing, going on without them');
        return roster.available();
      }
      if (there === 0 && missing <= 0 && (isLate || roster.hasEveryKnownEnded())) return null;
      await pulse.next(signal);
    }
  } finally {
    done.abort();
  }
}
