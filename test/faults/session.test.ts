/** A board's session when links, brokers, aggregators and boards fail: every committed update is settled once, and counted at most once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentStore } from '../../agent/store/agent-store.ts';
import type { RoundTrainer } from '../../agent/sync/session.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMemoryBroker } from '../../core/link/memory.ts';
import { REFERENCE_NETWORK } from '../../core/model/spec.ts';
import {
  committingTrainer,
  databasePath,
  eventually,
  type FakeBoard,
  planFor,
  startAggregator,
  startBoard,
  TINY_SPEC,
  TOPICS,
} from '../fixtures/fake-fleet.ts';

const LIMIT = { timeout: 30_000 };

function settledSum(board: FakeBoard): Record<string, number> {
  return Object.fromEntries(
    board.store.settled().map(({ outcome, reason, count }) => [`${outcome} ${reason}`.trim(), count]),
  );
}

test('a quiet run: each round trained once, counted once, status online then finished', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const board = await startBoard(t, broker, { resend: { baseMs: 20_000, capMs: 20_000 } });
  for (let round = 0; round < 3; round++) {
    await aggregator.openRound(planFor(round, round === 0 ? 'statistics' : 'training'));
    await aggregator.until(() => aggregator.counted.size === round + 1);
    await aggregator.closeRound();
  }
  await eventually(() => board.store.pending().length === 0);
  await aggregator.openRound(planFor(3, 'finished'));
  await board.session.finished;
  await aggregator.until(() => aggregator.statuses.get('board-1')?.at(-1) === 'finished');
  assert.deepEqual(board.trained, [0, 1, 2]);
  assert.deepEqual(settledSum(board), { counted: 3 });
  assert.deepEqual([...aggregator.counted.values()], [1, 1, 1], 'nothing was sent twice');
  assert.equal(aggregator.statuses.get('board-1')?.[0], 'online');
});

for (const seed of [1, 2, 3, 4, 5, 6]) {
  test(
    `loss, duplicates, reordering, delay (seed ${seed}): each update is settled once, as the aggregator counted it`,
    LIMIT,
    async (t) => {
      const broker = createMemoryBroker({ seed, loss: 0.2, duplicate: 0.2, reorder: 0.3, delayMs: 2 });
      const aggregator = await startAggregator(t, broker);
      const boards = await Promise.all([1, 2, 3].map((n) => startBoard(t, broker, { device: `board-${n}`, seed: n })));
      const rounds = 5;
      for (let round = 0; round < rounds; round++) {
        await aggregator.openRound(planFor(round));
        // Two of three make the quorum: the third may come late.
        const inRound = () => [...aggregator.counted.keys()].filter((key) => key.startsWith(`${round}/`)).length;
        await aggregator.until(() => inRound() >= (round === rounds - 1 ? 3 : 2));
        broker.cut(`board-${1 + (round % 3)}`);
        await aggregator.closeRound();
      }
      await aggregator.openRound(planFor(rounds, 'finished'));
      for (const board of boards) {
        await eventually(() => board.store.pending().length === 0);
        const { counted = 0, ...rejected } = settledSum(board);
        const committed = board.store.checkpoint()?.seq ?? 0;
        assert.equal(counted + Object.values(rejected).reduce((a, b) => a + b, 0), committed);
        assert.deepEqual(
          Object.keys(rejected).filter((name) => name !== 'rejected late'),
          [],
        );
        assert.equal([...aggregator.counted.keys()].filter((key) => key.includes(`/${board.device}/`)).length, counted);
      }
      await Promise.all(boards.map((board) => board.session.finished));
    },
  );
}

test('killed between commit and publish: the next life sends the update and does not train again', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const path = databasePath(t);
  broker.down();
  const before = await startBoard(t, broker, { path });
  await committingTrainer(before.store).runRound(planFor(0), { version: 0 } as never, new AbortController().signal);
  await before.kill();
  broker.up();
  await aggregator.openRound(planFor(0));
  const board = await startBoard(t, broker, { path });
  await aggregator.until(() => aggregator.counted.size === 1);
  await aggregator.closeRound();
  await eventually(() => board.store.pending().length === 0);
  assert.deepEqual(board.trained, []);
  assert.deepEqual(settledSum(board), { counted: 1 });
});

test(
  'a learner that dies between commit and answer, or belonged to an earlier life: its update is sent all the same',
  LIMIT,
  async (t) => {
    const broker = createMemoryBroker();
    const aggregator = await startAggregator(t, broker);
    const trainer = (store: AgentStore): RoundTrainer => ({
      async runRound(...asked) {
        await committingTrainer(store).runRound(...asked);
        return 'already-done';
      },
    });
    const board = await startBoard(t, broker, { trainer });
    await aggregator.openRound(planFor(0));
    await aggregator.until(() => aggregator.counted.size === 1);
    await committingTrainer(board.store).runRound(planFor(1), { version: 0 } as never, new AbortController().signal);
    await aggregator.closeRound();
    await aggregator.openRound(planFor(1));
    await aggregator.until(() => aggregator.counted.size === 2);
  },
);

test('killed after the update arrived and before its receipt: sent again, counted once', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  aggregator.mute = true;
  const path = databasePath(t);
  await aggregator.openRound(planFor(0));
  const before = await startBoard(t, broker, { path });
  await aggregator.until(() => aggregator.arrivals() >= 1);
  await before.kill();
  aggregator.mute = false;
  await aggregator.closeRound({ silently: true });
  const board = await startBoard(t, broker, { path });
  await eventually(() => board.store.pending().length === 0);
  assert.equal(aggregator.counted.size, 1);
  assert.ok(Number(aggregator.counted.get('0/board-1/1')) >= 2);
  assert.deepEqual(settledSum(board), { counted: 1 });
});

test('a receipt that is lost: the update is sent again and answered as a duplicate', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  aggregator.mute = true;
  const board = await startBoard(t, broker);
  await aggregator.openRound(planFor(0));
  await aggregator.until(() => aggregator.arrivals() >= 3);
  aggregator.mute = false;
  await eventually(() => board.store.pending()[0]?.receipt?.verdict === 'duplicate');
  await aggregator.closeRound();
  await eventually(() => board.store.pending().length === 0);
  assert.equal(aggregator.counted.size, 1);
  assert.deepEqual(settledSum(board), { counted: 1 });
});

test('round/closed is lost: the next plan makes the board ask, and a final receipt settles', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const board = await startBoard(t, broker);
  await aggregator.openRound(planFor(0));
  await eventually(() => (board.store.pending()[0]?.receipt ?? null) !== null); // accepted, or a duplicate of one that was
  await aggregator.closeRound({ silently: true });
  await aggregator.openRound(planFor(1));
  await eventually(() => settledSum(board)['counted'] === 1);
  await aggregator.until(() => aggregator.counted.has('1/board-1/2'));
  assert.equal(aggregator.counted.size, 2);
});

test('round/closed of the last round is lost: the end of the run makes the board ask', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const board = await startBoard(t, broker);
  await aggregator.openRound(planFor(0));
  await eventually(() => (board.store.pending()[0]?.receipt ?? null) !== null);
  await aggregator.openRound(planFor(0, 'finished'));
  await aggregator.closeRound({ silently: true });
  await eventually(() => board.store.pending().length === 0);
  assert.deepEqual(settledSum(board), { counted: 1 });
});

test('a round that closes without the board: its update is settled as late', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const path = databasePath(t);
  broker.down();
  const before = await startBoard(t, broker, { path });
  await committingTrainer(before.store).runRound(planFor(0), { version: 0 } as never, new AbortController().signal);
  await before.kill();
  broker.up();
  await aggregator.openRound(planFor(0));
  await aggregator.closeRound();
  const board = await startBoard(t, broker, { path });
  await eventually(() => board.store.pending().length === 0);
  assert.deepEqual(settledSum(board), { 'rejected late': 1 });
  assert.equal(aggregator.counted.size, 0);
});

test(
  'broker away while the board trains: the update waits on disk and goes out when the broker is back',
  LIMIT,
  async (t) => {
    const broker = createMemoryBroker();
    const aggregator = await startAggregator(t, broker);
    let release: () => void = () => undefined;
    let begun: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const isTraining = new Promise<void>((resolve) => (begun = resolve));
    const board = await startBoard(t, broker, {
      trainer: (store) => ({
        async runRound(plan, global, signal) {
          begun();
          await held;
          return committingTrainer(store).runRound(plan, global, signal);
        },
      }),
    });
    await aggregator.openRound(planFor(0));
    await isTraining;
    broker.down();
    release();
    await eventually(() => Number(board.store.pending()[0]?.attempts) >= 1);
    broker.up();
    await aggregator.until(() => aggregator.counted.size === 1);
    await aggregator.closeRound();
    await eventually(() => board.store.pending().length === 0);
    assert.deepEqual(settledSum(board), { counted: 1 });
  },
);

test('a newer plan ends the wait for the windows of an older one', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const asked: number[] = [];
  let begun: () => void = () => undefined;
  const isWaiting = new Promise<void>((resolve) => (begun = resolve));
  await startBoard(t, broker, {
    trainer: (store) => ({
      runRound(plan, global, signal) {
        asked.push(plan.round);
        if (plan.round === 1) return committingTrainer(store).runRound(plan, global, signal);
        begun();
        return new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason), { once: true }),
        );
      },
    }),
  });
  await aggregator.openRound(planFor(0));
  await isWaiting;
  await aggregator.closeRound();
  await aggregator.openRound(planFor(1));
  await aggregator.until(() => aggregator.counted.has('1/board-1/1'));
  assert.deepEqual(asked, [0, 1]);
});

test('the stream has ended: finished once the last update is settled, not before', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const board = await startBoard(t, broker);
  board.store.ingest({ blocks: [], windows: [], position: { nextIndex: 1, resumeAtUs: 0, streamEnded: true } });
  let isFinished = false;
  void board.session.finished.then(() => (isFinished = true));
  await aggregator.openRound(planFor(0));
  await eventually(() => (board.store.pending()[0]?.receipt ?? null) !== null); // accepted, or a duplicate of one that was
  assert.equal(isFinished, false);
  await aggregator.closeRound();
  await board.session.finished;
  await aggregator.until(() => aggregator.statuses.get('board-1')?.at(-1) === 'finished');
});

test('a board without windows for a round whose stream has ended finishes without an update', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  let asked = 0;
  const emptyHanded = async () => {
    asked++;
    return 'no-windows' as const;
  };
  const board = await startBoard(t, broker, { trainer: () => ({ runRound: emptyHanded }) });
  board.store.ingest({ blocks: [], windows: [], position: { nextIndex: 0, resumeAtUs: 0, streamEnded: true } });
  await aggregator.openRound(planFor(0));
  await board.session.finished;
  assert.equal(asked, 1);
});

test('a board that vanishes is reported offline by its will, one that stops by itself', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const lost = await startBoard(t, broker, { device: 'lost' });
  const polite = await startBoard(t, broker, { device: 'polite' });
  const last = (device: string) => aggregator.statuses.get(device)?.at(-1);
  await aggregator.until(() => last('lost') === 'online' && last('polite') === 'online');
  broker.kill('lost');
  await polite.session.stop();
  await aggregator.until(() => last('lost') === 'offline' && last('polite') === 'offline');
  await lost.kill();
});

test('a trainer that fails ends the session with its error', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const board = await startBoard(t, broker, {
    trainer: () => ({ runRound: () => Promise.reject(new AppError('backend-wrong', 'no native backend')) }),
  });
  await aggregator.openRound(planFor(0));
  await assert.rejects(board.session.finished, /no native backend/);
});

test('garbage on every downlink topic is logged and dropped; the board goes on', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const warned = new Set<string>();
  const log = { ...silentLog, warn: (fields: object) => void warned.add((fields as { topic: string }).topic) };
  await startBoard(t, broker, { log });
  const vandal = broker.transport({ clientId: 'vandal', clean: true });
  await vandal.start(new AbortController().signal);
  const all = [
    TOPICS.roundCurrent,
    TOPICS.roundClosed,
    TOPICS.globalModel,
    TOPICS.globalPrototypes,
    TOPICS.receipt('board-1'),
  ];
  for (const topic of all) await vandal.publish(topic, Uint8Array.of(0xff, 1, 2, 3), { qos: 1 });
  await aggregator.openRound(planFor(0));
  await aggregator.until(() => aggregator.counted.size === 1);
  assert.deepEqual([...warned].sort(), all.sort());
  await vandal.stop();
});

test('a global model of another shape is not trained from', LIMIT, async (t) => {
  const broker = createMemoryBroker();
  const aggregator = await startAggregator(t, broker);
  const misfits: unknown[] = [];
  const log = { ...silentLog, warn: (fields: object) => void misfits.push((fields as { misfit?: unknown }).misfit) };
  const board = await startBoard(t, broker, { log });
  await aggregator.openRound(planFor(0), { ...TINY_SPEC, ...REFERENCE_NETWORK });
  await eventually(() => misfits.length > 0);
  assert.deepEqual(misfits, ['shape hash']);
  await aggregator.openRound(planFor(1));
  await aggregator.until(() => aggregator.counted.size === 1);
  assert.deepEqual(board.trained, [1]);
});
