/** Memory and processor time of other processes over time, from /proc. Source: proc(5), `stat` and `status`; a tick is 10 ms. */
import { readFileSync } from 'node:fs';

const TICK_S = 0.01;

export interface Usage {
  readonly atMs: number;
  readonly rssMb: number;
  /** Since the process began. */
  readonly cpuS: number;
}

export interface ProcessMeter {
  /** Looks at all processes; one that is gone is passed over. */
  sample(atMs: number): void;
  usages(name: string): readonly Usage[];
}

export function createProcessMeter(pids: Readonly<Record<string, number>>): ProcessMeter {
  const seen = new Map(Object.keys(pids).map((name): [string, Usage[]] => [name, []]));
  return {
    sample(atMs) {
      for (const [name, pid] of Object.entries(pids)) {
        const usage = usageOf(pid, atMs);
        if (usage !== null) seen.get(name)?.push(usage);
      }
    },
    usages: (name) => seen.get(name) ?? [],
  };
}

function usageOf(pid: number, atMs: number): Usage | null {
  try {
    const rssKb = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
    if (Number.isNaN(rssKb)) return null; // it is ending
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' '); // from `state`, field 3, on
    return { atMs, rssMb: rssKb / 1024, cpuS: (Number(fields[11]) + Number(fields[12])) * TICK_S };
  } catch {
    return null; // it has ended
  }
}

/** Least-squares slope of the memory over the samples, MB a minute; 0 for fewer than two. */
export function rssSlopePerMinute(usages: readonly Usage[]): number {
  const count = usages.length;
  if (count < 2) return 0;
  const meanMs = usages.reduce((sum, { atMs }) => sum + atMs, 0) / count;
  const meanMb = usages.reduce((sum, { rssMb }) => sum + rssMb, 0) / count;
  let [above, below] = [0, 0];
  for (const { atMs, rssMb } of usages) {
    above += (atMs - meanMs) * (rssMb - meanMb);
    below += (atMs - meanMs) ** 2;
  }
  return (60_000 * above) / below;
}
