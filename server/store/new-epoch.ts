/**
 * A new life for a round store that was restored from a backup: boards are ahead of it, and would not go back to rounds that they have
 * done. What was counted in the open round goes with the old epoch, as boards answer that round again; everything that had closed stays.
 * One transaction. Nobody else may have the file open: an aggregator that runs would go on telling the epoch of before.
 */
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import type { Epoch } from '../../core/wire/epoch.ts';
import { drawEpoch } from './draw-epoch.ts';
import { migrate } from './schema.ts';
import { TAKEN } from './taken.ts';

export interface NewEpoch {
  /** Null when the file is of before epochs. */
  readonly from: Epoch | null;
  readonly epoch: Epoch;
  /** The round that opens next. */
  readonly round: number;
  /** Updates of the round that was open, which are not counted any more. */
  readonly dropped: number;
}

/**
 * @throws AppError `input-missing` when there is no such store, `state-in-use` when another program has it open, `storage-failed`
 */
export function beginNewEpoch(path: string): NewEpoch {
  const db = openAlone(path);
  try {
    migrate(db);
    return db.transaction(() => replaceEpoch(db))();
  } catch (cause) {
    throw asAppError(cause, path);
  } finally {
    db.close();
  }
}

function replaceEpoch(db: Database.Database): NewEpoch {
  const epoch = drawEpoch();
  const from = db.prepare<[], Epoch | null>('SELECT epoch FROM identity').pluck().get() ?? null;
  db.prepare('UPDATE identity SET epoch = ?').run(epoch);
  const open = db.prepare<[], number>('SELECT round FROM open_round').pluck().get();
  const dropped =
    open === undefined ? 0 : db.prepare(`DELETE FROM updates WHERE ${TAKEN}`).run({ taken: open }).changes;
  db.exec('DELETE FROM payloads; DELETE FROM open_round');
  const last = db.prepare<[], number | null>('SELECT max(round) FROM records').pluck().get() ?? -1;
  return { from, epoch, round: last + 1, dropped };
}

/** In exclusive mode the first access asks for the file alone, which fails while anybody has it open (SQLite, `locking_mode`). */
function openAlone(path: string): Database.Database {
  let db: Database.Database;
  try {
    db = new Database(path, { fileMustExist: true, timeout: 500 });
  } catch (cause) {
    throw new AppError('input-missing', 'there is no round store', {
      where: path,
      hint: 'Give the state folder of the aggregator with --state.',
      cause,
    });
  }
  try {
    db.pragma('locking_mode = EXCLUSIVE');
    db.pragma('journal_mode = WAL');
    db.pragma('synchronous = full');
    db.exec('BEGIN EXCLUSIVE; COMMIT');
    return db;
  } catch (cause) {
    db.close();
    throw asAppError(cause, path);
  }
}

function asAppError(cause: unknown, where: string): unknown {
  if (!(cause instanceof Database.SqliteError) || !cause.code.startsWith('SQLITE_BUSY'))
    return new AppError('storage-failed', 'the round store cannot be changed', { where, cause });
  return new AppError('state-in-use', 'another program has the round store open', {
    where,
    hint: 'stop the aggregator (sudo systemctl stop qqr-server), and start it again afterwards',
    cause,
  });
}
