/** A damaged database never stops the board twice: it is moved aside, a fresh one starts, and a person is told. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { AppError } from '../../core/base/errors.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

function warnings(): { log: Log; messages: string[] } {
  const messages: string[] = [];
  return { log: { ...silentLog, warn: (_fields, message) => void messages.push(message) }, messages };
}

function quarantined(path: string): string[] {
  return readdirSync(dirname(path))
    .filter((name) => name.startsWith(`${basename(path)}.corrupt-`))
    .sort();
}

/** A database of some size, closed. */
function fill(path: string): void {
  const store = openAgentStore(path);
  for (let second = 0; second < 20; second++) store.ingest(secondOfMotion(second, [measuredWindow(second)]));
  store.close();
}

/** Overwrites bytes in the middle of the file, where pages of samples and indices are. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes.fill(0xa5, 4096, 4096 * 8);
  writeFileSync(path, bytes);
}

test('a file that is no database is quarantined with a warning, each time under a new name', (t) => {
  const path = temporaryPath(t);
  for (let n = 1; n <= 2; n++) {
    writeFileSync(path, 'this is not a database, and long enough to be read as a header of one'.repeat(20));
    const { log, messages } = warnings();
    const store = openAgentStore(path, { log });
    store.ingest(secondOfMotion(0, [measuredWindow(0)]));
    assert.equal(messages.length, 1);
    assert.equal(quarantined(path).length, n);
    store.close();
  }
});

test('damaged pages are found at open, and the file that was is kept for a person to look at', (t) => {
  const path = temporaryPath(t);
  fill(path);
  damage(path);
  const { log, messages } = warnings();
  const store = openAgentStore(path, { log });
  assert.equal(messages.length, 1);
  assert.deepEqual(quarantined(path), ['board.db.corrupt-1']);
  assert.equal(store.ingestPosition(), null);
  store.ingest(secondOfMotion(0));
  store.close();
  const reopened = openAgentStore(path, { log });
  assert.equal(messages.length, 1, 'the fresh file is sound');
  reopened.close();
});

test('the learner, who does not own the file, leaves a damaged one alone and says so', (t) => {
  const path = temporaryPath(t);
  writeFileSync(path, 'not a database'.repeat(100));
  const isStorageError = (error: unknown) =>
    error instanceof AppError && error.code === 'storage-failed' && error.where === path;
  assert.throws(() => openAgentStore(path, { owner: false }), isStorageError);
  assert.deepEqual(quarantined(path), []);
});

test('a file of a newer program is refused, not quarantined', (t) => {
  const path = temporaryPath(t);
  fill(path);
  const bytes = readFileSync(path);
  bytes.writeUInt32BE(99, 60); // user_version, SQLite file format §1.3
  writeFileSync(path, bytes);
  assert.throws(
    () => openAgentStore(path),
    (error) => error instanceof AppError && /schema 99/.test(error.message),
  );
  assert.deepEqual(quarantined(path), []);
});
