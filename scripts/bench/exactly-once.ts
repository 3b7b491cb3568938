/**
 * Holds the databases of a fleet's boards to the aggregator's: was every update that a board committed counted at most once, and do
 * both sides say the same of it? Read after all programs have ended; nothing but the files is asked.
 */
import { openAgentReader } from '../../agent/store/agent-store.ts';
import { readArchivedRound } from '../../server/store/archive.ts';

export interface Books {
  /** Updates that boards committed. */
  readonly committed: number;
  /** Updates that the aggregator counted. */
  readonly counted: number;
  /** As the boards were told, by reason. */
  readonly rejected: Readonly<Record<string, number>>;
  /** Not answered for when everything ended. */
  readonly pending: number;
  /** What does not fit together; must be empty. */
  readonly faults: readonly string[];
}

/** @param storePath the aggregator's database, whose newest round has closed */
export function compareBooks(
  storePath: string,
  boards: readonly { readonly device: string; readonly path: string }[],
): Books {
  const faults: string[] = [];
  const keys = countedKeys(storePath, faults);
  const rejected: Record<string, number> = {};
  let [committed, counted, pending] = [0, 0, 0];
  for (const { device, path } of boards) {
    const own = booksOf(path);
    const theirs = keys.get(device) ?? new Set<number>();
    committed += own.committed;
    counted += theirs.size;
    pending += own.pending;
    for (const [reason, count] of Object.entries(own.rejected)) rejected[reason] = (rejected[reason] ?? 0) + count;
    const told = own.counted + Object.values(own.rejected).reduce((sum, count) => sum + count, 0);
    if (Math.max(...theirs) > own.committed) faults.push(`${device}: an update was counted that it never committed`);
    if (told + own.pending !== own.committed) faults.push(`${device}: ${own.committed} committed, ${told} settled`);
    if (own.counted > theirs.size) faults.push(`${device}: was told of ${own.counted} counted, ${theirs.size} are`);
    if (own.counted + own.pending < theirs.size) faults.push(`${device}: a counted update was told to be refused`);
    keys.delete(device);
  }
  for (const stranger of keys.keys()) faults.push(`${stranger}: counted, but there is no such board`);
  return { committed, counted, rejected, pending, faults };
}

/** Device → sequence numbers counted, over all rounds. */
function countedKeys(storePath: string, faults: string[]): Map<string, Set<number>> {
  const keys = new Map<string, Set<number>>();
  const last = readArchivedRound(storePath, 'last').record.round;
  for (let round = 0; round <= last; round++) {
    for (const { device, seq } of readArchivedRound(storePath, round).updates) {
      const known = keys.get(device) ?? new Set<number>();
      if (known.has(seq)) faults.push(`${device}: update ${seq} was counted twice`);
      keys.set(device, known.add(seq));
    }
  }
  return keys;
}

function booksOf(path: string) {
  const reader = openAgentReader(path);
  try {
    const settled = reader.settled();
    return {
      committed: reader.checkpoint()?.seq ?? 0,
      counted: settled.find(({ outcome }) => outcome === 'counted')?.count ?? 0,
      rejected: Object.fromEntries(
        settled.filter(({ outcome }) => outcome === 'rejected').map(({ reason, count }) => [reason, count]),
      ),
      pending: reader.pending().length,
    };
  } finally {
    reader.close();
  }
}
