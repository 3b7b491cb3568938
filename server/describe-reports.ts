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

/** Of all counted updates of a round. */
export function describeReports(
  updates: readonly Update[],
  arrivals: ReadonlyMap<string, number | null> | undefined,
): readonly BoardReport[] {
  return updates.map((update) => reportOf(update, arrivals?.get(update.device) ?? null));
}
