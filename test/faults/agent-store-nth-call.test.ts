/**
 * Fail the n-th database call, for every n, and look at what a restart finds (after SQLite's own anomaly loop).
 * Invariants: the stream's position never runs ahead of what is stored; a window is used xor not; an outbox row exists iff the checkpoint
 * has advanced; a settled update is counted once.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentStore, createAgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { openDb } from '../../agent/store/db.ts';
import type { Db } from '../../agent/store/transaction.ts';
import { silentLog } from '../../core/base/log.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

class InjectedFault extends Error {}

/** The database with a counter on every statement that is executed; call number `n` (from 1) throws instead. */
function failAt(n: number, db: Db): { db: Db; calls: () => number } {
  let calls = 0;
  const counted = <T extends object>(statement: T): T =>
    new Proxy(statement, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (name === 'pluck' || name === 'safeIntegers') return counted(Reflect.apply(member, target, args) as T);
          if (++calls === n) throw new InjectedFault(`call ${n}`);
          return Reflect.apply(member, target, args) as unknown;
        };
      },
    });
  const faulty = new Proxy(db, {
    get(target, name) {
      if (name === 'prepare') return (sql: string) => counted(target.prepare(sql));
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  return { db: faulty, calls: () => calls };
}

interface Scene {
  readonly prepare: (store: AgentStore) => void;
  readonly act: (store: AgentStore) => void;
  /** Looks at the store after a reopen; `isDone` tells whether the act came through. */
  readonly check: (store: AgentStore, isDone: boolean) => void;
}

/** Runs the scene with a fault at each call until one run is past the last call; returns the number of calls tried. */
function tryEveryCall(path: (n: number) => string, scene: Scene): number {
  for (let n = 1; ; n++) {
    const prepared = openAgentStore(path(n));
    scene.prepare(prepared);
    prepared.close();
    const db = openDb(path(n), { durability: 'normal', owner: true, log: silentLog });
    const faulty = failAt(n, db);
    let isDone = true;
    try {
      scene.act(createAgentStore(faulty.db, path(n)));
    } catch (error) {
      assert.ok(error instanceof InjectedFault, String(error));
      isDone = false;
    }
    db.close();
    const reopened = openAgentStore(path(n));
    scene.check(reopened, isDone);
    if (!isDone) scene.act(reopened); // what was interrupted can be done again
    scene.check(reopened, true);
    reopened.close();
    if (isDone) {
      assert.ok(faulty.calls() < n, 'the last run was past the last call');
      return n - 1;
    }
  }
}

const QUERY = { afterIndex: -1, classes: ['walk'] };
const CHECKPOINT = {
  round: 1,
  cursor: 1,
  seq: 1,
  modelVersion: 1,
  params: Float32Array.of(1),
  residual: Float32Array.of(2),
};
const KEY = { round: 1, seq: 1 };

test('ingest interrupted at any call: stream, windows, position and state are from before or from after', (t) => {
  const base = temporaryPath(t);
  const calls = tryEveryCall((n) => `${base}-${n}`, {
    prepare: (store) =>
      store.ingest({ ...secondOfMotion(0, [measuredWindow(0)]), state: { quality: Uint8Array.of(0) } }),
    act: (store) => store.ingest({ ...secondOfMotion(1, [measuredWindow(1)]), state: { quality: Uint8Array.of(1) } }),
    check(store, isDone) {
      const samples = [...store.readStream(0)].reduce((sum, block) => sum + block.tUs.length, 0);
      const found = [
        samples,
        store.countWindows(QUERY),
        store.ingestPosition()?.nextIndex,
        store.state('quality')?.[0],
      ];
      assert.deepEqual(found, isDone ? [400, 2, 2, 1] : [200, 1, 1, 0]);
    },
  });
  assert.ok(calls >= 8, `${calls} calls`);
});

test('training commit interrupted at any call: an outbox row iff the checkpoint advanced iff the windows are used', (t) => {
  const base = temporaryPath(t);
  const calls = tryEveryCall((n) => `${base}-${n}`, {
    prepare: (store) => store.ingest(secondOfMotion(0, [measuredWindow(0), measuredWindow(1)])),
    act: (store) => store.commitTraining(CHECKPOINT, { ...KEY, payload: Uint8Array.of(5) }, [0, 1]),
    check(store, isDone) {
      assert.deepEqual(store.checkpoint(), isDone ? CHECKPOINT : null);
      assert.equal(store.pending().length, isDone ? 1 : 0);
      assert.equal(store.windowUses().length, isDone ? 2 : 0);
    },
  });
  assert.ok(calls >= 6, `${calls} calls`);
});

test('settling interrupted at any call: in the outbox, or counted once', (t) => {
  const base = temporaryPath(t);
  const calls = tryEveryCall((n) => `${base}-${n}`, {
    prepare: (store) => store.commitTraining(CHECKPOINT, { ...KEY, payload: Uint8Array.of(5) }, [0]),
    act: (store) => void store.settle(KEY, 'rejected', 'late'),
    check(store, isDone) {
      assert.equal(store.pending().length, isDone ? 0 : 1);
      assert.deepEqual(store.settled(), isDone ? [{ outcome: 'rejected', reason: 'late', count: 1 }] : []);
    },
  });
  assert.ok(calls >= 4, `${calls} calls`);
});

test('entering another epoch interrupted at any call: in the one of before with all that waits, or in the new one with nothing', (t) => {
  const base = temporaryPath(t);
  const [before, after] = ['b'.repeat(16), 'a'.repeat(16)];
  const calls = tryEveryCall((n) => `${base}-${n}`, {
    prepare(store) {
      store.adoptEpoch(before);
      store.commitTraining(CHECKPOINT, { ...KEY, payload: Uint8Array.of(5), epoch: before }, [0]);
    },
    act: (store) => void store.adoptEpoch(after),
    check(store, isDone) {
      const { round, seq, cursor, residual } = store.checkpoint() ?? assert.fail();
      const found = [store.epoch(), round, seq, cursor, residual.length, store.pending().length, store.settled()];
      const settled = [{ outcome: 'set-aside', reason: 'other-epoch', count: 1 }];
      assert.deepEqual(found, isDone ? [after, -1, 1, 1, 0, 0, settled] : [before, 1, 1, 1, 1, 1, []]);
      assert.equal(store.windowUses().length, 1);
    },
  });
  assert.ok(calls >= 8, `${calls} calls`);
});
