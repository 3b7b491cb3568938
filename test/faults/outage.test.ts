/** The broker is away for three days, in virtual time: what boards do meanwhile, how much waits, and how they come back: without a storm. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createMemoryBroker } from '../../core/link/memory.ts';
import type { Transport } from '../../core/link/transport.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { createDeliveryFleet, type DeliveryFleet } from '../fixtures/delivery-fleet.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { measuredWindow, secondOfMotion } from '../fixtures/stored-motion.ts';

const DAYS_MS = 3 * 86_400e3;
const BOARDS = 4;

/** Updates that reached the broker, by minute of the clock; those that came before, and those that a test has its eye on. */
function meter(clock: { nowMs(): number }) {
  const seen = new Set<string>();
  const watched = new Set<string>();
  const perMinute = { again: new Map<number, number>(), watched: new Map<number, number>() };
  const count = (of: keyof typeof perMinute) => {
    const minute = Math.floor(clock.nowMs() / 60_000);
    perMinute[of].set(minute, (perMinute[of].get(minute) ?? 0) + 1);
  };
  const note = (payload: Uint8Array) => {
    const text = Buffer.from(payload).toString('base64');
    if (seen.has(text)) count('again');
    if (watched.has(text)) count('watched');
    seen.add(text);
  };
  return {
    follow: (payload: Uint8Array) => void watched.add(Buffer.from(payload).toString('base64')),
    watch: (link: Transport): Transport => ({
      ...link,
      async publish(topic, payload, options) {
        await link.publish(topic, payload, options); // when it rejects, nothing has left the board
        if (topic.includes('/up/')) note(payload);
      },
    }),
    total: (of: keyof typeof perMinute) => [...perMinute[of].values()].reduce((sum, n) => sum + n, 0),
    most: (of: keyof typeof perMinute) => Math.max(0, ...perMinute[of].values()),
  };
}

async function scene(t: TestContext, rounds: number) {
  const clock = createManualClock();
  const broker = createMemoryBroker({ clock });
  const traffic = meter(clock);
  const fleet = await createDeliveryFleet(t, {
    ...{ boards: BOARDS, rounds, seed: 1, clock },
    linkFor: (options) => traffic.watch(broker.transport(options)),
    round: { deadlineMs: 300_000, quorum: 0.8 },
    session: { resend: { baseMs: 5000, capMs: 300_000 } }, // as on a board
  });
  const until = async (condition: () => boolean, stepMs: number, mostMs: number) => {
    let waitedMs = 0;
    for (; !condition() && waitedMs < mostMs; waitedMs += stepMs) await clock.advance(stepMs);
    return waitedMs;
  };
  return { clock, broker, traffic, fleet, until };
}

const waiting = (fleet: DeliveryFleet) => fleet.boards.map(({ store }) => store.outgoing());

test('three days without a broker: sampling goes on, one update waits a board, and all is settled within minutes', async (t) => {
  const { clock, broker, traffic, fleet, until } = await scene(t, 6);
  await until(() => fleet.serverStore.lastRecord()?.round === 1, 1000, 600_000);
  const [first] = fleet.boards;
  assert.ok(first !== undefined);
  await until(() => fleet.committed.has('2/board-1/3'), 100, 600_000); // round 2 is under way
  broker.down();
  for (let hour = 0; hour < 72; hour++) {
    first.store.ingest(secondOfMotion(hour, [measuredWindow(hour)])); // the stream goes on, seconds stand for hours
    await clock.advance(3600e3);
  }
  assert.ok(Number(first.store.lastStoredUs()) > 71e6);
  assert.equal(first.store.countWindows({ afterIndex: -1, classes: ['walk'] }), 72);
  for (const rows of waiting(fleet)) assert.ok(rows.length <= 2, 'a board without a plan has nothing more to say');
  const attempts = waiting(fleet).flatMap((rows) => rows.map((row) => row.attempts));
  assert.ok(Math.max(...attempts) <= DAYS_MS / 100_000, `${Math.max(...attempts)} attempts`);

  broker.up();
  const waitedMs = await until(fleet.isSettled, 1000, 3600e3);
  const { counted, late } = fleet.judge();
  assert.equal(counted + late, fleet.committed.size);
  assert.ok(waitedMs <= 900_000, `settled after ${waitedMs} ms`);
  assert.ok(traffic.total('again') <= 2 * BOARDS, `${traffic.total('again')} updates came again`);
  t.diagnostic(
    JSON.stringify({
      ...{ boards: BOARDS, updates: fleet.committed.size, counted, late, again: traffic.total('again') },
      ...{ againInOneMinute: traffic.most('again'), settledAfterS: waitedMs / 1000, attempts: Math.max(...attempts) },
    }),
  );
});

test('forty updates of an old round wait on each board: one message and one receipt each, shared out over one pause', async (t) => {
  const { clock, broker, traffic, fleet, until } = await scene(t, 1000);
  await until(() => fleet.serverStore.lastRecord()?.round === 3, 1000, 3600e3);
  broker.down();
  const OLD = 40;
  for (const { store, device } of fleet.boards) {
    const committed = fleet.committed.get(`1/${device}/2`);
    const before = store.checkpoint();
    assert.ok(before !== null && committed !== undefined);
    for (let seq = 1000; seq < 1000 + OLD; seq++) {
      const payload = encodeUpdate({ ...committed, seq });
      store.commitTraining({ ...before, seq }, { round: 1, seq, payload }, [seq]);
      traffic.follow(payload);
    }
  }
  const countedBefore = fleet.serverStore.counted(1);
  await clock.advance(3600e3); // every pause has grown to its cap long before
  broker.up();
  const isOldGone = () => waiting(fleet).every((rows) => rows.every(({ seq }) => seq < 1000 || seq >= 1000 + OLD));
  const waitedMs = await until(isOldGone, 1000, 3600e3);
  const late = fleet.boards.map(({ store }) => store.settled().find(({ reason }) => reason === 'late')?.count ?? 0);
  assert.ok(late.every((count) => count >= OLD));
  assert.deepEqual(fleet.serverStore.counted(1), countedBefore, 'none is counted');
  assert.equal(traffic.total('watched'), OLD * BOARDS, 'one message each');
  assert.ok(waitedMs <= 310_000, `settled after ${waitedMs} ms`);
  // What is left of a pause that is uniform up to five minutes is below a minute in 36 of 100 cases.
  const most = traffic.most('watched');
  assert.ok(most <= 0.45 * OLD * BOARDS, `${most} in one minute`);
  t.diagnostic(JSON.stringify({ boards: BOARDS, old: OLD, mostInOneMinute: most, settledAfterS: waitedMs / 1000 }));
});
