/** When the outbox sends: by a clock that the test moves, so that pauses are seen exactly. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { createPublisher, type Publisher } from '../../agent/sync/publisher.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';
import type { Receipt } from '../../core/wire/downlink.ts';
import { topics } from '../../core/wire/topics.ts';
import { createManualClock, type ManualClock } from '../fixtures/manual-clock.ts';
import { temporaryPath } from '../fixtures/stored-motion.ts';

const RESEND = { baseMs: 1000, capMs: 60_000 };

interface Scene {
  readonly store: AgentStore;
  readonly clock: ManualClock;
  readonly publisher: Publisher;
  /** Times of the sends, milliseconds, with what was sent. */
  readonly sent: { readonly atMs: number; readonly payload: number }[];
  readonly link: { isUp: boolean; answers: Promise<void> };
  reconnect(): void;
  start(): void;
}

function scene(t: TestContext, random: () => number, path = temporaryPath(t), outboxBytes = 1000): Scene {
  const store = openAgentStore(path);
  const clock = createManualClock();
  const sent: Scene['sent'] = [];
  const link = { isUp: true, answers: Promise.resolve() };
  let onState: (connected: boolean) => void = () => undefined;
  const transport: Transport = {
    start: async () => undefined,
    stop: async () => undefined,
    subscribe: async () => undefined,
    onState(listener) {
      onState = listener;
    },
    reconnect: () => undefined,
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    async publish(_topic, payload) {
      sent.push({ atMs: clock.nowMs(), payload: Number(payload[0]) });
      await link.answers;
      if (!link.isUp) throw new AppError('link-unavailable', 'down');
    },
  };
  const publisher = createPublisher({
    transport,
    topics: topics('test'),
    device: 'board',
    store,
    clock,
    random,
    resend: RESEND,
    outboxBytes,
    onSent: () => undefined,
    onSettled: () => undefined,
    log: silentLog,
  });
  const stopping = new AbortController();
  let running: Promise<void> = Promise.resolve();
  t.after(async () => {
    stopping.abort();
    await running;
    store.close();
  });
  return {
    store,
    clock,
    publisher,
    sent,
    link,
    reconnect: () => onState(true),
    start() {
      running = publisher.run(stopping.signal).catch((error: unknown) => assert.equal(error, stopping.signal.reason));
    },
  };
}

function commit(store: AgentStore, round: number, bytes = 1): void {
  const empty = new Float32Array(0);
  const checkpoint = { round, cursor: round, seq: round, modelVersion: 0, params: empty, residual: empty };
  store.commitTraining(checkpoint, { round, seq: round, payload: new Uint8Array(bytes).fill(round) }, [round]);
}

const receipt = (round: number, more: Partial<Receipt> = {}): Receipt => ({
  round,
  seq: round,
  verdict: 'accepted',
  reason: null,
  final: false,
  ...more,
});
const gaps = (times: readonly number[]) => times.slice(1).map((time, i) => time - Number(times[i]));

test('without a receipt the pauses double up to the cap, above a fixed wait for the receipt', async (t) => {
  const { store, clock, sent, start } = scene(t, () => 1);
  commit(store, 1);
  start();
  await clock.advance(400_000);
  assert.deepEqual(
    gaps(sent.map(({ atMs }) => atMs)),
    [2000, 3000, 5000, 9000, 17_000, 33_000, 61_000, 61_000, 61_000, 61_000, 61_000],
  );
  assert.equal(store.pending()[0]?.attempts, sent.length);
});

test('the pause is jittered in full: with the least draw only the wait for the receipt remains', async (t) => {
  const { store, clock, sent, start } = scene(t, () => 0);
  commit(store, 1);
  start();
  await clock.advance(5000);
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 1000, 2000, 3000, 4000, 5000],
  );
});

test('receipts that take long are waited for longer', async (t) => {
  const { store, clock, publisher, sent, start } = scene(t, () => 0);
  commit(store, 1);
  start();
  await clock.advance(900);
  publisher.onReceipt(receipt(1, { final: true }));
  commit(store, 2);
  publisher.wake();
  await clock.advance(3000);
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 900, 900 + 900 + 4 * 450], // RFC 6298: of one delay, half of it is the variation
  );
});

test('accepted and its round open: not sent again; when the fleet moves on without a word: sent again', async (t) => {
  const { store, clock, publisher, sent, start } = scene(t, () => 1);
  commit(store, 1);
  publisher.atRound(1);
  start();
  await clock.advance(10);
  publisher.onReceipt(receipt(1));
  await clock.advance(10_000_000);
  assert.equal(sent.length, 1);
  publisher.atRound(2);
  await clock.advance(10);
  assert.equal(sent.length, 2);
  publisher.onReceipt(receipt(1, { verdict: 'duplicate', final: true }));
  await clock.advance(10_000_000);
  assert.equal(sent.length, 2);
  assert.deepEqual(store.settled(), [{ outcome: 'counted', reason: '', count: 1 }]);
});

test('after the aggregator has begun anew an accepted update of an early round waits for its closing, as one of the first life did', async (t) => {
  const { store, clock, publisher, sent, start } = scene(t, () => 1);
  store.adoptEpoch('b'.repeat(16));
  commit(store, 7);
  publisher.atRound(7, { lateRounds: 3 });
  start();
  await clock.advance(10);
  const adoption = store.adoptEpoch('a'.repeat(16)) ?? assert.fail();
  assert.ok(adoption.kind === 'new');
  publisher.beginAnew(adoption.aside);
  await clock.advance(10_000_000);
  assert.equal(sent.length, 1, 'what was set aside is not sent');
  const empty = new Float32Array(0);
  const checkpoint = { round: 2, cursor: 8, seq: 8, modelVersion: 0, params: empty, residual: empty };
  store.commitTraining(checkpoint, { round: 2, seq: 8, payload: Uint8Array.of(2) }, [8]);
  publisher.atRound(2);
  await clock.advance(10);
  publisher.onReceipt({ ...receipt(2), seq: 8 });
  await clock.advance(10_000_000);
  assert.deepEqual(
    sent.map(({ payload }) => payload),
    [7, 2],
  );
});

test('a rejection settles with its reason; a second one changes nothing', async (t) => {
  const { store, publisher } = scene(t, () => 1);
  commit(store, 1);
  publisher.onReceipt(receipt(1, { verdict: 'rejected', reason: 'norm-too-large', final: true }));
  publisher.onReceipt(receipt(1, { verdict: 'rejected', reason: 'late', final: true }));
  publisher.onClosed({ round: 1, accepted: [] });
  assert.deepEqual(store.settled(), [{ outcome: 'rejected', reason: 'norm-too-large', count: 1 }]);
});

test('round/closed settles by this device and sequence number only', async (t) => {
  const { store, publisher } = scene(t, () => 1);
  for (const round of [1, 2]) commit(store, round);
  publisher.onClosed({
    round: 1,
    accepted: [
      { device: 'other', seq: 1 },
      { device: 'board', seq: 1 },
    ],
  });
  assert.deepEqual(
    store.pending().map(({ round }) => round),
    [2],
  );
  publisher.onClosed({
    round: 2,
    accepted: [
      { device: 'other', seq: 2 },
      { device: 'board', seq: 1 },
    ],
  });
  assert.deepEqual(store.settled(), [
    { outcome: 'counted', reason: '', count: 1 },
    { outcome: 'rejected', reason: 'late', count: 1 },
  ]);
});

test('accepted, then a round/closed that does not list it: kept, and asked about when the fleet moves on', async (t) => {
  const { store, publisher } = scene(t, () => 1);
  commit(store, 1);
  publisher.onReceipt(receipt(1));
  publisher.onClosed({ round: 1, accepted: [] });
  assert.equal(store.pending().length, 1);
});

test('where late updates count, a round/closed without the key settles nothing, and a later one that lists it does', async (t) => {
  const { store, clock, publisher, sent, start } = scene(t, () => 1);
  for (const round of [1, 2]) commit(store, round);
  publisher.atRound(1, { lateRounds: 2 });
  publisher.onClosed({ round: 1, accepted: [] });
  assert.equal(store.pending().length, 2);
  publisher.atRound(2, { lateRounds: 2 });
  start();
  await clock.advance(10);
  assert.ok(sent.some(({ payload }) => payload === 1));
  publisher.onReceipt(receipt(1));
  // Of the same number in another round, or another board's, it says nothing.
  publisher.onClosed({
    round: 3,
    accepted: [
      { device: 'board', seq: 1 },
      { device: 'other', seq: 1, lateBy: 2 },
    ],
  });
  assert.equal(store.pending().length, 2);
  publisher.onClosed({ round: 3, accepted: [{ device: 'board', seq: 1, lateBy: 2 }] });
  assert.deepEqual(
    store.pending().map(({ round }) => round),
    [2],
  );
  publisher.atRound(4);
  publisher.onClosed({ round: 2, accepted: [] });
  assert.deepEqual(store.settled(), [
    { outcome: 'counted', reason: '', count: 1 },
    { outcome: 'rejected', reason: 'late', count: 1 },
  ]);
});

test('two updates wait: the older goes first, and one does not hold up the other', async (t) => {
  const { store, clock, sent, start } = scene(t, () => 0.5);
  for (const round of [1, 2]) commit(store, round);
  start();
  await clock.advance(100);
  assert.deepEqual(
    sent.map(({ payload }) => payload),
    [1, 2],
  );
});

test('the link is down: attempts back off; at the reconnection nothing is sent before its time', async (t) => {
  const { store, clock, sent, link, reconnect, start } = scene(t, () => 1);
  commit(store, 1);
  link.isUp = false;
  start();
  await clock.advance(4000);
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 2000],
  );
  link.isUp = true;
  reconnect();
  await clock.advance(1100);
  assert.deepEqual(
    sent.map(({ atMs }) => atMs),
    [0, 2000, 5000],
  );
});

test('the link was down for long: the newest is sent a jittered moment after it is back, not after the pause that has grown', async (t) => {
  const { store, clock, sent, link, reconnect, start } = scene(t, () => 0.5);
  for (const round of [1, 2]) commit(store, round);
  link.isUp = false;
  start();
  await clock.advance(3_600_000);
  const before = sent.length;
  link.isUp = true;
  reconnect();
  await clock.advance(RESEND.baseMs);
  assert.deepEqual(sent.slice(before), [{ atMs: 3_600_500, payload: 2 }], 'the newest; the older one keeps its pause');
});

test('after a restart an update that was tried before waits a jittered moment; a fresh one goes at once', async (t) => {
  const path = temporaryPath(t);
  const before = openAgentStore(path);
  for (const round of [1, 2]) commit(before, round);
  before.recordAttempt({ round: 1, seq: 1 });
  before.close();
  const { clock, sent, start } = scene(t, () => 0.5, path);
  start();
  await clock.advance(600);
  assert.deepEqual(sent, [
    { atMs: 0, payload: 2 },
    { atMs: 500, payload: 1 },
  ]);
});

test('many wait: one at first, then at most eight on their way at once, and after a failure one again', async (t) => {
  const { store, clock, sent, link, start } = scene(t, () => 0);
  for (let round = 1; round <= 30; round++) commit(store, round);
  const waiting: (() => void)[] = [];
  Object.defineProperty(link, 'answers', { get: () => new Promise<void>((resolve) => waiting.push(resolve)) });
  const answerAll = async () => {
    for (const resolve of waiting.splice(0)) resolve();
    await clock.advance(1);
    return waiting.length;
  };
  start();
  await clock.advance(1);
  const widths = [waiting.length];
  for (let i = 0; i < 5; i++) widths.push(await answerAll());
  assert.deepEqual(widths, [1, 2, 8, 8, 8, 3], 'of 30: the last three');
  assert.deepEqual(
    sent.map(({ payload }) => payload),
    Array.from({ length: 30 }, (_, i) => i + 1),
    'the oldest first, each once',
  );
  link.isUp = false;
  await answerAll();
  await clock.advance(1000);
  assert.equal(waiting.length, 1);
  link.isUp = true;
  await answerAll();
});

test('larger than the plan takes: never sent, set aside with its reason; the others go on', async (t) => {
  const { store, clock, publisher, sent, start } = scene(t, () => 0.5);
  commit(store, 1, 200);
  commit(store, 2, 100);
  publisher.atRound(2, { maxUpdateBytes: 100 });
  start();
  await clock.advance(100_000);
  assert.deepEqual([...new Set(sent.map(({ payload }) => payload))], [2]);
  assert.deepEqual(
    store.quarantined().map(({ round, outcome, reason, bytes, attempts }) => [round, outcome, reason, bytes, attempts]),
    [[1, 'set-aside', 'too-large', 200, 0]],
  );
  assert.deepEqual(store.settled(), [{ outcome: 'set-aside', reason: 'too-large', count: 1 }]);
});

test('refused for what it says: counted as rejected, and kept to be looked at; refused for its time: not kept', async (t) => {
  const { store, publisher } = scene(t, () => 1);
  for (const round of [1, 2]) commit(store, round, 3);
  publisher.onReceipt(receipt(1, { verdict: 'rejected', reason: 'malformed', final: true }));
  publisher.onReceipt(receipt(2, { verdict: 'rejected', reason: 'late', final: true }));
  assert.deepEqual(store.pending(), []);
  assert.deepEqual(
    store.quarantined().map(({ round, outcome, reason, payload }) => [round, outcome, reason, [...payload]]),
    [[1, 'rejected', 'malformed', [1, 1, 1]]],
  );
  assert.deepEqual(store.settled(), [
    { outcome: 'rejected', reason: 'late', count: 1 },
    { outcome: 'rejected', reason: 'malformed', count: 1 },
  ]);
});

test('never answered while eight others are: set aside once its round is over; a verdict that comes after all still counts', async (t) => {
  const { store, clock, publisher, start } = scene(t, () => 0);
  commit(store, 1);
  publisher.atRound(1);
  start();
  for (let round = 2; round <= 9; round++) {
    assert.equal(store.quarantined().length, 0, `after ${round - 2} receipts of others`);
    commit(store, round);
    publisher.atRound(round);
    publisher.wake();
    await clock.advance(70_000);
    publisher.onReceipt(receipt(round, { final: true }));
    await clock.advance(10);
  }
  assert.deepEqual(
    store.quarantined().map(({ round, reason }) => [round, reason]),
    [[1, 'no-receipt']],
  );
  publisher.onClosed({ round: 1, accepted: [{ device: 'board', seq: 1 }] });
  assert.deepEqual(store.settled(), [{ outcome: 'counted', reason: '', count: 9 }]);
  assert.deepEqual(store.quarantined(), []);
});

test('nobody is answered: nobody is suspected, however long it takes', async (t) => {
  const { store, clock, publisher, start } = scene(t, () => 1);
  for (let round = 1; round <= 4; round++) commit(store, round);
  publisher.atRound(5);
  start();
  await clock.advance(3 * 86_400e3);
  assert.equal(store.pending().length, 4);
  assert.ok(store.pending().every(({ attempts }) => attempts > 100));
});

test('an outbox larger than it may be: the oldest are set aside, the newest stays whatever its size', async (t) => {
  const { store, clock, sent, start } = scene(t, () => 0.5, temporaryPath(t), 1000);
  for (let round = 1; round <= 6; round++) commit(store, round, 300);
  start();
  await clock.advance(10);
  assert.deepEqual(
    store.pending().map(({ round }) => round),
    [4, 5, 6],
  );
  assert.deepEqual([...new Set(sent.map(({ payload }) => payload))], [4, 5, 6]);
  commit(store, 7, 5000);
  await clock.advance(100_000);
  assert.deepEqual(
    store.pending().map(({ round }) => round),
    [7],
  );
  assert.deepEqual(store.settled(), [{ outcome: 'set-aside', reason: 'outbox-full', count: 6 }]);
});

test('the quarantine is bounded: the newest sixteen, the first 64 KiB of each; all stay counted', (t) => {
  const { store } = scene(t, () => 1);
  for (let round = 1; round <= 20; round++) {
    commit(store, round, 100_000);
    assert.equal(store.setAside({ round, seq: round }, 'set-aside', 'too-large'), true);
    assert.equal(store.setAside({ round, seq: round }, 'set-aside', 'too-large'), false, 'once');
  }
  assert.deepEqual(
    store.quarantined().map(({ round, bytes, payload }) => [round, bytes, payload.length]),
    Array.from({ length: 16 }, (_, i) => [i + 5, 100_000, 65_536]),
  );
  assert.deepEqual(store.settled(), [{ outcome: 'set-aside', reason: 'too-large', count: 20 }]);
});
