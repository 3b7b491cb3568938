/**
 * The embedded broker's memory on disk: keys and values in a LevelDB folder, written behind what the broker holds in memory.
 * Invariant: changes that were made together are written together, all changes in the order in which they were made, and
 * `flushed` resolves when all before it are with the operating system: `kill -9` takes none of them, a power cut may take the last.
 * A folder that is damaged is moved aside. When the disk refuses later on, the broker goes on without it.
 */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ClassicLevel } from 'classic-level';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { decodeEntries, type StoredEntries } from './stored-entries.ts';

export interface SessionJournal {
  put(key: string, value: Uint8Array): void;
  del(key: string): void;
  /** Resolves when all that was changed so far is written, or can no longer be. */
  flushed(): Promise<void>;
  close(): Promise<void>;
}

/** Keeps nothing. */
export const noJournal: SessionJournal = {
  put: () => undefined,
  del: () => undefined,
  flushed: () => Promise.resolve(),
  close: () => Promise.resolve(),
};

type Db = ClassicLevel<string, Uint8Array>;

/** Damaged folders that are kept: the newest. */
const MOST_QUARANTINED = 2;

export interface OpenedJournal {
  readonly journal: SessionJournal;
  readonly stored: StoredEntries;
}

/**
 * Opens or makes the folder, and reads it.
 * @throws AppError `state-in-use` when another process has it, `storage-failed`
 */
export async function openSessionJournal(path: string, log: Log): Promise<OpenedJournal> {
  try {
    return await openAndRead(path, log);
  } catch (error) {
    if (error instanceof AppError) throw error;
    const movedTo = quarantine(path);
    log.warn({ path, movedTo, cause: String(error) }, 'sessions of boards damaged: moved aside, starting without them');
  }
  return openAndRead(path, log);
}

/** Throws AppErrors for what is no damage, anything else for damage. */
async function openAndRead(path: string, log: Log): Promise<OpenedJournal> {
  const db: Db = new ClassicLevel(path, { keyEncoding: 'utf8', valueEncoding: 'view' });
  try {
    mkdirSync(path, { recursive: true });
    await db.open();
  } catch (cause) {
    throw openError(cause, path);
  }
  try {
    const entries: [string, Uint8Array][] = [];
    for await (const entry of db.iterator()) entries.push(entry);
    return { journal: journalOver(db, path, log), stored: decodeEntries(entries) };
  } catch (error) {
    await db.close();
    throw error;
  }
}

function openError(error: unknown, path: string): unknown {
  const { code, cause } = error as { code?: string; cause?: { code?: string; message?: string } };
  if (cause?.code === 'LEVEL_LOCKED') {
    return new AppError('state-in-use', 'another aggregator runs with this state folder', {
      where: path,
      hint: 'stop it (sudo systemctl stop qqr-server), or give another folder with --state',
      cause: error,
    });
  }
  const isDamage = cause?.code === 'LEVEL_CORRUPTION' || /corrupt|missing file/i.test(cause?.message ?? '');
  if (isDamage) return error;
  return new AppError('storage-failed', `sessions of boards: ${cause?.message ?? code ?? String(error)}`, {
    where: path,
    hint: 'check permissions and free space, or set broker.durable = false',
    cause: error,
  });
}

function quarantine(path: string): string {
  const [folder, prefix] = [dirname(path), `${basename(path)}.damaged-`];
  const numbers = readdirSync(folder)
    .filter((name) => name.startsWith(prefix))
    .map((name) => Number(name.slice(prefix.length)))
    .filter(Number.isInteger)
    .sort((a, b) => a - b);
  for (const old of numbers.slice(0, Math.max(0, numbers.length + 1 - MOST_QUARANTINED))) {
    rmSync(join(folder, `${prefix}${old}`), { recursive: true });
  }
  const movedTo = join(folder, `${prefix}${(numbers.at(-1) ?? 0) + 1}`);
  renameSync(path, movedTo);
  return movedTo;
}

function journalOver(db: Db, path: string, log: Log): SessionJournal {
  let pending = new Map<string, Uint8Array | null>();
  /** The write that takes what is pending, or the last one that did. */
  let last: Promise<void> = Promise.resolve();
  let isBroken = false;

  const writePending = async () => {
    const changes = [...pending].map(([key, value]) =>
      value === null ? ({ type: 'del', key } as const) : ({ type: 'put', key, value } as const),
    );
    pending = new Map();
    if (isBroken) return;
    await db.batch(changes).catch((error: unknown) => {
      isBroken = true;
      log.error({ path, error: String(error) }, 'sessions are not written any more: a restart will not know them');
    });
  };
  const change = (key: string, value: Uint8Array | null) => {
    if (isBroken) return;
    if (pending.size === 0) last = last.then(() => setImmediate()).then(writePending); // what comes at once is written at once
    pending.set(key, value);
  };
  return {
    put: change,
    del: (key) => change(key, null),
    flushed: () => last,
    async close() {
      for (let seen = null; seen !== last; ) {
        seen = last;
        await seen;
      }
      isBroken = true;
      await db.close();
    },
  };
}
