/** What one client can take from the embedded broker: connections, time, memory, disk. On real sockets, some of which misbehave. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { systemClock } from '../../core/base/clock.ts';
import type { BrokerLimits } from '../../server/source/broker-limits.ts';
import { connectTo, FLEET, listen, login, own, startBroker, temporaryFolder } from '../fixtures/embedded-broker.ts';

const LIMIT = { timeout: 30_000 };
const QOS1 = { qos: 1 } as const;

async function rawSocket(t: TestContext, url: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  t.after(() => socket.destroy());
  socket.on('error', () => undefined); // a reset is as good as an end
  await once(socket, 'connect');
  return socket;
}

const closed = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

/** Bytes in buffers that something still holds. */
async function buffersHeld(): Promise<number> {
  setFlagsFromString('--expose-gc');
  for (let i = 0; i < 3; i++) {
    runInNewContext('gc')();
    await systemClock.sleep(30); // they are given back on another thread
  }
  return process.memoryUsage().arrayBuffers;
}

/** CONNECT and SUBSCRIBE to one filter by hand: such a client reads only what it is told to. */
function connectPacket(clientId: string, keepaliveS: number, isClean = true): Buffer {
  const id = Buffer.from(clientId);
  const head = Buffer.from([
    0x10,
    12 + id.length,
    0,
    4,
    ...Buffer.from('MQTT'),
    4,
    isClean ? 2 : 0,
    keepaliveS >> 8,
    keepaliveS & 0xff,
  ]);
  return Buffer.concat([head, Buffer.from([0, id.length]), id]);
}

/** PUBLISH of QoS 2 by hand: such a client never goes on with a PUBREL. Payloads of 16 kB to 2 MB. */
function publishPacket(topic: string, payload: Buffer, messageId: number): Buffer {
  const name = Buffer.from(topic);
  const length = 2 + name.length + 2 + payload.length;
  const head = [0x34, 0x80 | (length & 0x7f), 0x80 | ((length >> 7) & 0x7f), length >> 14, 0, name.length];
  return Buffer.concat([Buffer.from(head), name, Buffer.from([messageId >> 8, messageId & 0xff]), payload]);
}

function subscribePacket(filter: string): Buffer {
  const name = Buffer.from(filter);
  return Buffer.concat([Buffer.from([0x82, 5 + name.length, 0, 1, 0, name.length]), name, Buffer.from([1])]);
}

const limited = (t: TestContext, limits: Partial<BrokerLimits>) => startBroker(t, { limits });

test('connections: so many from one address, so many in all, and a place that was left is free', LIMIT, async (t) => {
  for (const limits of [{ connectionsPerAddress: 3 }, { connections: 3 }]) {
    const broker = await limited(t, limits);
    const sockets = [];
    for (let i = 0; i < 3; i++) sockets.push(await rawSocket(t, broker.url()));
    await closed(await rawSocket(t, broker.url()));
    assert.equal(broker.counts().refusedConnections, 1);
    sockets[0]?.destroy();
    const tries = async () => connectTo(t, broker.url(), { clientId: 'late' }).catch(() => null);
    while ((await tries()) === null) await systemClock.sleep(5); // until the broker has seen the other one go
    await connectTo(t, broker.ownAccess().url, own(broker)); // never the aggregator's place
  }
});

test('whoever does not send CONNECT in time, or drips it, is sent away', LIMIT, async (t) => {
  const broker = await limited(t, { connectMs: 300 });
  const [silent, dripping] = [await rawSocket(t, broker.url()), await rawSocket(t, broker.url())];
  const packet = connectPacket('slow', 30);
  let at = 0;
  const drip = setInterval(() => dripping.write(packet.subarray(at, ++at)), 50);
  const start = performance.now();
  await Promise.all([closed(silent), closed(dripping)]);
  clearInterval(drip);
  assert.ok(performance.now() - start < 5000);
});

test(
  'a first packet that is larger than any CONNECT ends the connection, whatever updates may be',
  LIMIT,
  async (t) => {
    const broker = await limited(t, {});
    const socket = await rawSocket(t, broker.url());
    socket.write(Uint8Array.of(0x10, 0x80, 0x80, 0x05)); // 80 KiB
    await closed(socket);
    const polite = await connectTo(t, broker.url(), { clientId: 'polite' });
    await polite.publishAsync('x', Buffer.alloc(500_000), QOS1);
  },
);

test('no keep-alive, or a very long one, is cut to the longest there is', LIMIT, async (t) => {
  const broker = await limited(t, { keepaliveS: 1 });
  const start = performance.now();
  const sockets = await Promise.all([0, 60_000].map(() => rawSocket(t, broker.url())));
  for (const [i, keepaliveS] of [0, 60_000].entries()) sockets[i]?.write(connectPacket(`silent-${i}`, keepaliveS));
  for (const socket of sockets) socket.resume();
  await Promise.all(sockets.map(closed));
  const took = performance.now() - start;
  assert.ok(took >= 1400 && took < 8000, `${took}`);
});

test('a client that sends too fast is read more slowly, loses nothing, and slows nobody else', LIMIT, async (t) => {
  const broker = await limited(t, { packetsPerSecond: 200 });
  const listener = await connectTo(t, broker.ownAccess().url, own(broker));
  const heard = listen(listener);
  await listener.subscribeAsync('#', QOS1);
  const [fast, calm] = [
    await connectTo(t, broker.url(), { clientId: 'fast' }),
    await connectTo(t, broker.url(), { clientId: 'calm' }),
  ];
  const start = performance.now();
  let isOver = false;
  const flood = Promise.all(Array.from({ length: 700 }, (_, i) => fast.publishAsync('fast', `${i}`, QOS1)));
  const over = flood.then(() => (isOver = true));
  while (broker.counts().throttled === 0) await systemClock.sleep(5);
  await calm.publishAsync('calm', 'x', QOS1);
  assert.ok(!isOver);
  await over;
  const fastMs = performance.now() - start;
  await heard.count(701);
  const fromFast = heard.messages.filter((message) => message.startsWith('fast'));
  assert.deepEqual(
    fromFast,
    Array.from({ length: 700 }, (_, i) => `fast ${i}`),
  );
  assert.ok(fastMs > 1300, `700 packets, 400 of them at once, then 200 a second: took ${fastMs} ms`); // (701 − 400) / 200 s
  assert.ok(broker.counts().throttled > 0);
});

test(
  'subscriptions: so many of one client, in one packet or in several, and none of the aggregator',
  LIMIT,
  async (t) => {
    const broker = await limited(t, { subscriptions: 3 });
    const client = await connectTo(t, broker.url(), { clientId: 'greedy' });
    const filters = (names: string) => [...names].map((name) => `f/${name}`);
    await client.subscribeAsync(filters('ab'), QOS1);
    await assert.rejects(client.subscribeAsync(filters('cde'), QOS1));
    assert.equal(broker.counts().deniedSubscriptions, 2);
    await client.subscribeAsync(filters('abc'), QOS1); // that it has
    await client.unsubscribeAsync(filters('b'));
    await client.subscribeAsync(filters('d'), QOS1);
    await assert.rejects(client.subscribeAsync(filters('e'), QOS1));
  },
);

test('a client that never reads costs its bound and no more, and nobody waits for it', LIMIT, async (t) => {
  const broker = await startBroker(t, {
    maxPacketBytes: 2 ** 18,
    limits: { queueBytes: 2 ** 20, packetsPerSecond: 1e6 },
  });
  const frozen = await rawSocket(t, broker.url());
  frozen.pause();
  frozen.write(Buffer.concat([connectPacket('frozen', 600), subscribePacket('news')]));
  const [publisher, reader] = [
    await connectTo(t, broker.url(), { clientId: 'publisher' }),
    await connectTo(t, broker.url(), { clientId: 'reader' }),
  ];
  let read = 0;
  reader.on('message', () => void read++);
  await reader.subscribeAsync('news', QOS1);
  const before = await buffersHeld();
  const payload = Buffer.alloc(100_000);
  let slowest = 0;
  let highest = 0;
  for (let i = 0; i < 600; i++) {
    const start = performance.now();
    await publisher.publishAsync('news', payload, QOS1);
    slowest = Math.max(slowest, performance.now() - start);
    if (i % 200 === 199) highest = Math.max(highest, (await buffersHeld()) - before);
  }
  while (read < 600) await systemClock.sleep(5);
  frozen.resume();
  await closed(frozen);
  t.diagnostic(
    `60 MB published: slowest PUBACK ${slowest.toFixed(0)} ms, buffers held ${(highest / 2 ** 20).toFixed(1)} MiB at most`,
  );
  assert.equal(broker.counts().slowClients, 1);
  assert.ok(slowest < 3000, `${slowest} ms`);
  assert.ok(highest < 8 * 2 ** 20, `${highest} bytes`);
});

test(
  'messages of QoS 2 that their sender never lets go are not kept, however often it comes back',
  LIMIT,
  async (t) => {
    const broker = await startBroker(t, { maxPacketBytes: 2 ** 18, limits: { packetsPerSecond: 1e6 } });
    const before = await buffersHeld();
    for (let connection = 0; connection < 20; connection++) {
      const socket = await rawSocket(t, broker.url());
      socket.write(connectPacket('hoarder', 600, false));
      for (let i = 0; i < 20; i++) socket.write(publishPacket('news', Buffer.alloc(100_000), 1 + 20 * connection + i));
      let acknowledged = 0; // PUBREC has 4 bytes, CONNACK too
      await new Promise<void>((resolve) => {
        socket.on('data', (bytes: Buffer) => {
          acknowledged += bytes.length / 4;
          if (acknowledged >= 21) resolve();
        });
      });
      socket.destroy();
    }
    const held = (await buffersHeld()) - before;
    assert.ok(held < 10 * 2 ** 20, `of 40 MB ${held} bytes are held`);
  },
);

test('a backlog that is larger than what may wait in memory comes through to whoever reads', LIMIT, async (t) => {
  const broker = await startBroker(t, {
    maxPacketBytes: 2 ** 18,
    limits: { queueBytes: 2 ** 19, packetsPerSecond: 1e6 },
  });
  const away = { clientId: 'away', clean: false };
  const first = await connectTo(t, broker.url(), away);
  await first.subscribeAsync('news', QOS1);
  await first.endAsync();
  const publisher = await connectTo(t, broker.url(), { clientId: 'publisher' });
  const filler = 'x'.repeat(100_000);
  for (let i = 0; i < 60; i++) await publisher.publishAsync('news', `${i} ${filler}`, QOS1);
  const again = await connectTo(t, broker.url(), { ...away, manualConnect: false });
  const heard = listen(again);
  await heard.count(60);
  assert.deepEqual(
    heard.messages.map((message) => Number(message.split(' ')[1])),
    Array.from({ length: 60 }, (_, i) => i),
  );
  assert.equal(broker.counts().slowClients, 0);
});

async function afterAway(t: TestContext, limits: Partial<BrokerLimits>, sizes: readonly number[]) {
  const sessionDir = join(temporaryFolder(t), 'broker');
  const broker = await startBroker(t, { sessionDir, limits });
  const away = { clientId: 'away', clean: false };
  const first = await connectTo(t, broker.url(), away);
  await first.subscribeAsync('news', QOS1);
  await first.endAsync();
  const publisher = await connectTo(t, broker.url(), { clientId: 'publisher' });
  for (const [i, size] of sizes.entries()) await publisher.publishAsync('news', `${i} ${'x'.repeat(size)}`, QOS1);
  const counts = broker.counts();
  await broker.stop();
  const next = await startBroker(t, { sessionDir, limits });
  assert.equal(next.counts().messages, counts.messages);
  assert.equal(next.counts().bytes, counts.bytes);
  const again = await connectTo(t, next.url(), away);
  const heard = listen(again);
  await heard.count(counts.messages);
  return { counts, kept: heard.messages.map((message) => Number(message.split(' ')[1])) };
}

test('what waits for a board that is away has bounds, and the oldest go first', LIMIT, async (t) => {
  const small = Array.from({ length: 30 }, () => 10);
  const few = await afterAway(t, { sessionMessages: 10 }, small);
  assert.deepEqual(few.kept, [20, 21, 22, 23, 24, 25, 26, 27, 28, 29]);
  assert.equal(few.counts.dropped, 20);
  const large = Array.from({ length: 20 }, () => 10_000);
  const inBytes = await afterAway(t, { sessionBytes: 55_000 }, large);
  assert.deepEqual(inBytes.kept, [15, 16, 17, 18, 19]);
  const inAll = await afterAway(t, { storedBytes: 55_000 }, large);
  assert.deepEqual(inAll.kept, [15, 16, 17, 18, 19]);
  assert.ok(inAll.counts.bytes <= 55_000);
});

test('retained messages count too, and one that does not fit is not retained', LIMIT, async (t) => {
  const broker = await limited(t, { storedBytes: 50_000 });
  const client = await connectTo(t, broker.url(), { clientId: 'client' });
  const retain = (topic: string, size: number) =>
    client.publishAsync(topic, 'x'.repeat(size), { qos: 1, retain: true });
  for (let i = 0; i < 10; i++) await retain('same', 20_000);
  await retain('other', 20_000);
  await retain('too-much', 20_000);
  assert.equal(broker.counts().dropped, 1);
  await retain('same', 0);
  await retain('fits', 20_000);
  const reader = await connectTo(t, broker.url(), { clientId: 'reader' });
  const heard = listen(reader);
  await reader.subscribeAsync('#', QOS1);
  await heard.count(2);
  assert.deepEqual(heard.messages.map((message) => message.split(' ')[0]).sort(), ['fits', 'other']);
});

test('sessions of boards that never come back are forgotten, those that are used are not', LIMIT, async (t) => {
  const sessionDir = join(temporaryFolder(t), 'broker');
  let wallMs = 0;
  const options = {
    sessionDir,
    clock: { ...systemClock, wallMs: () => wallMs },
    limits: { sessionMs: 1000, sessions: 3 },
  };
  let broker = await startBroker(t, options);
  const visit = async (clientId: string) => {
    const client = await connectTo(t, broker.url(), { clientId, clean: false });
    await client.subscribeAsync('news', QOS1);
    await client.endAsync();
  };
  await visit('dead');
  wallMs = 800;
  await visit('used');
  const publisher = await connectTo(t, broker.url(), { clientId: 'publisher' });
  await publisher.publishAsync('news', 'x', QOS1);
  await publisher.publishAsync('last', 'x', { qos: 1, retain: true });
  await broker.stop();
  wallMs = 1500;
  broker = await startBroker(t, options);
  assert.deepEqual([broker.counts().sessions, broker.counts().messages], [1, 1]);
  for (const clientId of ['b', 'c', 'd']) {
    wallMs += 10;
    await visit(clientId);
  }
  assert.equal(broker.counts().sessions, 3); // 'used' had to go
  assert.equal(broker.counts().messages, 0);
  await broker.stop();
  wallMs = 9000;
  broker = await startBroker(t, options);
  assert.deepEqual([broker.counts().sessions, broker.counts().bytes], [0, 0]);
});

test('what the aggregator retains does not age, also when the clock is set right by months', LIMIT, async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let wallMs = 0;
  const broker = await startBroker(t, { clock: { ...systemClock, wallMs: () => wallMs } });
  const aggregator = await connectTo(t, broker.ownAccess().url, { ...own(broker), keepalive: 0 });
  const board = await connectTo(t, broker.url(), { clientId: 'ann', keepalive: 0 });
  await aggregator.publishAsync(FLEET.roundCurrent, 'plan', { qos: 1, retain: true });
  await board.publishAsync(FLEET.status('ann'), 'online', { qos: 1, retain: true });
  wallMs = 40 * 86_400_000;
  t.mock.timers.tick(3_600_000);
  await board.publishAsync(FLEET.status('bob'), 'online', { qos: 1, retain: true });
  const late = await connectTo(t, broker.url(), { clientId: 'late' });
  const { messages, count } = listen(late);
  const heard = count(2);
  await late.subscribeAsync('#', QOS1);
  await heard;
  assert.deepEqual(messages.sort(), [`${FLEET.roundCurrent} plan`, `${FLEET.status('bob')} online`]);
});

test('a guarded fleet has the same bounds, and a clean session leaves nothing', LIMIT, async (t) => {
  const broker = await startBroker(t, { users: ['ann'] });
  const aggregator = await connectTo(t, broker.ownAccess().url, own(broker));
  const lasting = await connectTo(t, broker.url(), login('ann', { clean: false }));
  await lasting.subscribeAsync(FLEET.receipt('ann'), QOS1);
  await lasting.endAsync();
  await aggregator.publishAsync(FLEET.receipt('ann'), 'x', QOS1);
  assert.deepEqual([broker.counts().sessions, broker.counts().messages], [1, 1]);
  const clean = await connectTo(t, broker.url(), login('ann'));
  assert.deepEqual([broker.counts().sessions, broker.counts().messages, broker.counts().bytes], [0, 0, 0]);
  await clean.endAsync();
});
