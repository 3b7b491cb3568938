/**
 * The board's one SQLite file: how it is opened, and what happens when it is damaged.
 * Two processes share it (acquisition writes the stream, the learner writes checkpoints), hence WAL and a busy timeout.
 * Invariant: a damaged file never stops the board twice. Its owner moves it aside and starts a fresh one.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { assertNewestSchema, migrate } from './migrations.ts';
import { type Db, isFull } from './transaction.ts';

export interface DbOptions {
  /** `normal`: power loss may take the last second of the stream, never consistency. `full`: it takes nothing. */
  readonly durability: 'normal' | 'full';
  /** True for the process that owns the file: it checks it and quarantines a damaged one. Others get an error. */
  readonly owner: boolean;
  readonly log: Log;
}

const BUSY_TIMEOUT_MS = 10_000;
/**
 * A commit writes whole pages. At one commit a second, two modalities at 100 Hz, with their windows: 112 bytes written per sample with
 * pages of 1 KiB, 173 with 2 KiB, 216 with 4 KiB (SQLite's default).
 */
const PAGE_BYTES = 1024;
/** Pages in the write-ahead log before they are copied into the file: 4 MiB. */
const CHECKPOINT_PAGES = 4096;
/** What the log takes on the disk. A reader may make it longer for a while; it is cut back to this, and stays allocated. */
export const WAL_BYTES = CHECKPOINT_PAGES * (PAGE_BYTES + 24) + 32; // SQLite file format §4.1
/** Damaged files that are kept: the newest. */
const MOST_QUARANTINED = 2;
const COMPANIONS = ['', '-wal', '-shm'];
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT)/;

/** Opens (creates, migrates) the file. AppError 'storage-failed' when that is impossible. */
export function openDb(path: string, options: DbOptions): Db {
  try {
    return tryOpen(path, options);
  } catch (error) {
    if (!options.owner || !isDamage(error)) throw asStorageError(error, path);
    const movedTo = quarantine(path);
    options.log.warn({ path, movedTo, cause: String(error) }, 'database damaged: moved aside, starting a fresh one');
  }
  try {
    return tryOpen(path, options);
  } catch (error) {
    throw asStorageError(error, path);
  }
}

/**
 * Opens a file that is there, beside its owner or without one, to read it.
 * @throws AppError `storage-failed` when that is impossible, or the schema is not this program's
 */
export function openDbReadOnly(path: string): Db {
  try {
    const db = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    try {
      assertNewestSchema(db);
      return db;
    } catch (error) {
      db.close();
      throw error;
    }
  } catch (error) {
    throw asStorageError(error, path);
  }
}

/** Gives free pages back to the disk. Takes seconds, and as much free disk as is kept: before sampling begins, if at all. */
export function compact(db: Db, log: Log): void {
  try {
    db.exec('VACUUM');
    db.pragma('wal_checkpoint(TRUNCATE)');
    log.info({ path: db.name }, 'database compacted');
  } catch (error) {
    if (!isFull(error)) throw error;
    log.warn({ path: db.name }, 'database not compacted: the disk has no room for that');
  }
}

/** The same methods, with every failure of the database turned into an AppError that names the file. */
export function withStorageErrors<T extends { [K in keyof T]: (...args: never[]) => unknown }>(
  path: string,
  methods: T,
): T {
  const guarded = Object.entries<(...args: never[]) => unknown>(methods).map(([name, method]) => [
    name,
    (...args: never[]) => {
      try {
        return method(...args);
      } catch (error) {
        throw asStorageError(error, path);
      }
    },
  ]);
  return Object.fromEntries(guarded) as T;
}

/** Any error of the database as the AppError that names the file and says what to do. Others pass unchanged. */
function asStorageError(error: unknown, path: string): unknown {
  if (error instanceof TypeError && error.message.includes('directory does not exist')) {
    return new AppError('storage-failed', 'the folder of the database does not exist', {
      where: path,
      hint: 'Create the folder, or set another path.',
      cause: error,
    });
  }
  if (!(error instanceof Sqlite.SqliteError)) return error;
  return new AppError(isFull(error) ? 'storage-full' : 'storage-failed', `database: ${error.message}`, {
    where: path,
    hint: hintFor(error.code),
    cause: error,
  });
}

function tryOpen(path: string, options: DbOptions): Db {
  const db = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    db.pragma(`page_size = ${PAGE_BYTES}`); // takes effect in a fresh file only
    db.pragma('journal_mode = WAL');
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.pragma(`journal_size_limit = ${WAL_BYTES}`);
    db.pragma(`synchronous = ${options.durability}`);
    if (options.owner) assertSound(db);
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** `quick_check` reads every page once: a damaged page is found at boot, not weeks later. */
function assertSound(db: Db): void {
  const verdict = db.pragma('quick_check(1)', { simple: true });
  if (verdict !== 'ok') throw new Sqlite.SqliteError(String(verdict), 'SQLITE_CORRUPT');
}

function isDamage(error: unknown): boolean {
  return error instanceof Sqlite.SqliteError && DAMAGED.test(error.code);
}

/** Renames the file and its companions to `.corrupt-N`, N greater than any before; forgets all but the newest of them. Returns the new name. */
function quarantine(path: string): string {
  const prefix = `${basename(path)}.corrupt-`;
  const folder = dirname(path);
  const numbers = readdirSync(folder)
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)));
  const number = Math.max(0, ...numbers) + 1;
  for (const old of numbers.filter((n) => n <= number - MOST_QUARANTINED)) {
    for (const suffix of COMPANIONS) rmSync(join(folder, `${prefix}${old}${suffix}`), { force: true });
  }
  const target = join(folder, `${prefix}${number}`);
  for (const suffix of COMPANIONS) {
    if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  }
  return target;
}

function hintFor(code: string): string {
  if (code.startsWith('SQLITE_FULL')) return 'Free space on the disk, or lower the cap of the buffer.';
  if (code.startsWith('SQLITE_BUSY')) return 'Another program holds the file: end it, or wait and try again.';
  if (DAMAGED.test(code)) return 'Restart the agent: it moves a damaged file aside and starts a fresh one.';
  if (/^SQLITE_(CANTOPEN|READONLY|PERM)/.test(code))
    return 'Check that folder and file exist and that this user may write both.';
  return 'Check the disk (dmesg, smartctl, free space) and restart.';
}
