/**
 * What goes first when the database must give something up:
 *   1. windows that the learner is done with (up to its cursor): what they taught is in the model
 *   2. raw stream, but for its newest hour: it is for people, and nothing learns from it
 *   3. whatever begins earliest, stream and windows alike, so that at a small cap neither starves the other
 * Age takes stream and windows alike, used or not.
 * Invariant: each table loses a prefix in order of time, so what is kept has no holes of retention's making.
 */
import type { CheckpointTable } from './checkpoint.ts';
import type { ChunkTable } from './chunks.ts';
import type { LabelTable } from './labels.ts';
import { addLosses, type LossCause, type Losses, withLost } from './losses.ts';
import type { WindowTable } from './windows.ts';

export interface DroppableTables {
  readonly chunks: ChunkTable;
  readonly windows: WindowTable;
  readonly labels: LabelTable;
  readonly checkpoints: CheckpointTable;
}

export interface Removal {
  readonly rows: number;
  readonly losses: Losses;
}

/** All to be called inside a transaction. Each removes a few rows, none when it finds none. */
export interface DropOrder {
  /** Of what begins before `cutoffUs`. */
  aged(cutoffUs: number): Removal;
  leastMissed(cause: LossCause, newestUs: number): Removal;
  /** What is kept about stream and windows that are gone: labels and the log of uses. */
  companions(newestUs: number): void;
  /** Where stream and windows begin, infinity when there are none. */
  oldestUs(): number;
}

/** Raw stream that step 2 spares, microseconds. */
const SPARED_US = 3600e6;
const ROWS_AT_ONCE = 16;
const EVER = Number.POSITIVE_INFINITY;

export function createDropOrder({ chunks, windows, labels, checkpoints }: DroppableTables): DropOrder {
  const dropChunks = (cause: LossCause, beforeUs = EVER): Removal => {
    const { chunks: rows, samples } = chunks.dropOldest(ROWS_AT_ONCE, beforeUs);
    return { rows, losses: withLost({}, cause, { samples }) };
  };
  const dropWindows = (cause: LossCause, upTo = EVER, beforeUs = EVER): Removal => {
    const { windows: rows, used } = windows.dropOldest(ROWS_AT_ONCE, upTo, beforeUs);
    return { rows, losses: withLost({}, cause, { 'used-windows': used, 'unused-windows': rows - used }) };
  };
  const oldestChunkUs = () => chunks.oldestUs() ?? EVER;
  const oldestWindowUs = () => windows.oldest()?.tStartUs ?? EVER;
  return {
    aged: (cutoffUs) => sumOf(dropChunks('age', cutoffUs), dropWindows('age', EVER, cutoffUs)),
    leastMissed(cause, newestUs) {
      const done = dropWindows(cause, checkpoints.cursor());
      if (done.rows > 0) return done;
      const raw = dropChunks(cause, newestUs - SPARED_US);
      if (raw.rows > 0) return raw;
      return oldestChunkUs() <= oldestWindowUs() ? dropChunks(cause) : dropWindows(cause);
    },
    companions(newestUs) {
      labels.dropBefore(chunks.oldestUs() ?? newestUs);
      checkpoints.forgetUses(windows.oldest()?.index ?? EVER);
    },
    oldestUs: () => Math.min(oldestChunkUs(), oldestWindowUs()),
  };
}

export function sumOf(a: Removal, b: Removal): Removal {
  return { rows: a.rows + b.rows, losses: addLosses(a.losses, b.losses) };
}
