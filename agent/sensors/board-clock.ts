/**
 * Stream time: microseconds that never go back, over restarts and reboots. Boards have no clock that survives a power cut, and wall time
 * jumps when NTP finds a server, so it is the kernel's monotonic clock (since boot) plus an offset that belongs to the boot.
 * Invariant: the offset is stored before or with the first sample that it stamps, so a crash between leaves nothing to contradict.
 */
import { readFile } from 'node:fs/promises';
import { AppError } from '../../core/base/errors.ts';

/** Kept in the board's database under `BOARD_CLOCK_STATE`. */
export interface BootOffset {
  readonly bootId: string;
  /** Stream time minus monotonic time, microseconds. */
  readonly offsetUs: number;
}

export const BOARD_CLOCK_STATE = 'board-clock';

/** Between the last stored instant and the first after another boot: a hole for every rate, so no window spans it. */
const REBOOT_GAP_US = 10_000_000;

/**
 * The same boot goes on with its offset; another one goes on after the last stored instant. So does a "same" boot whose time is behind
 * what is stored (a virtual machine that was set back).
 * @param kept null at the very first start @param lastStoredUs newest stored stream time; null when nothing is
 */
export function bootOffset(
  bootId: string,
  monotonicUs: number,
  kept: BootOffset | null,
  lastStoredUs: number | null,
): BootOffset {
  const isBehind = (offsetUs: number) => lastStoredUs !== null && monotonicUs + offsetUs <= lastStoredUs;
  if (kept !== null && kept.bootId === bootId && !isBehind(kept.offsetUs)) return kept;
  const offsetUs = lastStoredUs === null ? 0 : Math.ceil(lastStoredUs + REBOOT_GAP_US - monotonicUs);
  return { bootId, offsetUs };
}

export interface BoardClock {
  /** Stream time, microseconds. */
  nowUs(): number;
  /** To be stored under `BOARD_CLOCK_STATE` before any sample. */
  readonly state: Uint8Array;
}

/**
 * The clock of this boot.
 * @param keptState what was stored, or null @param lastStoredUs as of `bootOffset`
 * @throws AppError `dependency-missing` where the kernel gives no boot id
 */
export async function openBoardClock(
  keptState: Uint8Array | null,
  lastStoredUs: number | null,
  bootIdFile = '/proc/sys/kernel/random/boot_id',
): Promise<BoardClock> {
  const bootId = await readFile(bootIdFile, 'utf8').catch((cause: unknown) => {
    throw new AppError('dependency-missing', 'the kernel does not say which boot this is', {
      where: bootIdFile,
      hint: 'chips are read on Linux with /proc only; recordings can be played anywhere',
      cause,
    });
  });
  const offset = bootOffset(bootId.trim(), monotonicUs(), keptState && decodeBootOffset(keptState), lastStoredUs);
  return {
    nowUs: () => monotonicUs() + offset.offsetUs,
    state: new TextEncoder().encode(JSON.stringify(offset)),
  };
}

/** CLOCK_MONOTONIC; below 2⁵³ ns for 104 days only, hence the division before the conversion. */
function monotonicUs(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

/** Null for what this program has not written: it is then another boot. */
function decodeBootOffset(bytes: Uint8Array): BootOffset | null {
  try {
    const { bootId, offsetUs } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<BootOffset>;
    return typeof bootId === 'string' && Number.isSafeInteger(offsetUs) ? { bootId, offsetUs: Number(offsetUs) } : null;
  } catch {
    return null;
  }
}
