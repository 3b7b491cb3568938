/** The embedded broker's journal: whoever waits for the disk waits for what was changed before, and for no more. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../../core/base/log.ts';
import { openSessionJournal } from '../../server/source/session-journal.ts';
import { encodeEntry, retainedKey } from '../../server/source/stored-entries.ts';

test('a fleet that never falls silent keeps nobody waiting for the disk', { timeout: 20_000 }, async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'qqr-journal-')), 'broker');
  t.after(() => rmSync(join(path, '..'), { recursive: true }));
  const { journal } = await openSessionJournal(path, silentLog);
  let changes = 0;
  let isSpeaking = true;
  t.after(() => {
    isSpeaking = false;
  });
  const speak = () => {
    if (!isSpeaking) return;
    journal.put(retainedKey('status'), encodeEntry({ topic: 'status', change: ++changes }));
    setImmediate(speak);
  };
  speak();
  for (let i = 0; i < 20; i++) {
    journal.put(retainedKey(`plan-${i}`), encodeEntry({ topic: `plan-${i}` }));
    const before = changes;
    await journal.flushed();
    assert.ok(changes - before < 10_000, `${changes - before} changes were waited for`);
  }
  isSpeaking = false;
  journal.put(retainedKey('last'), encodeEntry({ topic: 'last', change: changes }));
  await journal.close();
  const again = await openSessionJournal(path, silentLog);
  const retained = again.stored.retained as unknown as readonly { topic: string; change?: number }[];
  assert.equal(retained.length, 22);
  for (const topic of ['status', 'last']) assert.equal(retained.find((one) => one.topic === topic)?.change, changes);
  await again.journal.close();
});
