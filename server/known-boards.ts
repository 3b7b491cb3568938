/**
 * Whose messages are looked at: a bucket that fills with time for each name, and a bounded number of names.
 * Names cost a stranger nothing, so those that never delivered an update that was counted are forgotten first, the longest silent before
 * the others; then boards that have left. A name is only turned away when every place is taken by a board that is online and has delivered.
 * Invariant: never more than `maxBoards` names, and a name that floods takes no place from one that has delivered.
 */
import type { Clock } from '../core/base/clock.ts';

export interface KnownBoardsOptions {
  readonly clock: Clock;
  /** Names at most, at least 1. */
  readonly maxBoards: number;
  /** Updates a minute that a board may send on average, that many in a burst; 0 = any number. */
  readonly updatesPerMinute: number;
  /** Boards that have delivered before, from the store. */
  readonly proven: readonly string[];
  /** Whether a board that has delivered may be forgotten for another. */
  readonly hasLeft: (device: string) => boolean;
  readonly onForgotten: (device: string) => void;
}

const MINUTE_MS = 60_000;

export type Admission = 'welcome' | 'rate-limited' | 'too-many-boards';

export interface KnownBoards {
  /** A message came; false: there is no place for this name. */
  remember(device: string): boolean;
  /** An update came, not decoded yet. */
  admit(device: string): Admission;
  /** An update of it was counted. */
  proved(device: string): void;
  count(): number;
}

/** A bucket holds time: a minute's worth when full, and an update takes its part of a minute. */
interface Bucket {
  creditMs: number;
  atMs: number;
}

export function createKnownBoards(options: KnownBoardsOptions): KnownBoards {
  const { clock, maxBoards, updatesPerMinute, hasLeft, onForgotten } = options;
  const costMs = MINUTE_MS / updatesPerMinute;
  const full = (): Bucket => ({ creditMs: MINUTE_MS, atMs: clock.nowMs() });
  // Maps keep the order of insertion: the first is the one longest not heard of.
  const proven = new Map<string, Bucket>();
  const strangers = new Map<string, Bucket>();
  for (const device of options.proven.slice(0, maxBoards)) proven.set(device, full());

  const makeRoom = (): boolean => {
    if (proven.size + strangers.size < maxBoards) return true;
    const [stranger] = strangers.keys();
    const victim = stranger ?? [...proven.keys()].find(hasLeft);
    if (victim === undefined) return false;
    strangers.delete(victim);
    proven.delete(victim);
    onForgotten(victim);
    return true;
  };
  const bucketOf = (device: string): Bucket | null => {
    const known = proven.has(device) ? proven : strangers;
    const bucket = known.get(device) ?? (makeRoom() ? full() : null);
    if (bucket === null) return null;
    known.delete(device);
    known.set(device, bucket);
    return bucket;
  };
  return {
    remember: (device) => bucketOf(device) !== null,
    admit(device) {
      const bucket = bucketOf(device);
      if (bucket === null) return 'too-many-boards';
      if (updatesPerMinute === 0) return 'welcome';
      const nowMs = clock.nowMs();
      bucket.creditMs = Math.min(MINUTE_MS, bucket.creditMs + nowMs - bucket.atMs);
      bucket.atMs = nowMs;
      if (bucket.creditMs < costMs) return 'rate-limited';
      bucket.creditMs -= costMs;
      return 'welcome';
    },
    proved(device) {
      const bucket = strangers.get(device);
      if (bucket === undefined) return;
      strangers.delete(device);
      proven.set(device, bucket);
    },
    count: () => proven.size + strangers.size,
  };
}
