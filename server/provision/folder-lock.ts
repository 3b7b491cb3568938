/**
 * One writer in a folder of certificates at a time: two would sign from the same list, and one of them would lose what it wrote.
 * The lock is SQLite's on a file of its own, hence the kernel's: it ends with the process, however that ends.
 */
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';

/** Returns what gives the folder back. @throws AppError `timeout` when another process keeps it, `output-failed` */
export function lockCertificates(dir: string, patienceMs: number): () => void {
  const path = join(dir, '.lock');
  let db: Sqlite.Database | null = null;
  try {
    db = new Sqlite(path, { timeout: patienceMs });
    db.exec('BEGIN EXCLUSIVE');
    const held = db;
    return () => void held.close();
  } catch (cause) {
    db?.close();
    if (cause instanceof Sqlite.SqliteError && cause.code.startsWith('SQLITE_BUSY')) {
      throw new AppError('timeout', 'another qqr provision works in this folder', {
        where: path,
        hint: 'Wait until it is done and try again.',
        cause,
      });
    }
    throw new AppError('output-failed', 'the folder cannot be written', { where: path, cause });
  }
}
