/** Everything that must not drift apart in a board's database is written inside one of these (ARCHITECTURE.md: "one transaction is the truth"). */
import type Sqlite from 'better-sqlite3';

export type Db = Sqlite.Database;

/** Runs `body` in one immediate transaction: all of it is in the file afterwards, or nothing. */
export function transaction<T>(db: Db, body: () => T): T {
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
