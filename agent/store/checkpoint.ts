/**
 * What the learner resumes from, and which windows it has used (ARCHITECTURE §2, "one transaction is the truth").
 * Invariant: the cursor, the log of used windows and the outgoing update change together or not at all.
 */
import { AppError } from '../../core/base/errors.ts';
import { bytesOf, floatsOf } from './float-blob.ts';
import type { Db } from './transaction.ts';

export interface Checkpoint {
  /** The last round trained in (0: statistics sent); −1 after the aggregator has begun anew. */
  readonly round: number;
  /** Index of the last window used; −1 before the first. */
  readonly cursor: number;
  /** Sequence number of the last update committed. */
  readonly seq: number;
  /** Version of the global model that was trained from. */
  readonly modelVersion: number;
  /** Flat parameters after training, where boards keep their own model; empty where they share one. */
  readonly params: Float32Array;
  /** What has not travelled so far (error feedback), same layout; all zeros while there is none, empty after the aggregator has begun anew. */
  readonly residual: Float32Array;
  /** The board's own sums for its prototypes (`core/qqr/personal.ts`); left out while there are none. */
  readonly own?: Float32Array | undefined;
  /** The board's channel history (`core/qqr/board-normalization.ts`); left out while there is none. */
  readonly history?: Float32Array | undefined;
}

export interface CheckpointTable {
  read(): Checkpoint | null;
  /** Call inside a transaction, as the next. */
  write(checkpoint: Checkpoint): void;
  /**
   * For another life of the aggregator's: as before the first round, with nothing owed and no prototypes of a model that is gone.
   * Windows used stay used, sequence numbers go on, and what the board knows of itself stays. Call inside a transaction.
   */
  beginAnew(): void;
  /** Index of the last window used, −1 before the first. */
  cursor(): number;
  /**
   * Throws when one of the windows has been used before, or passed over: the cursor says so even where the log has forgotten, since
   * indices are given once and the cursor never goes back.
   */
  logUse(windowIndices: readonly number[], key: { readonly round: number; readonly seq: number }): void;
  /** The uses that are kept, ascending index. */
  uses(): WindowUse[];
  /** Shortens the log to windows from `beforeIndex` on. */
  forgetUses(beforeIndex: number): void;
}

export interface WindowUse {
  readonly windowIndex: number;
  readonly round: number;
  readonly seq: number;
}

interface Row {
  readonly round: number;
  readonly cursor: number;
  readonly seq: number;
  readonly modelVersion: number;
  readonly params: Buffer;
  readonly residual: Buffer;
  readonly own: Buffer;
  readonly history: Buffer;
}

const NONE = new Float32Array(0);

export function checkpointTable(db: Db): CheckpointTable {
  const select = db.prepare<[], Row>(
    'SELECT round, cursor, seq, model_version AS modelVersion, params, residual, own, history FROM checkpoint',
  );
  const replace = db.prepare(
    'REPLACE INTO checkpoint (id, round, cursor, seq, model_version, params, residual, own, history) VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const beginAnew = db.prepare("UPDATE checkpoint SET round = -1, residual = x'', own = x''");
  const use = db.prepare('INSERT INTO training_log (window_index, round, seq) VALUES (?, ?, ?)');
  const cursor = db.prepare<[], number>('SELECT cursor FROM checkpoint').pluck();
  const forget = db.prepare<[number]>(
    'DELETE FROM training_log WHERE window_index < ? AND window_index <= (SELECT cursor FROM checkpoint)',
  );
  const uses = db.prepare<[], WindowUse>(
    'SELECT window_index AS windowIndex, round, seq FROM training_log ORDER BY window_index',
  );
  return {
    read() {
      const row = select.get();
      if (row === undefined) return null;
      const { own, history, ...kept } = row;
      const optional = {
        ...(own.length === 0 ? {} : { own: floatsOf(own) }),
        ...(history.length === 0 ? {} : { history: floatsOf(history) }),
      };
      return { ...kept, params: floatsOf(row.params), residual: floatsOf(row.residual), ...optional };
    },
    write({ round, cursor, seq, modelVersion, params, residual, own = NONE, history = NONE }) {
      const arrays = [params, residual, own, history].map(bytesOf);
      replace.run(round, cursor, seq, modelVersion, ...arrays);
    },
    beginAnew: () => void beginAnew.run(),
    cursor: () => cursor.get() ?? -1,
    logUse(windowIndices, { round, seq }) {
      const last = cursor.get() ?? -1;
      for (const index of windowIndices) {
        if (index <= last)
          throw new AppError('storage-failed', `window ${index} has been used before: the cursor is at ${last}`, {
            where: db.name,
          });
        use.run(index, round, seq);
      }
    },
    uses: () => uses.all(),
    forgetUses: (beforeIndex) => void forget.run(beforeIndex),
  };
}
