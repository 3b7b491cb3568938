/**
 * The disk is full. The board does not stop for it: what cannot be stored is counted, and storing goes on by itself when there is room.
 * On real small file systems (tmpfs in a mount namespace of its own, for which no rights are needed).
 */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import Sqlite from 'better-sqlite3';
import { createAgentStore, openAgentStore, type StoreBounds } from '../../agent/store/agent-store.ts';
import { openDb } from '../../agent/store/db.ts';
import type { Db } from '../../agent/store/transaction.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import type { FullDiskReport } from '../fixtures/full-disk-writer.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';

const WRITER = fileURLToPath(new URL('../fixtures/full-disk-writer.js', import.meta.url));
const NAMESPACE = ['--map-root-user', '--mount', 'sh', '-c'];

function namespacesWork(): boolean {
  try {
    execFileSync('unshare', [...NAMESPACE, 'mount -t tmpfs none /mnt'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function onDiskOf(megabytes: number, t: TestContext, ...args: string[]): Promise<FullDiskReport> {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-full-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const script = `mount -t tmpfs -o size=${megabytes}m none "$1" && shift 1 && exec "$@"`;
  const command = [process.execPath, WRITER, folder, ...args];
  const { stdout } = await promisify(execFile)('unshare', [...NAMESPACE, script, 'sh', folder, ...command]);
  return JSON.parse(stdout) as FullDiskReport;
}

const options = { timeout: 60_000, skip: namespacesWork() ? false : 'no mount namespaces here' };

test(
  'a disk that fills up: the oldest makes room on what the file has, even when nothing at all is left',
  options,
  async (t) => {
    const report = await onDiskOf(12, t, 'drop-oldest', '600');
    const { filling, taken, commits, free } = report.phases;
    assert.deepEqual([filling, taken, free], [{ stored: 600 }, { stored: 500 }, { stored: 300 }]);
    assert.deepEqual(commits, { true: 20 }, 'the learner commits, too');
    assert.equal(report.newest, report.seconds - 1);
    assert.equal(report.samples + Number(report.losses['disk-full samples']), 200 * report.seconds, 'kept or counted');
    assert.deepEqual(report.told, ['disk nearly full: the oldest makes room']);
  },
);

for (const policy of ['drop-oldest', 'stop']) {
  test(
    `another program takes all of the disk at once (${policy}): counted, and taken up again when it is gone`,
    options,
    async (t) => {
      const report = await onDiskOf(24, t, policy, '300');
      const { filling, taken, commits, free } = report.phases;
      assert.deepEqual([filling, taken, free], [{ stored: 300 }, { 'disk-full': 500 }, { stored: 300 }]);
      assert.ok(
        Object.keys(commits).every((outcome) => /storage-full/.test(outcome)),
        JSON.stringify(commits),
      );
      assert.deepEqual(report.losses, { 'disk-full samples': 100_000, 'disk-full unused-windows': 500 });
      assert.equal(report.samples, 200 * 600);
      assert.equal(report.newest, report.seconds - 1);
      assert.deepEqual(report.told, ['disk full: nothing is stored', 'buffer has room again']);
    },
  );
}

/** A database that can be kept from growing, as a full disk does. */
function growable(t: TestContext, policy: StoreBounds['policy'] | null) {
  const path = temporaryPath(t);
  const db = openDb(path, { durability: 'normal', owner: true, log: silentLog });
  t.after(() => db.close());
  const bounds = { capBytes: 1e9, maxAgeUs: 1e15 };
  const limits = policy && { bounds: { ...bounds, policy }, freeBytes: () => 1e12, log: silentLog };
  return { db, store: createAgentStore(db, path, limits) };
}

test('while the disk is full the label that holds is remembered: the stream goes on under it', (t) => {
  const { db, store } = growable(t, 'stop');
  const label = (tUs: number, text: string) => ({ kind: 'label', tUs, label: text }) as const;
  store.ingest({ ...secondOfMotion(0), labels: [label(0, 'sit')] });
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
  assert.equal(store.ingest({ ...secondOfMotion(1), labels: [label(1e6, 'walk'), label(1.5e6, 'run')] }), 'disk-full');
  const losses = [{ cause: 'disk-full', kind: 'samples', count: 200 }];
  assert.deepEqual(store.losses(), losses, 'counted before it can be written');
  db.pragma('max_page_count = 1000000');
  assert.equal(store.ingest(secondOfMotion(2)), 'stored');
  assert.deepEqual(store.losses(), losses);
  const told = [...store.readRecording(0)].map((event) => (event.kind === 'label' ? event.label : event.tUs.length));
  assert.deepEqual(told, ['sit', 100, 100, 'run', 100, 100]);
});

test('a file that cannot grow: the oldest makes room in it', (t) => {
  const { db, store } = growable(t, 'drop-oldest');
  for (let second = 0; second < 200; second++) store.ingest(secondOfMotion(second, [measuredWindow(second)]));
  const pages = Number(db.pragma('page_count', { simple: true }));
  db.pragma(`max_page_count = ${pages}`);
  for (let second = 200; second < 400; second++) {
    assert.equal(store.ingest(secondOfMotion(second, [measuredWindow(second)])), 'stored');
  }
  assert.equal(db.pragma('page_count', { simple: true }), pages);
  const samples = [...store.readStream(0)].reduce((sum, { tUs }) => sum + tUs.length, 0);
  const counts = new Map(store.losses().map(({ cause, kind, count }) => [`${cause} ${kind}`, count]));
  assert.equal(samples + Number(counts.get('disk-full samples')), 80_000);
});

test('without bounds, as in a replay, a full disk is an error with a code of its own', (t) => {
  const { db, store } = growable(t, null);
  store.ingest(secondOfMotion(0));
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`);
  assert.throws(
    () => store.ingest(secondOfMotion(1)),
    (error) => error instanceof AppError && error.code === 'storage-full' && error.hint !== undefined,
  );
  assert.equal([...store.readStream(0)].length, 2);
});

/** From the n-th statement that writes on (from 1) the disk is full, until `end`. */
function fullFrom(n: number, db: Db) {
  let [writes, isOver] = [0, false];
  const failing = <T extends object>(statement: T): T =>
    new Proxy(statement, {
      get(target, name) {
        const member = Reflect.get(target, name) as unknown;
        if (typeof member !== 'function') return member;
        return (...args: unknown[]) => {
          if (name === 'run' && ++writes >= n && !isOver) throw new Sqlite.SqliteError('full', 'SQLITE_FULL');
          const result = Reflect.apply(member, target, args) as unknown;
          return name === 'pluck' || name === 'safeIntegers' ? failing(result as object) : result;
        };
      },
    });
  const faulty = new Proxy(db, {
    get(target, name) {
      if (name === 'prepare') return (sql: string) => failing(target.prepare(sql));
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
  const end = () => {
    isOver = true;
  };
  return { db: faulty, writes: () => writes, end };
}

for (const policy of ['drop-oldest', 'stop'] as const) {
  test(`full from any write of an ingest at the cap on (${policy}): it answers, and in the end all is kept or counted`, (t) => {
    const path = temporaryPath(t);
    const limits = { bounds: { capBytes: 8e6, maxAgeUs: 1e15, policy }, freeBytes: () => 1e12, log: silentLog };
    const batch = (second: number, windows: number) =>
      secondOfMotion(
        second,
        Array.from({ length: windows }, (_, i) => measuredWindow(100 * second + i)),
      );
    const prepared = openAgentStore(path, { bounds: limits.bounds });
    for (let second = 0; second < 10; second++) prepared.ingest(batch(second, 100));
    prepared.close();
    for (let n = 1; ; n++) {
      copyFileSync(path, `${path}-${n}`);
      const disk = fullFrom(n, openDb(`${path}-${n}`, { durability: 'normal', owner: true, log: silentLog }));
      const store = createAgentStore(disk.db, path, limits);
      const first = store.ingest(batch(10, 1));
      const writes = disk.writes();
      disk.end();
      store.ingest(batch(11, 1));
      const kept = [...store.readStream(0)].reduce((sum, { tUs }) => sum + tUs.length, 0);
      const windows = store.countWindows({ afterIndex: -1, classes: ['walk'] });
      const lost = { samples: 0, 'used-windows': 0, 'unused-windows': 0 };
      for (const { kind, count } of store.losses()) lost[kind] += count;
      assert.equal(kept + lost.samples, 200 * 12, `full from write ${n} on: ${first}`);
      assert.equal(windows + lost['unused-windows'], 1002, `full from write ${n} on: ${first}`);
      assert.equal(store.ingestPosition()?.nextIndex, 1101);
      disk.db.close();
      if (writes < n) return assert.ok(n > 5 && first !== 'disk-full', `${n} writes`);
      assert.equal(first, 'disk-full');
    }
  });
}
