/**
 * Who takes part: boards that said `online`, whose stream has not ended and who answered when they were last asked. One that let a
 * deadline pass is not asked, nor waited for, until it is heard of; only where nobody else is left it is asked all the same.
 * Invariant: a board whose counted update said `ended` is out of every later round, whatever its status says, so that runs of
 * the same recordings ask the same boards; a status is only needed for boards that end without a last update.
 */
import type { DeviceStatus } from '../core/wire/downlink.ts';

export interface Roster {
  /** A status message came. `isRetained`: the broker repeats it, which is no sign of the board's life unless it says something new. */
  heard(status: DeviceStatus, isRetained: boolean): void;
  /** An update came from this board, whatever became of it. */
  sawSign(device: string): void;
  /** These were asked and had not answered at the deadline. */
  missed(devices: readonly string[]): void;
  /** As if it had never been heard of. */
  forget(device: string): void;
  /** An update was counted. */
  counted(device: string, ended: boolean): void;
  /** Online, not ended and not silent, sorted; those that are silent when there is no other. */
  available(): readonly string[];
  /** How many these are. */
  availableCount(): number;
  isOnline(device: string): boolean;
  /** Nothing more will come from this board: its stream has ended or it said `finished`. */
  hasEnded(device: string): boolean;
  endedCount(): number;
  /** Boards that are online, have not ended, and are not asked because they let a deadline pass. */
  silentCount(): number;
  /** No board that was ever heard of may still come back. */
  hasEveryKnownEnded(): boolean;
}

/**
 * Counts are kept and not counted: they are asked for at every message.
 * @param counted boards that were ever counted, from the store: whichever of them has not ended may still come back
 * @param ended those of them that are known to have ended
 */
export function createRoster(counted: readonly string[], ended: readonly string[]): Roster {
  const states = new Map<string, DeviceStatus['state']>();
  const endedStreams = new Set(ended);
  /** Ended streams, and boards that said `finished`. */
  const gone = new Set(ended);
  /** Online and not gone. */
  const present = new Set<string>();
  /** Those of them that have not missed a deadline since. */
  const responsive = new Set<string>();
  /** Boards that were heard of and are not gone. */
  const expected = new Set(counted.filter((device) => !gone.has(device)));
  const silent = new Set<string>();
  const sort = (device: string) => {
    const state = states.get(device);
    const isGone = endedStreams.has(device) || state === 'finished';
    const isPresent = state === 'online' && !isGone;
    put(gone, device, isGone);
    put(present, device, isPresent);
    put(responsive, device, isPresent && !silent.has(device));
    put(expected, device, !isGone);
  };
  const speaks = (device: string) => {
    if (silent.delete(device)) sort(device);
  };
  const asked = () => (responsive.size > 0 ? responsive : present);
  return {
    heard({ device, state }, isRetained) {
      if (!isRetained || states.get(device) !== state) silent.delete(device);
      states.set(device, state);
      sort(device);
    },
    sawSign: speaks,
    missed(devices) {
      for (const device of devices) {
        if (!expected.has(device)) continue; // ended, or forgotten
        silent.add(device);
        sort(device);
      }
    },
    forget(device) {
      states.delete(device);
      silent.delete(device);
      endedStreams.delete(device);
      sort(device);
      expected.delete(device);
    },
    counted(device, isLast) {
      silent.delete(device);
      put(endedStreams, device, isLast);
      sort(device);
    },
    available: () => [...asked()].sort(),
    availableCount: () => asked().size,
    silentCount: () => present.size - asked().size,
    isOnline: (device) => states.get(device) === 'online',
    hasEnded: (device) => gone.has(device),
    hasEveryKnownEnded: () => expected.size === 0,
    endedCount: () => gone.size,
  };
}

function put<T>(set: Set<T>, item: T, isIn: boolean): void {
  if (isIn) set.add(item);
  else set.delete(item);
}
