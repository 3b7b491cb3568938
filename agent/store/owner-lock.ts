/**
 * One agent a state folder: two would read one sensor's buffer in turns, and each get half of it. The lock is SQLite's on a file of its
 * own, hence the kernel's (fcntl(2)): it ends with the process, however that ends, and leaves nothing that the next one has to judge.
 */
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import { withStorageErrors } from './db.ts';

/** An agent that was told to stop may just be ending. */
const PATIENCE_MS = 500;

/** Returns what gives the folder back. @throws AppError `state-in-use` when another agent has it, `storage-failed` */
export function lockFolder(stateDir: string): () => void {
  const path = join(stateDir, 'agent.lock');
  return withStorageErrors(path, { lock: () => lock(path) }).lock();
}

function lock(path: string): () => void {
  const db = new Sqlite(path, { timeout: PATIENCE_MS });
  try {
    db.exec('BEGIN EXCLUSIVE');
    return () => void db.close();
  } catch (error) {
    db.close();
    if (!(error instanceof Sqlite.SqliteError) || !error.code.startsWith('SQLITE_BUSY')) throw error;
    throw new AppError('state-in-use', 'another agent runs with this state folder', {
      where: path,
      hint: 'stop it (sudo systemctl stop qqr-agent), or give another folder with --state',
    });
  }
}
