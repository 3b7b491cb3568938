/**
 * Fifty boards lose their broker at once, over real TCP: when they come back, and how often updates are sent again.
 * QQR_TEST_FLEET makes the fleet larger.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createRng } from '../../core/math/rng.ts';
import { BROKER_PROGRAMS, type BrokerProgram, startBrokerProcess } from '../fixtures/broker-process.ts';
import { createDeliveryFleet } from '../fixtures/delivery-fleet.ts';
import { eventually } from '../fixtures/fake-fleet.ts';
import { startFaultyRelay } from '../fixtures/faulty-relay.ts';

const BOARDS = Number(process.env['QQR_TEST_FLEET'] ?? 50);
const LIMIT = { timeout: 60_000 + 1000 * BOARDS };
const AWAY_MS = 4000;
/** As on boards, but for a cap that a short outage reaches. */
const BACKOFF = { baseMs: 500, capMs: 4000 };
const SLOTS = 8;

for (const program of BROKER_PROGRAMS) {
  test(`${BOARDS} boards lose ${program.name} at once: they come back spread out`, {
    ...LIMIT,
    skip: program.missing ?? false,
  }, async (t) => {
    const { fleet, backAtMs } = await startFleet(t, program);
    await eventually(() => fleet.committed.size === BOARDS);
    await eventually(() => backAtMs.up() === BOARDS);
    await fleet.loseBroker();
    await eventually(() => backAtMs.up() === 0);
    await systemClock.sleep(AWAY_MS);
    await fleet.bringBack();
    const sinceMs = performance.now();
    await eventually(() => backAtMs.all().length === BOARDS);
    // When they came, not when a busy broker had served them: the aggregator is one of them.
    const delaysMs = fleet
      .acceptedAtMs()
      .filter((ms) => ms >= sinceMs)
      .slice(0, BOARDS + 1)
      .map((ms) => ms - sinceMs);
    await eventually(fleet.isSettled);
    const { counted, late } = fleet.judge();
    assert.equal(counted + late, fleet.committed.size);

    const slotMs = BACKOFF.capMs / SLOTS;
    const histogram = new Array<number>(SLOTS + 2).fill(0);
    for (const delay of delaysMs) {
      const slot = Math.min(SLOTS + 1, Math.max(0, Math.floor(delay / slotMs)));
      histogram[slot] = (histogram[slot] ?? 0) + 1;
    }
    // What is left of a pause that is uniform up to the cap is in its first eighth in 23 of 100 cases.
    assert.ok(Math.max(...histogram) <= 0.5 * BOARDS, `reconnects in slots of ${slotMs} ms: ${histogram}`);
    assert.ok(histogram.filter((count) => count > 0).length >= 4, `reconnects in slots of ${slotMs} ms: ${histogram}`);
    const sendsPerUpdate = fleet.sends() / fleet.committed.size;
    assert.ok(sendsPerUpdate < 2, `${sendsPerUpdate} sends an update`);
    t.diagnostic(
      JSON.stringify({
        boards: BOARDS,
        slotMs,
        histogram,
        updates: fleet.committed.size,
        counted,
        late,
        sendsPerUpdate,
      }),
    );
  });
}

async function startFleet(t: Parameters<typeof createDeliveryFleet>[0], program: BrokerProgram) {
  const broker = await startBrokerProcess(program);
  t.after(() => broker.kill());
  const relay = await startFaultyRelay(broker.port);
  t.after(() => relay.stop());
  const back = new Map<string, number>();
  const up = new Set<string>();
  const fleet = await createDeliveryFleet(t, {
    ...{ boards: BOARDS, rounds: 2, seed: 1, clock: systemClock },
    linkFor(options) {
      const link = createMqttTransport({
        ...options,
        url: relay.url,
        startup: 'retry',
        backoff: BACKOFF,
        clock: systemClock,
        random: createRng(`restart/${options.clientId}`).next,
      });
      if (options.clientId === 'aggregator') return link;
      link.onState((isUp) => {
        if (!isUp) return void up.delete(options.clientId);
        up.add(options.clientId);
        back.set(options.clientId, performance.now());
      });
      return link;
    },
    round: { deadlineMs: 60_000, quorum: 0.9 },
    session: { resend: { baseMs: 5000, capMs: 10_000 }, refreshMs: 3000 },
  });
  return {
    fleet: {
      ...fleet,
      acceptedAtMs: () => relay.acceptedAtMs,
      async loseBroker() {
        back.clear();
        relay.refuse(true);
        relay.cut();
        await broker.kill();
      },
      async bringBack() {
        await broker.startEmpty();
        relay.refuse(false);
      },
    },
    backAtMs: { all: () => [...back.values()], up: () => up.size },
  };
}
