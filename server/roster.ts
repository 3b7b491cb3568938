/**
 * Who takes part: boards that said `online`, whose stream has not ended and who answered when they were last asked. One that let a
 * deadline pass is not asked, nor waited for, until anything is heard of it; only where nobody else is left it is asked all the same.
 * Invariant: a board whose counted update said `ended` is out of every later round, whatever its status says, so that runs of
 * the same recordings ask the same boards; a status is only needed for boards that end without a last update.
 */
import type { DeviceStatus } from '../core/wire/downlink.ts';

export interface Roster {
  /** A status message came. */
  heard(status: DeviceStatus): void;
  /** Anything else came from this board. */
  sawSign(device: string): void;
  /** These were asked and had not answered at the deadline. */
  missed(devices: readonly string[]): void;
  /** Drops what its status said. */
  forget(device: string): void;
  /** An update was counted. */
  counted(device: string, ended: boolean): void;
  /** Online, not ended and not silent, sorted; those that are silent when there is no other. */
  available(): readonly string[];
  isOnline(device: string): boolean;
  /** Nothing more will come from this board: its stream has ended or it said `finished`. */
  hasEnded(device: string): boolean;
  endedCount(): number;
  /** Boards that are online, have not ended, and are not asked because they let a deadline pass. */
  silentCount(): number;
  /** No board that was ever heard of may still come back. */
  hasEveryKnownEnded(): boolean;
}

/** @param ended boards known to have ended, from the store. */
export function createRoster(ended: readonly string[]): Roster {
  const states = new Map<string, DeviceStatus['state']>();
  const endedStreams = new Set(ended);
  const silent = new Set<string>();
  const hasEnded = (device: string) => endedStreams.has(device) || states.get(device) === 'finished';
  const present = () =>
    [...states]
      .filter(([device, state]) => state === 'online' && !hasEnded(device))
      .map(([device]) => device)
      .sort();
  const responsive = () => present().filter((device) => !silent.has(device));
  return {
    heard({ device, state }) {
      states.set(device, state);
      silent.delete(device);
    },
    sawSign: (device) => void silent.delete(device),
    missed(devices) {
      for (const device of devices) if (!hasEnded(device)) silent.add(device);
    },
    forget(device) {
      states.delete(device);
      silent.delete(device);
    },
    counted(device, isLast) {
      silent.delete(device);
      if (isLast) endedStreams.add(device);
      else endedStreams.delete(device);
    },
    available() {
      const some = responsive();
      return some.length > 0 ? some : present();
    },
    silentCount() {
      const some = responsive().length;
      return some > 0 ? present().length - some : 0;
    },
    isOnline: (device) => states.get(device) === 'online',
    hasEnded,
    hasEveryKnownEnded: () => [...states.keys()].every(hasEnded),
    endedCount: () => new Set([...endedStreams, ...[...states.keys()].filter(hasEnded)]).size,
  };
}
