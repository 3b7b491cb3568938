/**
 * An aggregator that lost its database, or was given yesterday's: a real one with its embedded broker, real sessions over TCP, and
 * boards whose trainer only commits. Running boards have to follow it, and nothing of its life of before may be counted in the new one.
 */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import Database from 'better-sqlite3';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { createSession, offlineWill } from '../../agent/sync/session.ts';
import { systemClock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createRng } from '../../core/math/rng.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { topics as topicsOf } from '../../core/wire/topics.ts';
import type { Update } from '../../core/wire/update.ts';
import { parseServerConfig, type ServerConfig } from '../../server/config.ts';
import { type RunningServer, startServer, storePath } from '../../server/main.ts';
import { beginNewEpoch } from '../../server/store/new-epoch.ts';
import { answeringTrainer } from '../fixtures/delivery-fleet.ts';
import { SMALL_MODEL } from '../fixtures/http-fleet.ts';
import { freePort } from '../fixtures/tcp-port.ts';

const LIMIT = { timeout: 60_000 };
const PATIENCE_MS = 15_000;
const POLL_MS = 5;
const MODALITIES = ['acc', 'gyr'];
const FLEET = 'anew';
const OTHER_EPOCH = [{ outcome: 'set-aside', reason: 'other-epoch', count: 1 }];

interface Board {
  readonly device: string;
  readonly store: AgentStore;
  /** What the session warned of. */
  readonly warned: string[];
  stop(): Promise<void>;
}

test(
  'the database is lost: running boards begin anew with the aggregator, and nothing is counted twice or of before',
  LIMIT,
  async (t) => {
    const fleet = await startFleet(t, { boards: 2 });
    fleet.hold('a', 5);
    const boards = [await fleet.board('a'), await fleet.board('b')];
    await fleet.closed(4);
    await eventually(() => fleet.counted().some(({ round, device }) => round === 5 && device === 'b'));
    await fleet.stopServer();
    fleet.release();
    await eventually(() => boards.every(({ store }) => store.checkpoint()?.round === 5));
    const before = new Map(boards.map(({ device, store }) => [device, store.checkpoint()?.seq ?? 0]));

    rmSync(fleet.stateDir, { recursive: true });
    await fleet.startServer();
    await fleet.closed(7); // of before it had closed five
    await fleet.settled(8, boards);
    for (const { device, store, warned } of boards) {
      const counted = fleet.counted().filter((key) => key.device === device);
      assert.deepEqual(
        counted.map(({ round }) => round),
        [0, 1, 2, 3, 4, 5, 6, 7, 8],
      );
      assert.ok(
        counted.every(({ seq }) => seq > (before.get(device) as number)),
        `${device}: what is counted was made for this life`,
      );
      const { round, seq, cursor } = store.checkpoint() ?? assert.fail();
      assert.deepEqual([round, seq, cursor], [8, 6 + 9, 6 + 9 - 1]);
      assert.equal(store.windowUses().length, seq, 'a window for each update, none twice');
      assert.deepEqual(store.settled(), [{ outcome: 'counted', reason: '', count: 5 + 9 }, ...OTHER_EPOCH]);
      assert.deepEqual(warned, ['the aggregator has begun anew: so does this board']);
      assert.notEqual(store.epoch(), null);
    }
    assert.equal(new Set(boards.map(({ store }) => store.epoch())).size, 1);
  },
);

test('an update that waited through the loss is not counted in the same round of the new life', LIMIT, async (t) => {
  const fleet = await startFleet(t, { boards: 1 });
  fleet.hold('a', 3);
  const a = await fleet.board('a');
  await eventually(() => fleet.held('a'));
  await fleet.stopServer();
  fleet.release();
  await eventually(() => a.store.checkpoint()?.round === 3);
  await a.stop();
  assert.deepEqual(keysWaiting(a), ['3/4']);

  rmSync(fleet.stateDir, { recursive: true });
  fleet.hold('b', 3);
  await fleet.startServer();
  await fleet.board('b');
  await eventually(() => fleet.held('b'));
  const again = await fleet.board('a');
  await eventually(() => again.store.settled().some(({ outcome }) => outcome === 'set-aside') || fleet.has('a', 3));
  await eventually(() => fleet.has('a', 3));
  assert.deepEqual(
    fleet
      .counted()
      .filter(({ device, round }) => device === 'a' && round === 3)
      .map(({ seq }) => seq),
    [5],
    'the one that was made for this round of this life',
  );
  fleet.release();
  await fleet.closed(4);
  await eventually(() => again.store.settled().some(({ outcome }) => outcome === 'set-aside'));
  assert.deepEqual(
    again.store.settled().filter(({ outcome }) => outcome === 'set-aside'),
    OTHER_EPOCH,
  );
});

test(
  "yesterday's database is restored: the aggregator says what to do, and after a new epoch boards follow it",
  LIMIT,
  async (t) => {
    const fleet = await startFleet(t, { boards: 2 });
    fleet.hold('a', 4);
    const boards = [await fleet.board('a'), await fleet.board('b')];
    await eventually(() => fleet.held('a') && fleet.has('b', 4));
    const backup = `${fleet.stateDir}-backup`; // in the folder that goes when the test ends
    cpSync(fleet.stateDir, backup, { recursive: true }); // round 4 is open, and has one update
    fleet.release();
    fleet.hold('a', 9);
    fleet.hold('b', 9);
    await eventually(() => fleet.held('a') && fleet.held('b'));
    await fleet.stopServer();
    assert.throws(() => beginNewEpoch(join(fleet.stateDir, 'elsewhere')), { code: 'input-missing' });
    rmSync(fleet.stateDir, { recursive: true });
    cpSync(backup, fleet.stateDir, { recursive: true });
    fleet.release();
    await fleet.startServer();
    await eventually(() => fleet.errors.includes('boards are ahead of this database: was it restored?'));
    assert.equal(fleet.lastRound(), 3, 'without a new epoch boards stand still');
    assert.throws(() => beginNewEpoch(storePath(fleet.stateDir)), { code: 'state-in-use' });
    await fleet.stopServer();

    const { from, epoch, round, dropped } = beginNewEpoch(storePath(fleet.stateDir));
    assert.deepEqual([from, round, dropped], [boards[0]?.store.epoch(), 4, 1]);
    await fleet.startServer();
    await fleet.settled(9, boards);
    for (const { device, store, warned } of boards) {
      assert.equal(store.epoch(), epoch);
      const seqs = fleet.counted().flatMap((key) => (key.device === device ? key.seq : []));
      assert.deepEqual(seqs, [
        1,
        2,
        3,
        4,
        ...Array.from({ length: 6 }, (_, i) => (store.checkpoint()?.seq ?? 0) - 5 + i),
      ]);
      assert.equal(store.windowUses().length, store.checkpoint()?.seq);
      // What waited is asked about before the new epoch, as of a round that this database does not know.
      assert.deepEqual(
        warned.filter((message) => message !== 'update rejected'),
        ['the aggregator has begun anew: so does this board'],
      );
    }
  },
);

function keysWaiting({ device }: Board): string[] {
  return lastOutbox.get(device) ?? [];
}

/** Gives up, so that a failure ends: a test's own time limit leaves what it waits for waiting. */
async function eventually(condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (condition()) return;
    await systemClock.sleep(POLL_MS);
  }
  assert.fail(`waited in vain: ${condition}`);
}

/** What waited when a board was stopped. */
const lastOutbox = new Map<string, string[]>();

async function startFleet(t: TestContext, { boards }: { readonly boards: number }) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-anew-'));
  const stateDir = join(folder, 'server');
  const port = await freePort();
  const config: ServerConfig = parseServerConfig(
    {
      ...{ stateDir, fleet: FLEET, durability: 'normal', model: SMALL_MODEL },
      broker: { listen: `127.0.0.1:${port}` },
      http: { listen: 'off' },
      rounds: { boards, quorum: 1, deadlineS: 0, max: 9 },
    },
    'test',
  );
  const gate = createGate();
  const errors: string[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_fields, message) => void errors.push(message),
  };
  let server: RunningServer | null = null;
  const stopServer = async () => {
    await server?.stop();
    server = null;
  };
  const startServerAgain = async () => {
    server = await startServer({ config, clock: systemClock, log, evaluation: null });
  };
  const running: Board[] = [];
  t.after(async () => {
    gate.release();
    await Promise.all(running.map((board) => board.stop()));
    await stopServer();
    rmSync(folder, { recursive: true });
  });
  const asked = <T>(sql: string): T[] => {
    const path = storePath(stateDir);
    if (!existsSync(path)) return [];
    const db = new Database(path, { readonly: true });
    try {
      return db.prepare<[], T>(sql).all();
    } finally {
      db.close();
    }
  };
  const counted = () =>
    asked<{ round: number; device: string; seq: number }>(
      'SELECT round, device, seq FROM updates ORDER BY device, round',
    );
  const lastRound = () => asked<{ last: number | null }>('SELECT max(round) AS last FROM records')[0]?.last ?? -1;
  await startServerAgain();
  return {
    stateDir,
    errors,
    counted,
    lastRound,
    ...gate,
    startServer: startServerAgain,
    stopServer,
    has: (device: string, round: number) => counted().some((key) => key.device === device && key.round === round),
    closed: (round: number) => eventually(() => lastRound() >= round),
    /** The round has closed, and no outbox has anything of it or before. */
    settled: (round: number, all: readonly Board[]) =>
      eventually(
        () => lastRound() >= round && all.every(({ store }) => store.outgoing().every((row) => row.round > round)),
      ),
    async board(device: string) {
      const url = `mqtt://127.0.0.1:${port}`;
      const board = await startBoard(device, join(folder, `${device}.sqlite`), url, gate.pass);
      running.push(board);
      return board;
    },
  };
}

/** Trainers of one device from one round on wait here until all are let go. */
function createGate() {
  const holds = new Map<string, number>();
  const waiting = new Map<string, () => void>();
  return {
    hold: (device: string, round: number) => void holds.set(device, round),
    held: (device: string) => waiting.has(device),
    release() {
      holds.clear();
      for (const go of waiting.values()) go();
      waiting.clear();
    },
    pass: (device: string, { round }: RoundPlan) =>
      round < (holds.get(device) ?? Infinity)
        ? Promise.resolve()
        : new Promise<void>((resolve) => void waiting.set(device, resolve)),
  };
}

async function startBoard(
  device: string,
  path: string,
  url: string,
  onPlan: (device: string, plan: RoundPlan) => Promise<void>,
): Promise<Board> {
  const store = openAgentStore(path);
  const topics = topicsOf(FLEET);
  const warned: string[] = [];
  const log: Log = {
    debug: () => undefined,
    info: () => undefined,
    warn: (_fields, message) => void warned.push(message),
    error: () => undefined,
  };
  const random = createRng(device).next;
  const transport = createMqttTransport({
    ...{ url, clientId: device, clean: false, startup: 'require', clock: systemClock, random },
    will: offlineWill(topics, device, MODALITIES),
    backoff: { baseMs: 20, capMs: 100 },
  });
  const session = createSession({
    ...{ transport, topics, device, modalities: MODALITIES, store, clock: systemClock, random, log },
    trainer: answeringTrainer(device, store, new Map<string, Update>(), onPlan),
    resend: { baseMs: 50, capMs: 200 },
    refreshMs: 200,
  });
  session.finished.catch((error: unknown) => assert.fail(String(error)));
  await transport.start(new AbortController().signal);
  await session.start(new AbortController().signal);
  let isOver = false;
  const stop = async () => {
    if (isOver) return;
    isOver = true;
    await session.stop();
    await transport.stop();
    lastOutbox.set(
      device,
      store.outgoing().map(({ round, seq }) => `${round}/${seq}`),
    );
    store.close();
  };
  return { device, store, warned, stop };
}
