/** A damaged database never stops the board twice: it is moved aside, a fresh one starts, and a person is told. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { test } from 'node:test';
import { openAgentReader, openAgentStore } from '../../agent/store/agent-store.ts';
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

test('of the files that were moved aside the newest two are kept, with what belongs to them', (t) => {
  const path = temporaryPath(t);
  for (let n = 1; n <= 4; n++) {
    writeFileSync(path, `not a database, number ${n}`.repeat(50));
    writeFileSync(`${path}-wal`, '');
    openAgentStore(path).close();
  }
  assert.deepEqual(
    quarantined(path).filter((name) => !name.endsWith('-wal')),
    ['board.db.corrupt-3', 'board.db.corrupt-4'],
  );
  assert.match(readFileSync(`${path}.corrupt-4`, 'utf8'), /number 4/);
  assert.ok(!quarantined(path).includes('board.db.corrupt-1-wal'));
});

test('the learner, who does not own the file, leaves a damaged one alone and says so', (t) => {
  const path = temporaryPath(t);
  writeFileSync(path, 'not a database'.repeat(100));
  const isStorageError = (error: unknown) =>
    error instanceof AppError && error.code === 'storage-failed' && error.where === path;
  assert.throws(() => openAgentStore(path, { owner: false }), isStorageError);
  assert.throws(() => openAgentReader(path), isStorageError);
  assert.deepEqual(quarantined(path), []);
});

test('damaged pages that only the learner meets: its call says so, the file stays for its owner to move aside', (t) => {
  const path = temporaryPath(t);
  fill(path);
  const bytes = readFileSync(path);
  writeFileSync(path, bytes.fill(0xa5, bytes.length / 4)); // the schema and the first pages are sound
  const learner = openAgentStore(path, { owner: false });
  t.after(() => learner.close());
  const take = () => learner.nextWindows({ afterIndex: -1, classes: ['walk'], limit: 100 });
  assert.throws(take, (error) => error instanceof AppError && error.code === 'storage-failed' && error.where === path);
  assert.deepEqual(quarantined(path), []);
  openAgentStore(path).close();
  assert.ok(quarantined(path).includes('board.db.corrupt-1'));
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
