/** The HTTP API where there is much to tell: 1000 boards, 100,000 rounds, listeners that do not read. Figures are printed. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { type TestContext, test } from 'node:test';
import Database from 'better-sqlite3';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createFleetWatch } from '../../server/fleet-watch.ts';
import { createApp } from '../../server/http/app.ts';
import { createHttpServer } from '../../server/http/http-server.ts';
import { firstGlobal } from '../../server/next-global.ts';
import type { BoardReport, RoundRecord } from '../../server/record.ts';
import { openHistory } from '../../server/store/history.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { qqr } from '../../server/strategies/qqr.ts';
import { readEvents } from '../fixtures/event-reader.ts';
import { getJson } from '../fixtures/http-fleet.ts';
import { sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';

const LIMIT = { timeout: 120_000 };

function recordOf(round: number, devices: readonly string[]): RoundRecord {
  const accuracy = 1 - 1 / (round + 2);
  return {
    ...{ round, kind: round === 0 ? 'statistics' : 'training', version: round, devices, rejected: { late: round % 3 } },
    durationMs: 1000,
    bytes: { prototypes: 100, model: 900, payload: 1000, fp32: 80_000 },
    modalities: { acc: { meanQuality: 0.9, missingShare: 0 }, gyr: { meanQuality: null, missingShare: 1 } },
    online: round === 0 ? null : { accuracy, loss: 0.5, count: 10 },
    evaluation: round % 10 === 0 ? { clean: accuracy, missing: { acc: 0.5, gyr: 0.6 }, degraded: {} } : null,
  };
}

/** A store with these many boards and rounds behind a real server; nothing is conducted, the test tells the watch what happens. */
async function shownFleet(
  t: TestContext,
  boards: number,
  rounds: number,
  fill?: (path: string) => void,
  keepRounds = 0,
) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-shown-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'rounds.sqlite');
  fill?.(path);
  const store = openSqliteStore(path, TINY_SPEC, 'normal', keepRounds);
  const names = Array.from({ length: boards }, (_, i) => `board-${String(i).padStart(4, '0')}`);
  const global = { ...firstGlobal(TINY_SPEC, 1), version: rounds };
  for (let round = 0; round < rounds; round++) {
    store.open({ round, kind: 'training', modelVersion: round, asked: names });
    for (const device of names) store.accept({ round, device, seq: round }, Uint8Array.of(1, 2, 3));
    const reports = names.map((device): BoardReport => {
      const modalities = TINY_SPEC.modalities.map(() => ({ windowsPresent: 10, quality: 0.9371, why: null }));
      return {
        device,
        arrivedMs: 12.5,
        windows: 10,
        backlog: 3,
        online: { correct: 8, count: 10, lossSum: 3 },
        modalities,
      };
    });
    const boards = names.map((device) => ({ device, ended: false, norm: null, wasClipped: false }));
    store.close({ record: recordOf(round, names), global, boards, reports, closedAtMs: Date.now() });
  }
  const watch = createFleetWatch(systemClock, store.lastRecord());
  watch.link(true);
  for (const device of names) watch.heard({ device, state: 'online', modalities: ['acc', 'gyr'] }, false);
  const history = openHistory(path);
  const settings = { host: '127.0.0.1', port: 0, token: null, needsTokenToRead: false, hosts: null };
  const unable = () => assert.fail('nobody asked for that');
  const operator = { closeRound: unable, pause: unable, resume: unable, isPaused: () => false, forget: unable };
  const window = {
    ...{ fleet: 'shown', spec: TINY_SPEC, settings: qqr.settings, deadlineMs: 0, view: watch, operator, history },
    ...{ hasHoldout: false, global: () => global, predictions: () => null },
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    brokerCounts: () => null,
    certificateEnds: async () => ({}),
    probeStore: () => store.probe(),
  };
  const app = createApp({ window, settings, staticFiles: (_, next) => next(), clock: systemClock, log: silentLog });
  const server = createHttpServer(app, settings, { clock: systemClock, log: silentLog });
  await server.start(new AbortController().signal);
  t.after(async () => {
    await server.stop();
    history.dispose();
    store.dispose();
  });
  return { url: server.url(), watch, store, names, streams: app.streams };
}

interface Timed {
  readonly medianMs: number;
  readonly cpuMs: number;
  readonly bytes: number;
}

/** Milliseconds that some requests take at the median, what one costs both ends in processor time, and the size of the answer. */
async function timed(url: string, times = 7): Promise<Timed> {
  const tries: number[] = [];
  let bytes = 0;
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) {
    const begin = performance.now();
    const response = await fetch(url);
    assert.equal(response.status, 200, url);
    bytes = (await response.arrayBuffer()).byteLength;
    tries.push(performance.now() - begin);
  }
  const { user, system } = process.cpuUsage(before);
  const cpuMs = (user + system) / 1000 / times;
  return { medianMs: tries.sort((a, b) => a - b)[Math.floor(times / 2)] as number, cpuMs, bytes };
}

const shown = ({ medianMs, cpuMs, bytes }: Timed) =>
  `${medianMs.toFixed(1)} ms (${cpuMs.toFixed(1)} ms of processor), ${Math.round(bytes / 1000)} kB`;

test('1000 boards: the list, the metrics and an event for each are a matter of a moment', LIMIT, async (t) => {
  const { url, watch, names } = await shownFleet(t, 1000, 30);
  const list = await timed(`${url}/api/v1/devices`);
  const metrics = await timed(`${url}/metrics`);
  t.diagnostic(`list ${shown(list)}; metrics ${shown(metrics)}; fleet ${shown(await timed(`${url}/api/v1/fleet`))}`);
  t.diagnostic(
    `round ${shown(await timed(`${url}/api/v1/rounds/29`))}; board ${shown(await timed(`${url}/api/v1/devices/board-0500`))}`,
  );
  assert.ok(list.cpuMs < 500 && list.bytes < 1_500_000, shown(list));
  assert.ok(metrics.cpuMs < 500 && metrics.bytes < 1_500_000, shown(metrics));
  const board = `${url}/api/v1/devices/board-0500`;
  let slowest = 0;
  for (let i = 0; i < 5; i++) {
    await timed(`${url}/api/v1/devices`, 1);
    slowest = Math.max(slowest, (await timed(board, 1)).cpuMs);
  }
  t.diagnostic(`a board's page while others look at the list: ${slowest.toFixed(0)} ms of processor at most`);
  assert.ok(slowest < 60, `${slowest} ms`);
  const { devices, next } = await getJson<{ devices: { device: string }[]; next: string }>(
    `${url}/api/v1/devices?limit=10&after=board-0099`,
  );
  assert.deepEqual([devices[0]?.device, devices.length, next], ['board-0100', 10, 'board-0109']);

  const readers = await Promise.all(Array.from({ length: 10 }, () => readEvents(`${url}/api/v1/events`)));
  watch.opened({ round: 30, kind: 'training', modelVersion: 30, asked: names }, []);
  const begin = performance.now();
  for (const device of names) watch.counted({ ...sampleUpdate({ spec: TINY_SPEC }), device, round: 30 }, 3000);
  await Promise.all(readers.map((reader) => reader.until(({ data }) => data['device'] === names.at(-1))));
  t.diagnostic(`1000 events to 10 listeners: ${(performance.now() - begin).toFixed(0)} ms`);
  for (const reader of readers) {
    assert.equal(reader.events.filter(({ type }) => type === 'update-counted').length, 1000);
    reader.stop();
  }
  const during = await getJson<{ devices: { hasAnswered: boolean; lastRound: number; counted: number }[] }>(
    `${url}/api/v1/devices`,
  );
  assert.ok(during.devices.every((one) => one.hasAnswered && one.lastRound === 30 && one.counted === 31));
});

test('100,000 rounds of an older store: carried over, and pages and curves stay small', LIMIT, async (t) => {
  const ROUNDS = 100_000;
  const { url } = await shownFleet(t, 0, 0, (path) => {
    openSqliteStore(path, TINY_SPEC, 'normal').dispose();
    const db = new Database(path);
    for (const table of ['round_facts', 'round_values', 'reports', 'board_totals', 'payloads'])
      db.exec(`DROP TABLE ${table}`);
    db.exec('ALTER TABLE updates ADD COLUMN payload BLOB; ALTER TABLE identity DROP COLUMN epoch');
    db.pragma('user_version = 4'); // the schema before these tables
    const [record, update] = [
      db.prepare('INSERT INTO records VALUES (?, ?)'),
      db.prepare('INSERT INTO updates (round, device, seq, bytes) VALUES (?, ?, ?, ?)'),
    ];
    db.transaction(() => {
      for (let round = 0; round < ROUNDS; round++) {
        record.run(round, JSON.stringify(recordOf(round, ['a', 'b'])));
        for (const device of ['a', 'b']) update.run(round, device, round, 500);
      }
    })();
    db.close();
    const begin = performance.now();
    openSqliteStore(path, TINY_SPEC, 'normal').dispose();
    t.diagnostic(`carried over in ${(performance.now() - begin).toFixed(0)} ms`);
  });
  const page = await timed(`${url}/api/v1/rounds?limit=200`);
  const curves = await timed(`${url}/api/v1/series`);
  const longest = await timed(`${url}/api/v1/series?from=50000`, 3);
  const board = await timed(`${url}/api/v1/devices/a?limit=1000`, 3);
  t.diagnostic(
    `page ${shown(page)}; curves ${shown(curves)}; 50,000 rounds ${shown(longest)}; a board ${shown(board)}`,
  );
  for (const one of [page, curves, board]) assert.ok(one.cpuMs < 400 && one.bytes < 300_000, shown(one));
  assert.ok(longest.cpuMs < 3000 && longest.bytes < 100_000, shown(longest));
  assert.equal((await fetch(`${url}/api/v1/series?from=0`)).status, 400, 'more than one query may span');
  const fleet = await timed(`${url}/api/v1/fleet`);
  t.diagnostic(`fleet ${shown(fleet)}`);
  const { totals } = await getJson<{ totals: object }>(`${url}/api/v1/fleet`);
  assert.deepEqual(totals, { rounds: ROUNDS, payloadBytes: ROUNDS * 1000, fp32Bytes: ROUNDS * 80_000 });
  const { device } = await getJson<{ device: { counted: number; bytes: number; lastRound: number } }>(
    `${url}/api/v1/devices/a`,
  );
  assert.deepEqual([device.counted, device.bytes, device.lastRound], [ROUNDS, 500 * ROUNDS, ROUNDS - 1]);
  const { columns, rounds } = await getJson<{ rounds: number[]; columns: Record<string, (number | null)[]> }>(
    `${url}/api/v1/series?from=90&to=99&points=2`,
  );
  assert.deepEqual(rounds, [94, 99]);
  assert.deepEqual(columns['clean'], [1 - 1 / 92, null]);
  assert.deepEqual(columns['refused'], [0.8, 1]);
  assert.deepEqual(columns['missing/gyr'], [0.6, null]);
});

test('a listener that does not read is dropped, and the others go on', LIMIT, async (t) => {
  const { url, watch, streams } = await shownFleet(t, 1, 1);
  const { port } = new URL(url);
  const idle = connect(Number(port), '127.0.0.1');
  t.after(() => idle.destroy());
  const hungUp = new Promise((resolve) => idle.once('close', resolve).once('error', resolve));
  idle.pause();
  idle.write(`GET /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
  const reader = await readEvents(`${url}/api/v1/events`);
  t.after(() => reader.stop());
  while (streams.count() < 2) await new Promise((resolve) => setImmediate(resolve));
  const update = { ...sampleUpdate({ spec: TINY_SPEC }), device: 'x' };
  let pushed = 0;
  while (streams.dropped() === 0 && pushed < 200_000) {
    for (let i = 0; i < 100; i++, pushed++) watch.counted(update, 3000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.diagnostic(`dropped after ${pushed} events`);
  assert.equal(streams.dropped(), 1);
  assert.equal(streams.count(), 1);
  let heard = '';
  idle.on('data', (bytes) => {
    heard += bytes;
  });
  idle.resume();
  await hungUp; // what lay in the sockets has come; what waited in the aggregator is gone
  const events = heard.split('event: update-counted').length - 1;
  assert.ok(events < pushed - 1000, `${events} of ${pushed} events`);
  watch.link(false);
  await reader.until(({ type, data }) => type === 'link' && data['isUp'] === false);
  assert.ok(reader.events.length >= pushed);
});

test('there is room for a bounded number of listeners', LIMIT, async (t) => {
  const { url, streams } = await shownFleet(t, 0, 0);
  const readers = await Promise.all(Array.from({ length: 64 }, () => readEvents(`${url}/api/v1/events`)));
  const refused = await fetch(`${url}/api/v1/events`);
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, 'too-many');
  for (const reader of readers) reader.stop();
  while (streams.count() > 0) await new Promise((resolve) => setImmediate(resolve));
});

test('not ready without the link or the store, alive all the same', LIMIT, async (t) => {
  const { url, watch, store } = await shownFleet(t, 1, 1);
  const ready = async () => {
    const response = await fetch(`${url}/readyz`);
    return [response.status, ((await response.json()) as { code?: string }).code];
  };
  watch.link(false);
  assert.deepEqual(await ready(), [503, 'not-ready']);
  watch.link(true);
  store.dispose();
  assert.deepEqual(await ready(), [503, 'storage-failed']);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
});

test('a round that was forgotten is told as such, and stays in the list and in curves', LIMIT, async (t) => {
  const { url } = await shownFleet(t, 2, 130, undefined, 100);
  const told = async (round: number) =>
    (await (await fetch(`${url}/api/v1/rounds/${round}`)).json()) as Record<string, unknown>;
  const problem = await told(3);
  assert.deepEqual([problem['status'], problem['code']], [404, 'not-found']);
  assert.match(String(problem['detail']), /^round 3 was forgotten: .*rounds\.keepRounds/);
  assert.equal((await told(130))['detail'], 'no such round has closed');
  const kept = await getJson<{ updates: unknown[] }>(`${url}/api/v1/rounds/30`);
  assert.equal(kept.updates.length, 2);
  const { rounds } = await getJson<{ rounds: { round: number }[] }>(`${url}/api/v1/rounds?before=4`);
  assert.deepEqual(
    rounds.map(({ round }) => round),
    [3, 2, 1, 0],
  );
});
