/** When a receipt goes out: never before the disk has what it is about, and for all that came meanwhile at once. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { silentLog } from '../../core/base/log.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { topics } from '../../core/wire/topics.ts';
import { createIntake } from '../../server/intake.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { expectationOf, sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';

const TOPICS = topics('test');
const BASE = sampleUpdate({ spec: TINY_SPEC });

/** An intake whose disk takes as long as the test likes. */
function open(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-receipts-'));
  const store = openSqliteStore(join(folder, 'rounds.sqlite'), TINY_SPEC);
  t.after(() => {
    store.dispose();
    rmSync(folder, { recursive: true });
  });
  const waits: { readonly resolve: () => void; readonly reject: (error: Error) => void }[] = [];
  const told: string[] = [];
  let decodes = 0;
  const { spec, layout, limits, shapeHash } = expectationOf(BASE, TINY_SPEC);
  const intake = createIntake({
    store: { ...store, durable: () => new Promise<void>((resolve, reject) => waits.push({ resolve, reject })) },
    topics: TOPICS,
    gate: { admits: () => true, proved: () => undefined, flush: () => undefined },
    lateRounds: 0,
    frame: {
      ...{ spec, layout, limits },
      get shapeHash() {
        decodes++;
        return shapeHash;
      },
    },
    reply: (device, { verdict }) => void told.push(`${device} ${verdict}`),
    onCounted: () => undefined,
    onRefused: () => undefined,
    onAhead: () => undefined,
    log: silentLog,
  });
  const { round, modelVersion } = BASE;
  const asked = { round, kind: 'training', modelVersion, asked: ['a'] } as const;
  store.open(asked);
  intake.open(asked);
  const send = (device: string, change = {}) =>
    intake.handle({ topic: TOPICS.up(device), payload: encodeUpdate({ ...BASE, device, ...change }), retained: false });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { intake, store, waits, told, send, settle, decodes: () => decodes };
}

test('no receipt before the disk has the update, and one wait for all that came meanwhile', async (t) => {
  const { intake, waits, told, send, settle } = open(t);
  send('a');
  send('b');
  send('c', { modelVersion: 7 });
  await settle();
  assert.deepEqual([intake.count(), told, waits.length], [2, [], 1]);
  waits[0]?.resolve();
  await settle();
  assert.deepEqual([told, waits.length], [['a accepted'], 2]); // b and c came while a was waited for
  waits[1]?.resolve();
  await settle();
  assert.deepEqual([told, waits.length], [['a accepted', 'b accepted', 'c rejected'], 2]);
});

test('a disk that fails is told to nobody as success, and the next send is answered', async (t) => {
  const { waits, told, send, settle } = open(t);
  send('a');
  waits[0]?.reject(new Error('no disk'));
  await settle();
  assert.deepEqual(told, []);
  send('a');
  await settle();
  waits[1]?.resolve();
  await settle();
  assert.deepEqual(told, ['a duplicate']);
});

test('the same bytes again are a duplicate without a look into them; other bytes are looked into', (t) => {
  const { send, decodes, intake, store } = open(t);
  send('a');
  const before = decodes();
  send('a');
  assert.equal(decodes(), before);
  send('a', { windows: 2000 });
  assert.ok(decodes() > before);
  assert.deepEqual([intake.count(), store.rejections(BASE.round)], [1, { 'out-of-range': 1 }]);
});

test('a store with durability full resolves when its log is synced, also when it has been closed', async (t) => {
  const { store, send } = open(t);
  send('a');
  await store.durable();
  store.dispose();
  await store.durable();
});
