/**
 * Random networks: loss, delay, duplicates, reordering and broken connections by seed, with real sessions, rounds and databases on both
 * sides, in virtual time. Whatever happens, each update is settled once and counted at most once, and the aggregator's state is what the
 * sums over the counted ones make. QQR_TEST_SCHEDULES sets how many schedules are played, QQR_TEST_SEED the first one's seed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryBroker } from '../../core/link/memory.ts';
import { createRng } from '../../core/math/rng.ts';
import { createDeliveryFleet } from '../fixtures/delivery-fleet.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const SCHEDULES = Number(process.env['QQR_TEST_SCHEDULES'] ?? 40);
const FIRST_SEED = Number(process.env['QQR_TEST_SEED'] ?? 1);
/** Virtual time after which a schedule must have come to its end. */
const MOST_MS = 6 * 3600e3;
const STEP_MS = 500;

/** A network by seed: some are mild, some lose a third of everything. */
function scheduleOf(seed: number) {
  const rng = createRng(`schedule/${seed}`);
  const one = () => rng.next();
  return {
    boards: 2 + rng.int(3),
    rounds: 1 + rng.int(3),
    faults: {
      loss: 0.35 * one(),
      duplicate: 0.4 * one(),
      reorder: 0.5 * one(),
      delayMs: one() < 0.5 ? 3000 * one() : 20,
    },
    /** Per step. */
    cut: 0.05 * one(),
    down: 0.01 * one(),
    restart: 0.003 * one(),
    quorum: 0.5 + 0.5 * one(),
    rng,
  };
}

test(`${SCHEDULES} schedules from seed ${FIRST_SEED}: counted exactly once, integer sums equal`, async (t) => {
  const totals = { committed: 0, counted: 0, late: 0, sends: 0, cuts: 0, outages: 0, restarts: 0 };
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SCHEDULES; seed++) {
    const { boards, rounds, faults, quorum, rng, ...odds } = scheduleOf(seed);
    const clock = createManualClock();
    const broker = createMemoryBroker({ ...faults, seed, clock });
    const starting = createDeliveryFleet(t, {
      ...{ boards, rounds, seed, clock },
      linkFor: (options) => broker.transport(options),
      round: { quorum, deadlineMs: 120_000 },
      session: { resend: { baseMs: 2000, capMs: 60_000 }, refreshMs: 60_000, silenceMs: 300_000 },
    });
    const fleet = await whileTimePasses(starting, (ms) => clock.advance(ms));
    let elapsedMs = 0;
    for (; !fleet.isSettled() && elapsedMs < MOST_MS; elapsedMs += STEP_MS) {
      if (rng.next() < odds.cut) {
        broker.cut(rng.next() < 0.2 ? 'aggregator' : `board-${1 + rng.int(boards)}`);
        totals.cuts++;
      }
      if (rng.next() < odds.down) {
        broker.down();
        await clock.advance(60_000 * rng.next());
        broker.up();
        totals.outages++;
      }
      if (rng.next() < odds.restart) {
        await whileTimePasses(fleet.stopAggregator(), (ms) => clock.advance(ms));
        await whileTimePasses(fleet.startAggregator(), (ms) => clock.advance(ms));
        totals.restarts++;
      }
      await clock.advance(STEP_MS);
    }
    const where = `QQR_TEST_SEED=${seed} QQR_TEST_SCHEDULES=1`;
    assert.ok(elapsedMs < MOST_MS, `${where}: not settled after ${MOST_MS / 3600e3} virtual hours`);
    try {
      const { counted, late } = fleet.judge();
      totals.counted += counted;
      totals.late += late;
    } catch (error) {
      throw new Error(`${where}: ${String(error)}`, { cause: error });
    }
    totals.committed += fleet.committed.size;
    totals.sends += fleet.sends();
    await whileTimePasses(fleet.stop(), (ms) => clock.advance(ms));
  }
  assert.equal(totals.counted + totals.late, totals.committed);
  t.diagnostic(JSON.stringify({ schedules: SCHEDULES, firstSeed: FIRST_SEED, ...totals }));
});

/** What waits for the clock of a network goes on only while that clock does. */
async function whileTimePasses<T>(work: Promise<T>, advance: (ms: number) => Promise<void>): Promise<T> {
  let isOver = false;
  const watched = work.finally(() => (isOver = true));
  watched.catch(() => undefined); // awaited below
  while (!isOver) await advance(50);
  return watched;
}
