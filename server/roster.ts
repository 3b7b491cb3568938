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
  /** As if it had never been heard of. */
  forget(device: string): void;
  /** Online and not ended, sorted. */
  available(): readonly string[];
  /** Nothing more will come from this board: its stream has ended or it said `finished`. */
  hasEnded(device: string): boolean;
  endedCount(): number;
  /** No board that was ever heard of may still come back. */
  hasEveryKnownEnded(): boolean;
}

/** @param ended boards known to have ended, from the store. */
export function createRoster(ended: readonly string[]): Roster {
  const states = new Map<string, DeviceStatus['state']>();
  const endedStreams = new Set(ended);
  const hasEnded = (device: string) => endedStreams.has(device) || states.get(device) === 'finished';
  return {
    heard: ({ device, state }) => void states.set(device, state),
    counted(device, isLast) {
      if (isLast) endedStreams.add(device);
      else endedStreams.delete(device);
    },
    forget(device) {
      states.delete(device);
      endedStreams.delete(device);
    },
    available: () =>
      [...states]
        .filter(([device, state]) => state === 'online' && !hasEnded(device))
        .map(([device]) => device)
        .sort(),
    hasEnded,
    hasEveryKnownEnded: () => [...states.keys()].every(hasEnded),
    endedCount: () => new Set([...endedStreams, ...[...states.keys()].filter(hasEnded)]).size,
  };
}
