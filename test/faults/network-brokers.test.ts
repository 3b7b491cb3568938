/**
 * Networks as they are, over real TCP, with the embedded broker and with Mosquitto: killed and restarted with nothing remembered,
 * stopped while its sockets stay open, half-open lines, slow ones, and connections cut at many bytes of an exchange. Afterwards each
 * update is settled once and counted at most once, by both databases. QQR_TEST_SEED makes another run of it, QQR_TEST_CUTS more cuts.
 */
import assert from 'node:assert/strict';
import { describe, type TestContext, test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import type { MemoryLinkOptions } from '../../core/link/memory.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createRng } from '../../core/math/rng.ts';
import {
  BROKER_PROGRAMS,
  type BrokerProcess,
  type BrokerProgram,
  startBrokerProcess,
} from '../fixtures/broker-process.ts';
import { createDeliveryFleet, type DeliveryFleet, type DeliveryOptions } from '../fixtures/delivery-fleet.ts';
import { eventually } from '../fixtures/fake-fleet.ts';
import { type FaultyRelay, startFaultyRelay } from '../fixtures/faulty-relay.ts';

const SEED = Number(process.env['QQR_TEST_SEED'] ?? 1);
const CUTS = Number(process.env['QQR_TEST_CUTS'] ?? 20);
const LIMIT = { timeout: 60_000 + 1000 * CUTS };
const KEEPALIVE_S = 1;

interface Scene {
  readonly broker: BrokerProcess;
  /** Between the boards and the broker. */
  readonly relay: FaultyRelay;
  readonly fleet: DeliveryFleet;
}

async function scene(
  t: TestContext,
  program: BrokerProgram,
  options: Pick<DeliveryOptions, 'boards' | 'rounds'> & Partial<DeliveryOptions>,
  ackTimeoutMs = 2000,
): Promise<Scene> {
  const broker = await startBrokerProcess(program);
  t.after(() => broker.kill());
  const relay = await startFaultyRelay(broker.port, SEED);
  t.after(() => relay.stop());
  const link = (url: string) => (linkOptions: MemoryLinkOptions) =>
    createMqttTransport({
      ...linkOptions,
      url,
      startup: 'retry',
      keepaliveSeconds: KEEPALIVE_S,
      ackTimeoutMs,
      connectTimeoutMs: 2000,
      backoff: { baseMs: 10, capMs: 200 },
      clock: systemClock,
      random: createRng(`${SEED}/${linkOptions.clientId}`).next,
    });
  const direct = link(`mqtt://127.0.0.1:${broker.port}`);
  const relayed = link(relay.url);
  const fleet = await createDeliveryFleet(t, {
    seed: SEED,
    clock: systemClock,
    linkFor: (linkOptions) => (linkOptions.clientId === 'aggregator' ? direct : relayed)(linkOptions),
    round: { deadlineMs: 30_000 },
    ...options,
    session: { resend: { baseMs: 50, capMs: 500 }, refreshMs: 500, ...options.session },
  });
  return { broker, relay, fleet };
}

const closedRounds = (fleet: DeliveryFleet) => (fleet.serverStore.lastRecord()?.round ?? -1) + 1;

function conclude(t: TestContext, fleet: DeliveryFleet, more: object = {}): void {
  const { counted, late } = fleet.judge();
  const updates = fleet.committed.size;
  assert.equal(counted + late, updates);
  t.diagnostic(JSON.stringify({ seed: SEED, updates, counted, late, sends: fleet.sends(), ...more }));
}

for (const program of BROKER_PROGRAMS) {
  describe(`networks as they are: ${program.name}`, { skip: program.missing ?? false }, () => {
    test('killed with SIGKILL, round after round, and restarted empty', LIMIT, async (t) => {
      const rounds = 5;
      const rng = createRng(`kills/${SEED}`);
      const { broker, fleet } = await scene(t, program, { boards: 3, rounds });
      for (let round = 1; round <= rounds; round++) {
        await eventually(() => closedRounds(fleet) >= round);
        await systemClock.sleep(40 * rng.next()); // somewhere in the exchange of a round
        await broker.kill();
        await systemClock.sleep(100 * rng.next());
        await broker.startEmpty();
      }
      await eventually(fleet.isSettled);
      conclude(t, fleet, { kills: rounds });
    });

    test(
      'stopped for three keepalives with its sockets open: links give it up, and all is settled afterwards',
      LIMIT,
      async (t) => {
        const gate = holder();
        const { broker, relay, fleet } = await scene(t, program, { boards: 3, rounds: 3, onPlan: gate.pass });
        await eventually(() => gate.waiting() === 3);
        const before = relay.counts().connections;
        broker.freeze();
        gate.open();
        await systemClock.sleep(3000 * KEEPALIVE_S);
        broker.thaw();
        await eventually(fleet.isSettled);
        const connections = relay.counts().connections - before;
        assert.ok(connections >= 3, 'each board has replaced its connection');
        conclude(t, fleet, { connections });
      },
    );

    for (const direction of ['up', 'down'] as const) {
      test(
        `half-open, ${direction}: what goes ${direction} is swallowed in silence, and the link is given up`,
        LIMIT,
        async (t) => {
          const gate = holder();
          // Boards send again more often than a keepalive: that must not put off the pings that find the link dead.
          const { relay, fleet } = await scene(t, program, { boards: 2, rounds: 3, onPlan: gate.pass }, 400);
          await eventually(() => gate.waiting() === 2);
          let lost = 0;
          for (const { transport } of fleet.boards) transport.onState((isUp) => void (isUp || lost++));
          relay.swallow([direction]);
          gate.open(); // both boards send into it
          const sinceMs = performance.now();
          await eventually(() => lost >= 2);
          const foundMs = Math.round(performance.now() - sinceMs);
          assert.ok(foundMs < 3000 * KEEPALIVE_S, `found after ${foundMs} ms; one and a half keepalives are enough`);
          relay.swallow([]);
          await eventually(fleet.isSettled);
          conclude(t, fleet, { foundMs });
        },
      );
    }

    test(
      'a slow, jittery line that stands still now and then, and a broker that refuses for a while',
      LIMIT,
      async (t) => {
        const { relay, fleet } = await scene(t, program, { boards: 2, rounds: 3 });
        relay.setLine({ latencyMs: 40, jitterMs: 60, bytesPerSecond: 20_000 });
        await eventually(() => closedRounds(fleet) >= 1);
        relay.hold();
        await systemClock.sleep(300);
        relay.resume();
        relay.refuse(true);
        relay.cut();
        await systemClock.sleep(500);
        relay.refuse(false);
        await eventually(fleet.isSettled);
        conclude(t, fleet);
      },
    );

    test(`cut at ${CUTS} places of an exchange, from the first byte of CONNECT to the receipt`, LIMIT, async (t) => {
      const rng = createRng(`cuts/${SEED}`);
      const lengths: number[] = [];
      const cuts: number[] = [];
      let relay: FaultyRelay | null = null;
      let sinceBytes = 0;
      const passed = () => Number(relay?.counts().up) + Number(relay?.counts().down);
      const onPlan = async () => {
        if (relay === null) return;
        if (lengths.length > 0) {
          const longest = Math.max(...lengths);
          const at = 1 + Math.floor(((cuts.length + rng.next()) * longest) / CUTS);
          cuts.push(at);
          relay.cutNextAfter(at);
        }
        sinceBytes = passed();
        relay.cut();
      };
      const setup = await scene(t, program, { boards: 1, rounds: CUTS + 1, onPlan });
      relay = setup.relay;
      const { fleet } = setup;
      const round0 = closedRounds(fleet);
      await eventually(() => fleet.committed.size > round0);
      await eventually(() =>
        fleet.boards.every(({ store }) => store.outgoing().every(({ receipt }) => receipt !== null)),
      );
      lengths.push(passed() - sinceBytes);
      await eventually(fleet.isSettled);
      assert.ok(cuts.length >= CUTS - 1, `${cuts.length} cuts`);
      conclude(t, fleet, { cuts: cuts.length, exchangeBytes: lengths[0], connections: relay.counts().connections });
    });
  });
}

/** Holds everybody at a gate until it is opened, then lets all pass. */
function holder() {
  let open: () => void = () => undefined;
  const isOpen = new Promise<void>((resolve) => (open = resolve));
  let waiting = 0;
  return {
    async pass() {
      waiting++;
      await isOpen;
    },
    waiting: () => waiting,
    open: () => open(),
  };
}
