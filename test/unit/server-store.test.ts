/** The round store: what it gives back, also after it has been closed and opened again. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Database from 'better-sqlite3';
import { AppError } from '../../core/base/errors.ts';
import { shapeHash } from '../../core/model/spec.ts';
import { MAX_LATE_ROUNDS } from '../../core/wire/limits.ts';
import type { FleetState } from '../../server/fleet-state.ts';
import { firstGlobal } from '../../server/next-global.ts';
import type { RoundRecord } from '../../server/record.ts';
import { readArchivedRound, readBoards } from '../../server/store/archive.ts';
import { openHistory } from '../../server/store/history.ts';
import type { OpenRound, RoundStore } from '../../server/store/round-store.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { SAMPLE_SPEC, TINY_SPEC } from '../fixtures/sample-update.ts';

const ROUND: OpenRound = { round: 0, kind: 'statistics', modelVersion: 0, asked: ['a', 'b'] };

function temporaryPath(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-store-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return join(folder, 'rounds.sqlite');
}

function open(t: TestContext, path: string): RoundStore {
  const store = openSqliteStore(path, TINY_SPEC);
  t.after(() => store.dispose());
  return store;
}

function recordOf(round: number): RoundRecord {
  return {
    round,
    kind: round === 0 ? 'statistics' : 'training',
    version: round,
    devices: ['a'],
    rejected: {},
    durationMs: 12.5,
    bytes: { prototypes: 1, model: 2, payload: 3, fp32: 4 },
    modalities: { acc: { meanQuality: null, missingShare: 1 } },
    online: null,
    evaluation: null,
  };
}

function globalOf(version: number, isNormalized: boolean): FleetState {
  const first = firstGlobal(TINY_SPEC, version);
  const scale = [Float32Array.of(1, 2, 3), Float32Array.of(4, 5, 6)];
  return { ...first, version, temperature: 1.3, normalization: isNormalized ? { mean: scale, std: scale } : null };
}

test('a new store is empty', (t) => {
  const store = open(t, temporaryPath(t));
  assert.equal(store.global(), null);
  assert.equal(store.openRound(), null);
  assert.equal(store.lastRecord(), null);
  assert.deepEqual(store.ended(), []);
});

test('states, open round, updates and records survive a restart', (t) => {
  const path = temporaryPath(t);
  const first = open(t, path);
  first.begin(globalOf(0, false));
  first.open(ROUND);
  assert.equal(first.accept({ round: 0, device: 'b', seq: 7 }, Uint8Array.of(1, 2)), 'new');
  assert.equal(first.accept({ round: 0, device: 'a', seq: 1 }, Uint8Array.of(3)), 'new');
  first.dispose();

  const second = open(t, path);
  assert.deepEqual(second.global(), globalOf(0, false));
  assert.deepEqual(second.openRound(), ROUND);
  assert.deepEqual(
    second.updates().map(({ key, payload }) => [key, [...payload]]),
    [
      [{ round: 0, device: 'a', seq: 1 }, [3]],
      [{ round: 0, device: 'b', seq: 7 }, [1, 2]],
    ],
  );
  const boards = [
    { device: 'a', ended: true, norm: 1.5, wasClipped: false },
    { device: 'b', ended: false, norm: null, wasClipped: false },
  ];
  second.close({ record: recordOf(0), global: globalOf(0, true), boards });
  second.dispose();

  const third = open(t, path);
  assert.deepEqual(third.global(), globalOf(0, true));
  assert.equal(third.openRound(), null);
  assert.deepEqual(third.lastRecord(), recordOf(0));
  assert.deepEqual(third.ended(), ['a']);
  assert.deepEqual(third.updates(), []);
  assert.deepEqual(third.counted(0), [
    { round: 0, device: 'a', seq: 1, bytes: 1 },
    { round: 0, device: 'b', seq: 7, bytes: 2 },
  ]);
});

test("what the server's optimizer remembers survives a restart, and a state without it stays without", (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  store.begin(globalOf(0, false));
  const { length } = globalOf(1, true).params;
  const moments = {
    first: Float32Array.from({ length }, (_, i) => i / 7),
    second: Float32Array.from({ length }, (_, i) => i / 11),
    steps: [3, 0, 4],
  };
  store.open(ROUND);
  store.close({ record: recordOf(0), global: { ...globalOf(1, true), moments }, boards: [] });
  store.dispose();
  const again = open(t, path);
  assert.deepEqual(again.global()?.moments, moments);
  again.open({ ...ROUND, round: 1 });
  again.close({ record: recordOf(1), global: globalOf(2, true), boards: [] });
  again.dispose();
  assert.equal(open(t, path).global()?.moments, null);
});

test('a key is counted once, and a device once a round, also when the round has closed', (t) => {
  const store = open(t, temporaryPath(t));
  store.begin(globalOf(0, false));
  store.open(ROUND);
  const key = { round: 0, device: 'a', seq: 1 };
  assert.equal(store.accept(key, Uint8Array.of(1)), 'new');
  assert.equal(store.accept(key, Uint8Array.of(1)), 'duplicate');
  assert.equal(store.accept({ ...key, seq: 2 }, Uint8Array.of(2)), 'other-seq');
  assert.equal(store.isCounted(key), true);
  assert.equal(store.isCounted({ ...key, seq: 2 }), false);
  store.close({ record: recordOf(0), global: globalOf(0, true), boards: [] });
  assert.equal(store.accept(key, Uint8Array.of(1)), 'duplicate');
  assert.equal(store.isCounted(key), true);
});

test('opening a round again changes who is asked and keeps what was counted', (t) => {
  const store = open(t, temporaryPath(t));
  store.open(ROUND);
  store.accept({ round: 0, device: 'a', seq: 1 }, Uint8Array.of(1));
  store.open({ ...ROUND, asked: ['a', 'b', 'c'] });
  assert.deepEqual(store.openRound()?.asked, ['a', 'b', 'c']);
  assert.equal(store.updates().length, 1);
});

test('refusals are counted by round and reason', (t) => {
  const store = open(t, temporaryPath(t));
  store.open(ROUND);
  store.reject('malformed', 'a');
  store.reject('malformed', 'b');
  store.reject('not-finite', 'a');
  store.close({ record: recordOf(0), global: globalOf(0, true), boards: [] });
  store.reject('late', 'a');
  assert.deepEqual(store.rejections(0), { 'late': 1, 'malformed': 2, 'not-finite': 1 });
  assert.deepEqual(store.rejections(1), {});
});

test('what a board did is kept by board: counted, clipped, its last norm, and refusals by reason', (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  const board = (device: string, norm: number | null, wasClipped: boolean) => ({
    device,
    ended: device === 'b',
    norm,
    wasClipped,
  });
  store.open(ROUND);
  store.reject('malformed', 'a', 3);
  store.reject('late', 'stranger');
  store.close({ record: recordOf(0), global: globalOf(0, true), boards: [board('a', null, false)] });
  store.open({ ...ROUND, round: 1 });
  store.reject('malformed', 'a');
  store.close({
    record: recordOf(1),
    global: globalOf(1, true),
    boards: [board('a', 7.5, true), board('b', 0.5, false)],
  });
  store.open({ ...ROUND, round: 2 });
  store.close({ record: recordOf(2), global: globalOf(2, true), boards: [board('a', null, false)] });
  assert.deepEqual(store.devices(), ['a', 'b']);
  assert.deepEqual(readBoards(path), [
    { device: 'a', lastRound: 2, counted: 3, clipped: 1, lastNorm: 7.5, hasEnded: false, refused: { malformed: 4 } },
    { device: 'b', lastRound: 1, counted: 1, clipped: 0, lastNorm: 0.5, hasEnded: true, refused: {} },
    {
      device: 'stranger',
      lastRound: null,
      counted: 0,
      clipped: 0,
      lastNorm: null,
      hasEnded: false,
      refused: { late: 1 },
    },
  ]);
  assert.deepEqual(readArchivedRound(path, 0).refusals, [
    { device: 'a', reason: 'malformed', count: 3 },
    { device: 'stranger', reason: 'late', count: 1 },
  ]);
});

test('a flood of names fills no more than its rows, is still counted, and is forgotten after a hundred rounds', (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  store.open(ROUND);
  for (let i = 0; i < 600; i++) store.reject('malformed', `name-${i}`);
  store.close({ record: recordOf(0), global: globalOf(0, true), boards: [] });
  assert.deepEqual(store.rejections(0), { malformed: 600 });
  const { refusals } = readArchivedRound(path, 0);
  assert.equal(refusals.length, 513);
  assert.deepEqual(refusals[0], { device: null, reason: 'malformed', count: 600 - 512 });
  for (const round of [99, 100]) {
    assert.equal(readBoards(path).length, 512);
    store.open({ ...ROUND, round });
    store.close({ record: recordOf(round), global: globalOf(round, true), boards: [] });
  }
  assert.deepEqual(readBoards(path), []);
  assert.deepEqual(store.rejections(0), { malformed: 600 });
});

test('only the newest states are kept, all records are unless asked otherwise', (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  store.begin(globalOf(0, false));
  for (let round = 0; round < 8; round++) {
    store.open({ ...ROUND, round });
    store.close({ record: recordOf(round), global: globalOf(round, true), boards: [] });
  }
  assert.equal(store.global()?.version, 7);
  assert.equal(readArchivedRound(path, 'last').record.round, 7);
  assert.equal(readArchivedRound(path, 0).record.round, 0);
});

/** As the first version made it, with one state in it. */
function storeOfVersion1(path: string): FleetState {
  const global = { ...globalOf(4, false), temperature: 1 };
  const { params, averaged, prototypes } = global;
  const blobs = [params, averaged, prototypes.values, prototypes.weight].map((of) => new Uint8Array(of.buffer));
  const db = new Database(path);
  db.exec(`
    CREATE TABLE identity (shape_hash INTEGER NOT NULL);
    CREATE TABLE globals (
      generation INTEGER PRIMARY KEY, version INTEGER NOT NULL, params BLOB NOT NULL, averaged BLOB NOT NULL,
      prototype_values BLOB NOT NULL, prototype_weight BLOB NOT NULL, mean BLOB, std BLOB
    );
    CREATE TABLE open_round (only_one INTEGER PRIMARY KEY CHECK (only_one = 1), round INTEGER NOT NULL, body TEXT NOT NULL);
    CREATE TABLE updates (
      round INTEGER NOT NULL, device TEXT NOT NULL, seq INTEGER NOT NULL, bytes INTEGER NOT NULL, payload BLOB,
      PRIMARY KEY (round, device)
    ) WITHOUT ROWID;
    CREATE TABLE rejections (
      round INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (round, reason)
    ) WITHOUT ROWID;
    CREATE TABLE records (round INTEGER PRIMARY KEY, body TEXT NOT NULL);
    CREATE TABLE devices (device TEXT PRIMARY KEY, ended INTEGER NOT NULL) WITHOUT ROWID;
    PRAGMA user_version = 1;
  `);
  db.prepare('INSERT INTO identity VALUES (?)').run(shapeHash(TINY_SPEC));
  db.prepare(
    'INSERT INTO globals (version, params, averaged, prototype_values, prototype_weight) VALUES (4, ?, ?, ?, ?)',
  ).run(...blobs);
  db.prepare('INSERT INTO records VALUES (4, ?)').run(JSON.stringify(recordOf(4)));
  db.close();
  return global;
}

test('a store of the first version is read on, and keeps what that version did not know', (t) => {
  const path = temporaryPath(t);
  const old = storeOfVersion1(path);
  assert.deepEqual(readArchivedRound(path, 4).refusals, []);
  assert.deepEqual(readBoards(path), []);
  const store = open(t, path);
  assert.deepEqual(store.global(), old);
  assert.deepEqual(store.lastRecord(), recordOf(4));
  assert.deepEqual(readBoards(path), []);
  const { length } = old.params;
  const moments = { first: new Float32Array(length).fill(0.5), second: new Float32Array(length), steps: [1, 2, 3] };
  store.open({ ...ROUND, round: 5 });
  store.close({ record: recordOf(5), global: { ...globalOf(5, true), moments }, boards: [] });
  store.dispose();
  assert.deepEqual(open(t, path).global(), { ...globalOf(5, true), moments });
});

test('a store of a newer program is refused and left as it is', (t) => {
  const path = temporaryPath(t);
  open(t, path).dispose();
  const db = new Database(path);
  t.after(() => db.close());
  db.pragma('user_version = 99');
  assert.throws(
    () => openSqliteStore(path, TINY_SPEC),
    (error: unknown) => error instanceof AppError && error.code === 'storage-failed',
  );
  assert.equal(db.pragma('user_version', { simple: true }), 99);
});

test('a store of another model, a file that is no store, and a missing round say so', (t) => {
  const path = temporaryPath(t);
  open(t, path).dispose();
  const code = (wanted: string) => (error: unknown) => error instanceof AppError && error.code === wanted;
  assert.throws(() => openSqliteStore(path, SAMPLE_SPEC), code('shape-mismatch'));
  assert.throws(() => readArchivedRound(path, 5), code('input-missing'));
  assert.throws(() => readArchivedRound(`${path}-not`, 'last'), code('input-missing'));
  writeFileSync(`${path}-text`, 'this is not a database, however long it may be');
  assert.throws(() => openSqliteStore(`${path}-text`, TINY_SPEC), code('storage-failed'));
});

test('a late update counts for its board, and is not taken for its newest', (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  store.begin(globalOf(0, true));
  const close = (round: number, keys: readonly (readonly [round: number, device: string])[]) => {
    store.open({ ...ROUND, kind: 'training', round });
    for (const [of, device] of keys) store.accept({ round: of, device, seq: of }, new Uint8Array(10), round);
    store.close({ record: recordOf(round), global: globalOf(round, true), boards: [] });
  };
  close(4, [[4, 'other']]);
  close(5, [[5, 'a']]);
  close(6, [[4, 'a']]); // its update of round 5 has been counted
  const history = openHistory(path);
  t.after(() => history.dispose());
  const totals = history.boards().find(({ device }) => device === 'a');
  assert.deepEqual([totals?.lastRound, totals?.counted, totals?.bytes], [5, 2, 20]);
});

test('what stays of an update is small, also of one that came with a large payload, and of a store of before', (t) => {
  const path = temporaryPath(t);
  const store = open(t, path);
  const names = Array.from({ length: 300 }, (_, i) => `board-${i}`);
  for (let round = 0; round < 10; round++) {
    store.open({ ...ROUND, round, asked: names });
    for (const device of names) store.accept({ round, device, seq: 1 }, new Uint8Array(6000).fill(round));
    assert.equal(store.updates().length, 300);
    store.close({ record: recordOf(round), global: globalOf(round, true), boards: [] });
    assert.equal(store.updates().length, 0);
  }
  store.dispose();
  const db = new Database(path);
  t.after(() => db.close());
  const pagesInUse = () =>
    Number(db.pragma('page_count', { simple: true })) - Number(db.pragma('freelist_count', { simple: true }));
  const bytesOfEach = (4096 * pagesInUse()) / 3000;
  assert.ok(bytesOfEach < 120, `${bytesOfEach} bytes each, all tables together`);

  // As the version before kept them: in the rows, of the open round only.
  db.exec(`ALTER TABLE updates ADD COLUMN payload BLOB; DROP TABLE payloads; PRAGMA user_version = 5;
    ALTER TABLE identity DROP COLUMN epoch;
    INSERT INTO open_round VALUES (1, 10, '${JSON.stringify({ ...ROUND, round: 10 })}');
    INSERT INTO updates (round, device, seq, bytes, payload) VALUES (10, 'a', 7, 3, x'010203');
    INSERT INTO updates (round, device, seq, bytes, taken_in, payload) VALUES (9, 'late', 6, 1, 10, x'04');`);
  const carried = open(t, path);
  const held = carried.updates().map(({ key, payload }) => [key.round, key.device, key.seq, [...payload]]);
  assert.deepEqual(held, [
    [10, 'a', 7, [1, 2, 3]],
    [9, 'late', 6, [4]],
  ]);
  assert.equal(carried.accept({ round: 9, device: 'late', seq: 6 }, Uint8Array.of(4), 10), 'duplicate');
  assert.equal(carried.counted(9).length, 300);
});

test('the oldest closed rounds are forgotten, few enough at a time, and the file keeps its size', (t) => {
  const path = temporaryPath(t);
  const names = Array.from({ length: 40 }, (_, i) => `board-${i}`);
  let store = openSqliteStore(path, TINY_SPEC, 'normal');
  t.after(() => store.dispose());
  store.begin(globalOf(0, true));
  const play = (from: number, to: number) => {
    for (let round = from; round < to; round++) {
      store.open({ ...ROUND, kind: 'training', round, asked: names });
      for (const device of names) store.accept({ round, device, seq: round }, Uint8Array.of(1));
      if (round > 0) store.accept({ round: round - 1, device: 'late', seq: round }, Uint8Array.of(1), round);
      store.reject('late', 'late');
      const record = { ...recordOf(round), devices: names };
      store.close({ record, global: globalOf(round, true), boards: [] });
    }
  };
  play(0, 700);
  assert.equal(readArchivedRound(path, 0).updates.length, 40, 'all are kept unless asked otherwise');
  store.dispose();

  store = openSqliteStore(path, TINY_SPEC, 'normal', 120);
  play(700, 701);
  const oldest = () => {
    let round = 0;
    while (store.counted(round).length === 0) round++;
    return round;
  };
  assert.ok(oldest() > 200 && oldest() < 300, `one close has forgotten ${oldest()} rounds`);
  play(701, 703);
  assert.equal(oldest(), 583);
  const bytes = () => {
    const db = new Database(path, { readonly: true });
    const pages = Number(db.pragma('page_count', { simple: true }));
    db.close();
    return 4096 * pages;
  };
  const before = bytes();
  play(703, 1000);
  assert.equal(oldest(), 880);
  assert.ok(bytes() === before, `${before} bytes, then ${bytes()}`);
  assert.deepEqual([store.rejections(879), store.rejections(880)], [{}, { late: 1 }]);

  assert.throws(() => readArchivedRound(path, 3), {
    code: 'input-missing',
    message: 'round 3 was forgotten',
    hint: /keepRounds/,
  });
  assert.throws(() => readArchivedRound(path, 1000), { message: 'round 1000 has not closed' });
  assert.equal(readArchivedRound(path, 880).updates.length, 41);
  const history = openHistory(path);
  t.after(() => history.dispose());
  assert.deepEqual([history.round(3)?.facts.boards, history.round(3)?.record, history.round(1000)], [40, null, null]);
  assert.equal(history.totals().rounds, 1000);
  assert.equal(history.boards().find(({ device }) => device === 'board-7')?.counted, 1000);
});

test('what may still come late is known, however few rounds are to be remembered', (t) => {
  const store = openSqliteStore(temporaryPath(t), TINY_SPEC, 'normal', 1);
  t.after(() => store.dispose());
  store.begin(globalOf(0, true));
  for (let round = 0; round < 150; round++) {
    store.open({ ...ROUND, kind: 'training', round });
    store.accept({ round, device: 'a', seq: round }, Uint8Array.of(1));
    if (round === 149) {
      const late = round - MAX_LATE_ROUNDS;
      assert.equal(store.accept({ round: late, device: 'a', seq: late }, Uint8Array.of(1), round), 'duplicate');
      assert.equal(store.isCounted({ round: late - 1, device: 'a', seq: late - 1 }), false);
    }
    store.close({ record: recordOf(round), global: globalOf(round, true), boards: [] });
  }
});
