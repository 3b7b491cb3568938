/**
 * Rubbish below the messages: raw bytes into the embedded broker's listener, and from a broker that has gone mad into a board's link.
 * A connection that breaks the protocol ends, and nothing else does: the aggregator leads its rounds, polite clients are served, and the
 * link comes back as soon as there is a sane broker. QQR_FUZZ_SECONDS and QQR_TEST_SEED as in `fuzz-intake.test.ts`.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createRng, type Rng } from '../../core/math/rng.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { topics } from '../../core/wire/topics.ts';
import { parseServerConfig, specFrom } from '../../server/config.ts';
import { startServer } from '../../server/main.ts';
import type { RoundRecord } from '../../server/record.ts';
import { mutateFrame, pick } from '../fixtures/mutate-frame.ts';
import { answerTo, createScriptedBoard } from '../fixtures/scripted-board.ts';

const SECONDS = Number(process.env['QQR_FUZZ_SECONDS'] ?? 5) / 2; // of each of the two tests
const SEED = Number(process.env['QQR_TEST_SEED'] ?? 20261129);
const AT_ONCE = 8;
/** A broker that waits for more bytes is right to; after this the client hangs up. */
const PATIENCE_MS = 50;
const GROWTH_MB = 128;

/** Fixed header and remaining length, MQTT 3.1.1 §2.2. */
function packet(type: number, ...body: readonly (readonly number[])[]): Uint8Array {
  const bytes = body.flat();
  return Uint8Array.from([
    type,
    ...(bytes.length < 128 ? [bytes.length] : [(bytes.length & 127) | 128, bytes.length >> 7]),
    ...bytes,
  ]);
}

function text(value: string): readonly number[] {
  return [value.length >> 8, value.length & 255, ...Buffer.from(value)];
}

const CONNECT = packet(0x10, text('MQTT'), [4, 2, 0, 30], text('fuzz'));
const CONNECT_WITH_WILL = packet(
  0x10,
  text('MQTT'),
  [4, 0xee, 0, 30],
  text('w'),
  text('qqr/v1/default/status/w'),
  text('x'),
  text('u'),
  text('p'),
);
/** What a client may say, after its CONNECT. */
const FROM_CLIENT = [
  CONNECT,
  CONNECT_WITH_WILL,
  packet(0x82, [0, 1], text('qqr/v1/default/#'), [1]),
  packet(0xa2, [0, 2], text('qqr/v1/default/#')),
  packet(0x32, text('qqr/v1/default/up/x'), [0, 3], [1, 2, 3]),
  packet(0x33, text('qqr/v1/default/status/x'), [0, 4], [8, 2]),
  packet(0x34, text('qqr/v1/default/up/x'), [0, 5], [0]),
  packet(0x30, text('a'), [0]),
  packet(0x40, [0, 1]),
  packet(0x62, [0, 5]),
  packet(0xc0),
  packet(0xe0),
];
/** What a broker may say. */
const FROM_BROKER = [
  packet(0x20, [0, 0]),
  packet(0x20, [0, 5]),
  packet(0x90, [0, 1], [1]),
  packet(0x90, [0, 1], [0x80]),
  packet(0x40, [0, 1]),
  packet(0x32, text('qqr/v1/default/round/current'), [0, 9], [8, 2]),
  packet(0x50, [0, 1]),
  packet(0xd0),
];

/** Some packets one after the other, most of them damaged, some at the place of the fixed header, where lengths lie. */
function rubbish(packets: readonly Uint8Array[], rng: Rng): Uint8Array {
  const parts = Array.from({ length: 1 + rng.int(6) }, () => {
    const whole = pick(packets, rng);
    const kind = rng.int(4);
    if (kind === 0) return whole;
    if (kind === 1)
      return Uint8Array.of(
        whole[rng.int(whole.length)] as number,
        ...Array<number>(rng.int(5)).fill(0xff),
        rng.int(256),
      );
    return mutateFrame(whole, rng, packets);
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** Resolves when the other side has hung up, or our patience has ended. */
async function sendTo(port: number, bytes: Uint8Array, patienceMs = PATIENCE_MS): Promise<'dropped' | 'waited'> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined); // a reset is as good as an end
  socket.resume();
  const patience = new AbortController();
  const closed = once(socket, 'close').then(() => 'dropped' as const);
  socket.write(bytes);
  const waited = systemClock.sleep(patienceMs, patience.signal).then(
    () => 'waited' as const,
    () => 'dropped' as const,
  );
  const outcome = await Promise.race([closed, waited]);
  patience.abort();
  socket.destroy();
  return outcome;
}

async function startFleet(t: TestContext) {
  const stateDir = mkdtempSync(join(tmpdir(), 'qqr-fuzz-server-'));
  t.after(() => rmSync(stateDir, { recursive: true }));
  const model = { conv: [{ filters: 2, kernel: 9, stride: 8 }], embedding: 4, hidden: 3 };
  const rounds = { boards: 2, max: 100_000, quorum: 1 };
  const broker = { listen: '127.0.0.1:0' };
  const config = parseServerConfig({ stateDir, broker, rounds, model, limits: { maxUpdateBytes: 8192 } }, 'test');
  const records: RoundRecord[] = [];
  const onRound = (record: RoundRecord) => void records.push(record);
  const server = await startServer({ config, clock: systemClock, log: silentLog, evaluation: null, onRound });
  t.after(() => server.stop());
  for (const device of ['a', 'b']) {
    const transport = createMqttTransport({
      ...{ url: server.url, clientId: device, clean: false, startup: 'require' },
      ...{ clock: systemClock, random: () => 0.5 },
    });
    const board = createScriptedBoard({
      ...{ device, transport, topics: topics(config.fleet), spec: specFrom(config) },
      answer: (plan) => encodeUpdate(answerTo(plan, device)),
    });
    t.after(() => board.stop());
    await board.start();
  }
  return { port: Number(new URL(server.url).port), records };
}

test('raw bytes end their own connection, the aggregator goes on', { timeout: 1000 * SECONDS + 60_000 }, async (t) => {
  const { port, records } = await startFleet(t);
  const outcomes = { dropped: 0, waited: 0 };
  const deadline = performance.now() + 1000 * SECONDS;
  const memory: number[] = [];
  for (let number = 0; performance.now() < deadline; number += AT_ONCE) {
    const batch = Array.from({ length: AT_ONCE }, async (_, i) => {
      const rng = createRng(`${SEED}/connection/${number + i}`);
      const bytes = rubbish(FROM_CLIENT, rng);
      outcomes[await sendTo(port, rng.int(4) === 0 ? bytes : new Uint8Array(Buffer.concat([CONNECT, bytes])))]++;
    });
    await Promise.all(batch);
    memory.push(process.memoryUsage.rss() / 2 ** 20);
  }
  const before = records.length;
  t.diagnostic(`seed ${SEED}: ${JSON.stringify(outcomes)}, ${before} rounds`);
  while (records.length < before + 3) await systemClock.sleep(10); // the fleet goes on, or the test ends by its timeout
  for (const { devices } of records) assert.deepEqual(devices, ['a', 'b']);
  const connectTwice = new Uint8Array(Buffer.concat([CONNECT, CONNECT])); // a violation, §3.1.0-2
  assert.equal(await sendTo(port, connectTwice, 30_000), 'dropped');
  const growth = (memory.at(-1) ?? 0) - (memory.at(Math.floor(memory.length / 2)) ?? 0);
  assert.ok(growth < GROWTH_MB, `memory has grown by ${growth.toFixed(0)} MB`);
});

/** CONNACK for a CONNECT, SUBACK for a SUBSCRIBE, nothing for the rest. */
function saneAnswer(said: Uint8Array): Uint8Array {
  if (said[0] === 0x10) return packet(0x20, [0, 0]);
  return said[0] === 0x82 ? packet(0x90, [said[2] as number, said[3] as number], [1]) : new Uint8Array(0);
}

test('a link survives a broker that sends rubbish, and comes back', { timeout: 1000 * SECONDS + 60_000 }, async (t) => {
  let isMad = true;
  let connections = 0;
  const sockets = new Set<Socket>();
  const broker = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    const rng = createRng(`${SEED}/broker/${connections++}`);
    socket.on('data', (said: Uint8Array) => {
      if (!isMad) return void socket.write(saneAnswer(said));
      const lead = rng.int(3) === 0 ? new Uint8Array(0) : saneAnswer(said);
      socket.write(Buffer.concat([lead, rubbish(FROM_BROKER, rng)]));
      setTimeout(() => socket.destroy(), 20); // as a broker that crashes of what it has done
    });
  });
  broker.listen(0, '127.0.0.1');
  await once(broker, 'listening');
  const { port } = broker.address() as AddressInfo;
  const link = createMqttTransport({
    ...{ url: `mqtt://127.0.0.1:${port}`, clientId: 'd0', clean: false, startup: 'retry', ackTimeoutMs: 100 },
    ...{ connectTimeoutMs: 500, backoff: { baseMs: 1, capMs: 5 }, clock: systemClock, random: () => 0.5 },
  });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await link.stop();
    broker.close();
  });
  let isUp = false;
  link.onState((connected) => {
    isUp = connected;
  });
  await link.subscribe('qqr/v1/default/#', () => undefined);
  await link.start(new AbortController().signal);
  const deadline = performance.now() + 1000 * SECONDS;
  while (performance.now() < deadline) {
    await link.publish('qqr/v1/default/up/d0', Uint8Array.of(1), { qos: 1 }).catch(() => undefined);
    await systemClock.sleep(1);
  }
  isMad = false;
  for (const socket of sockets) socket.destroy();
  while (!isUp) await systemClock.sleep(5);
  t.diagnostic(`seed ${SEED}: ${connections} connections`);
  assert.ok(connections > 3, `${connections} connections`);
});
