/**
 * Waits for the disk once, for all that has been committed to a SQLite file so far, and off the event loop. In WAL mode with
 * `synchronous = normal` a commit is a write to the log that nobody waits for; the disk has all of them when the log is synced.
 * SQLite itself syncs the log before it copies it into the file, so that what has left the log is safe, too.
 * Source: SQLite, "Write-Ahead Logging" and `PRAGMA synchronous`. SQLite locks the `-shm` file, never the log: opening it does no harm.
 */
import { open } from 'node:fs/promises';

/** @param path the database file, open in this process, or closed after it was opened */
export async function syncLog(path: string): Promise<void> {
  const log = await open(`${path}-wal`, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null; // closed meanwhile: all of it is in the file
    throw error;
  });
  if (log === null) return;
  try {
    await log.datasync();
  } finally {
    await log.close();
  }
}
