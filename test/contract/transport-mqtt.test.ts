/** What the MQTT link does when there is no broker, the wrong one, or one that falls silent: errors that say where and what to do. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { test } from 'node:test';
import { Aedes } from 'aedes';
import { systemClock } from '../../core/base/clock.ts';
import { AppError, describeError } from '../../core/base/errors.ts';
import { createMqttTransport, type MqttOptions } from '../../core/link/mqtt.ts';

const LIMIT = { timeout: 20_000 };
const CONNACK = Uint8Array.of(0x20, 0x02, 0x00, 0x00);

function link(url: string, more: Partial<MqttOptions> = {}) {
  const backoff = { baseMs: 5, capMs: 50 };
  return createMqttTransport({
    url,
    clientId: 'board',
    clean: true,
    startup: 'require',
    backoff,
    clock: systemClock,
    random: Math.random,
    ...more,
  });
}

async function listen(
  handle: (socket: Socket) => void,
  port = 0,
): Promise<{ server: Server; url: string; port: number }> {
  const server = createServer(handle);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const bound = (server.address() as AddressInfo).port;
  return { server, url: `mqtt://127.0.0.1:${bound}`, port: bound };
}

function startError(transport: ReturnType<typeof link>): Promise<AppError> {
  return transport.start(new AbortController().signal).then(
    () => assert.fail('it connected'),
    (error: unknown) => {
      assert.ok(error instanceof AppError, String(error));
      return error;
    },
  );
}

test('no broker: the error names the address and says to start one', LIMIT, async () => {
  const { server, url } = await listen(() => undefined);
  server.close();
  await once(server, 'close');
  const error = await startError(link(url));
  assert.equal(error.code, 'link-unavailable');
  assert.equal(error.where, url);
  assert.match(describeError(error), /ECONNREFUSED.*\n.*Start the broker/);
});

test(
  'the connection is lost while a subscription waits for its answer: no error, the next one brings it',
  LIMIT,
  async (t) => {
    const subscribed: number[] = [];
    let connections = 0;
    const { server, url } = await listen((socket) => {
      const connection = ++connections;
      socket
        .on('error', () => undefined)
        .on('data', (data) => {
          if (data[0] === 0x10) return void socket.write(CONNACK);
          if (data[0] !== 0x82) return;
          subscribed.push(connection);
          if (connection === 1) socket.destroy();
          else socket.write(Uint8Array.of(0x90, 0x03, data[2] as number, data[3] as number, 0x01));
        });
    });
    t.after(() => server.close());
    const transport = link(url);
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    const back = new Promise<void>((resolve) => transport.onState((isUp) => isUp && resolve()));
    await transport.subscribe('a', () => undefined);
    await back;
    assert.deepEqual(subscribed, [1, 2]);
  },
);

test('unknown host: the error is about the name', LIMIT, async () => {
  const error = await startError(link('mqtt://no-such-host.invalid:1883'));
  assert.equal(error.code, 'link-unavailable');
  assert.match(String(error.hint), /name|network/);
});

test('wrong password: the error says to check it, and does not show it', LIMIT, async () => {
  const aedes = await Aedes.createBroker({
    authenticate: (_client, _user, _password, done) => done(Object.assign(new Error('no'), { returnCode: 4 }), false),
  });
  const { server, url } = await listen((socket) => aedes.handle(socket));
  const error = await startError(link(url, { username: 'board', password: 'swordfish' }));
  assert.match(describeError(error), /Check user name and password/);
  assert.doesNotMatch(describeError(error), /swordfish/);
  server.close();
  await new Promise<void>((resolve) => aedes.close(resolve));
});

test('a server that accepts and says nothing: gives up after the connect timeout', LIMIT, async () => {
  const { server, url } = await listen((socket) => socket.resume());
  const error = await startError(link(url, { connectTimeoutMs: 50 }));
  assert.match(error.message, /connack timeout/i);
  server.close();
});

test('a broker that never acknowledges: publish times out', LIMIT, async () => {
  const { server, url } = await listen((socket) => void socket.resume().write(CONNACK));
  const transport = link(url, { ackTimeoutMs: 50 });
  await transport.start(new AbortController().signal);
  const isTimeout = (error: unknown) => error instanceof AppError && error.code === 'timeout';
  await assert.rejects(transport.publish('t', new Uint8Array(1), { qos: 1 }), isTimeout);
  await transport.stop();
  server.close();
});

test('startup retry: start resolves without a broker, and the link comes up when one appears', LIMIT, async () => {
  const { server: placeholder, port, url } = await listen(() => undefined);
  placeholder.close();
  await once(placeholder, 'close');
  const transport = link(url, { startup: 'retry' });
  const isUp = new Promise<void>((resolve) => transport.onState((connected) => connected && resolve()));
  await transport.start(new AbortController().signal);
  const heard = new Promise<string>(
    (resolve) => void transport.subscribe('t', ({ payload }) => resolve(String(payload))),
  );
  await assert.rejects(transport.publish('t', Uint8Array.of(1), { qos: 1 }), AppError);
  const aedes = await Aedes.createBroker();
  const { server } = await listen((socket) => aedes.handle(socket), port);
  await isUp;
  await transport.publish('t', Uint8Array.of(7), { qos: 1 });
  assert.equal(await heard, '7');
  await transport.stop();
  server.close();
  await new Promise<void>((resolve) => aedes.close(resolve));
});

test('stopped while it tries to connect: stop returns at once', LIMIT, async () => {
  const { server, url } = await listen((socket) => socket.resume());
  const transport = link(url, { startup: 'retry' });
  await transport.start(new AbortController().signal);
  await once(server, 'connection');
  await transport.stop();
  server.close();
});
