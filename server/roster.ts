/**
 * Who takes part: boards that said `online` and whose stream has not ended.
 * Invariant: a board whose counted update said `ended` is out of every later round, whatever its status says, so that runs of
 * the same recordings ask the same boards; a status is only needed for boards that end without a last update.
 */
import type { DeviceStatus } from '../core/wire/downlink.ts';

export interface Roster {
  /** A status message came. */
  heard(status: DeviceStatus): void;
  /** An update was counted. */
  counted(device: string, ended: boolean): void;
  /** Online and not ended, sorted. */
  available(): readonly string[];
  /** How many these are. */
  availableCount(): number;
  /** Nothing more will come from this board: its stream has ended or it said `finished`. */
  hasEnded(device: string): boolean;
  endedCount(): number;
  /** No board that was ever heard of may still come back. */
  hasEveryKnownEnded(): boolean;
}

/**
 * Counts are kept and not counted: they are asked for at every message.
 * @param ended boards known to have ended, from the store
 */
export function createRoster(ended: readonly string[]): Roster {
  const states = new Map<string, DeviceStatus['state']>();
  const endedStreams = new Set(ended);
  /** Ended streams, and boards that said `finished`. */
  const gone = new Set(ended);
  const online = new Set<string>();
  /** Boards that were heard of and are not gone. */
  const expected = new Set<string>();
  const sort = (device: string) => {
    const state = states.get(device);
    const isGone = endedStreams.has(device) || state === 'finished';
    put(gone, device, isGone);
    put(online, device, state === 'online' && !isGone);
    put(expected, device, state !== undefined && !isGone);
  };
  return {
    heard({ device, state }) {
      states.set(device, state);
      sort(device);
    },
    counted(device, isLast) {
      put(endedStreams, device, isLast);
      sort(device);
    },
    available: () => [...online].sort(),
    availableCount: () => online.size,
    hasEnded: (device) => gone.has(device),
    hasEveryKnownEnded: () => expected.size === 0,
    endedCount: () => gone.size,
  };
}

function put<T>(set: Set<T>, item: T, isIn: boolean): void {
  if (isIn) set.add(item);
  else set.delete(item);
}
