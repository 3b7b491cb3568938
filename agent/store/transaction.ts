/** Everything that must not drift apart in a board's database is written inside one of these (ARCHITECTURE.md: "one transaction is the truth"). */
import Sqlite from 'better-sqlite3';

export type Db = Sqlite.Database;

/**
 * Runs `body` in one immediate transaction: all of it is in the file afterwards, or nothing. On a full disk once more, after the
 * write-ahead log has been emptied into the file: the log keeps its place on the disk and may just hold what is to be written.
 */
export function transaction<T>(db: Db, body: () => T): T {
  try {
    return runOnce(db, body);
  } catch (error) {
    if (!isFull(error) || !emptyLog(db)) throw error;
    return runOnce(db, body);
  }
}

/** The disk is full, be it for the file, its log or the log's index (SQLite result codes 13 and 10 | 19 << 8). */
export function isFull(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && /^SQLITE_(FULL|IOERR_SHMSIZE)$/.test(error.code);
}

function runOnce<T>(db: Db, body: () => T): T {
  db.prepare('BEGIN IMMEDIATE').run();
  try {
    const result = body();
    db.prepare('COMMIT').run();
    return result;
  } catch (error) {
    if (db.inTransaction) db.exec('ROLLBACK');
    throw error;
  }
}

/** False when the disk has no room for that either. */
function emptyLog(db: Db): boolean {
  try {
    db.pragma('wal_checkpoint(PASSIVE)');
    return true;
  } catch (error) {
    if (isFull(error)) return false;
    throw error;
  }
}
