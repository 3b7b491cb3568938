/** What an update says of its board: the part that stays when the round has closed. */
import type { Update } from '../core/wire/update.ts';
import type { BoardReport } from './record.ts';

/** @param arrivedMs after the round's opening, null when unknown */
export function reportOf(update: Update, arrivedMs: number | null): BoardReport {
  const { device, windows, backlog, online, modalities } = update;
  const { correct, count, lossSum } = online;
  return {
    ...{ device, arrivedMs, windows, backlog },
    online: { correct, count, lossSum },
    modalities: modalities.map(({ windowsPresent, meanQuality, why }) => ({
      windowsPresent,
      quality: windowsPresent === 0 ? null : meanQuality,
      why,
    })),
  };
}

/** Of all counted updates of a round. What came late says how a board was, not how it is: it is left out. */
export function describeReports(
  round: number,
  updates: readonly Update[],
  arrivals: ReadonlyMap<string, number | null> | undefined,
): readonly BoardReport[] {
  const own = updates.filter((update) => update.round === round);
  return own.map((update) => reportOf(update, arrivals?.get(update.device) ?? null));
}
