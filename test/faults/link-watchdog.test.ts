/** A link that takes updates and brings no word back is replaced, more and more patiently; a link with news never is. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { createLinkWatchdog } from '../../agent/sync/link-watchdog.ts';
import { createSession } from '../../agent/sync/session.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { committingTrainer, databasePath, eventually, planFor, TOPICS } from '../fixtures/fake-fleet.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const SILENCE_MS = 60_000;

function scene(t: TestContext, silenceMs = SILENCE_MS, random = () => 0) {
  const clock = createManualClock();
  const replacedAtMs: number[] = [];
  let onState: (connected: boolean) => void = () => undefined;
  const transport = {
    reconnect: () => void replacedAtMs.push(clock.nowMs()),
    onState(listener: (connected: boolean) => void) {
      onState = listener;
    },
  };
  const watchdog = createLinkWatchdog({ transport, silenceMs, clock, random, log: silentLog });
  const stopping = new AbortController();
  const running = watchdog.run(stopping.signal).catch(() => undefined);
  t.after(async () => {
    stopping.abort(new Error('over'));
    await running;
  });
  return { clock, watchdog, replacedAtMs, lose: () => onState(false) };
}

test('nothing sent, nothing doubted; sent and answered, nothing doubted', async (t) => {
  const { clock, watchdog, replacedAtMs } = scene(t);
  await clock.advance(100 * SILENCE_MS);
  for (let i = 0; i < 50; i++) {
    watchdog.sent();
    await clock.advance(SILENCE_MS - 1);
    watchdog.heard();
    await clock.advance(1000);
  }
  assert.deepEqual(replacedAtMs, []);
});

test('sent and not a word: replaced after the silence, then after twice, four and eight times as long', async (t) => {
  const { clock, watchdog, replacedAtMs } = scene(t);
  for (let minute = 0; minute < 60; minute++) {
    watchdog.sent(); // again and again, as an outbox does: the first one counts
    await clock.advance(60_000);
  }
  const minutes = replacedAtMs.map((ms) => Math.round(ms / 60_000));
  assert.deepEqual(minutes, [1, 3, 7, 15, 23, 31, 39, 47, 55]);
  assert.equal(watchdog.reconnects(), 9);
  watchdog.heard();
  watchdog.sent();
  await clock.advance(SILENCE_MS);
  assert.equal(watchdog.reconnects(), 10, 'after news the first silence counts again');
});

test('boards that lost their aggregator together do not replace their links together: a jitter of half the silence', async (t) => {
  const { clock, watchdog, replacedAtMs } = scene(t, SILENCE_MS, () => 0.5);
  watchdog.sent();
  await clock.advance(10 * SILENCE_MS);
  assert.deepEqual(replacedAtMs, [1.25 * SILENCE_MS]);
});

test('a connection that broke by itself is a new one already', async (t) => {
  const { clock, watchdog, lose, replacedAtMs } = scene(t);
  watchdog.sent();
  await clock.advance(SILENCE_MS - 1);
  lose();
  await clock.advance(10 * SILENCE_MS);
  assert.deepEqual(replacedAtMs, []);
});

test('0 switches it off', async (t) => {
  const { clock, watchdog, replacedAtMs } = scene(t, 0);
  watchdog.sent();
  await clock.advance(100 * SILENCE_MS);
  assert.deepEqual(replacedAtMs, []);
});

/** The shortest answers of a broker that takes everything and delivers nothing: CONNACK, SUBACK, PUBACK, PINGRESP. */
function answersTo(packet: Uint8Array): Uint8Array[] {
  const answers: Uint8Array[] = [];
  for (let at = 0; at < packet.length; ) {
    const type = Number(packet[at]) >> 4;
    let length = 0;
    let header = 1;
    for (let shift = 1; ; shift *= 128) {
      const byte = Number(packet[at + header++]);
      length += (byte & 0x7f) * shift;
      if (byte < 0x80) break;
    }
    const body = packet.subarray(at + header, at + header + length);
    if (type === 1) answers.push(Uint8Array.of(0x20, 2, 0, 0));
    if (type === 8) answers.push(Uint8Array.of(0x90, 3, Number(body[0]), Number(body[1]), 1));
    if (type === 12) answers.push(Uint8Array.of(0xd0, 0));
    if (type === 3) {
      const id = 2 + Number(body[0]) * 256 + Number(body[1]);
      answers.push(Uint8Array.of(0x40, 2, Number(body[id]), Number(body[id + 1])));
    }
    at += header + length;
  }
  return answers;
}

test('over TCP: a broker that acknowledges all and delivers nothing gets another connection, again and again', {
  timeout: 30_000,
}, async (t) => {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket
      .on('error', () => undefined)
      .on('data', (data) => answersTo(data).forEach((answer) => void socket.write(answer)));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const store = openAgentStore(databasePath(t));
  await committingTrainer(store).runRound(planFor(0), { version: 0 } as never, new AbortController().signal);
  const transport = createMqttTransport({
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    clientId: 'board-1',
    clean: false,
    startup: 'retry',
    backoff: { baseMs: 5, capMs: 20 },
    clock: systemClock,
    random: () => 0.5,
  });
  const session = createSession({
    transport,
    topics: TOPICS,
    device: 'board-1',
    modalities: ['acc', 'gyr'],
    store,
    trainer: committingTrainer(store),
    clock: systemClock,
    random: () => 0.5,
    log: silentLog,
    resend: { baseMs: 20, capMs: 40 },
    refreshMs: 100,
    silenceMs: 100,
  });
  await transport.start(new AbortController().signal);
  await session.start(new AbortController().signal);
  await eventually(() => connections >= 4);
  assert.ok(session.reconnects() >= 3);
  assert.equal(store.outgoing().length, 1, 'what was acknowledged and not answered for is kept');
  await session.stop();
  await transport.stop();
  store.close();
});
