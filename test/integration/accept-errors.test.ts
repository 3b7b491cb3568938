/**
 * The system cannot hand a connection over, as when file descriptors have run out: Node.js tells a listening socket so by `error`.
 * The listening sockets are found as what accepted a real connection; nothing else in here is not the program's own.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Server, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createLabelDesk } from '../../agent/labels/label-desk.ts';
import { askAgent, createLabelSocket, labelSocketPath } from '../../agent/labels/label-socket.ts';
import { createMetricsDoor } from '../../agent/ops/metrics-door.ts';
import { silentLog } from '../../core/base/log.ts';
import { createApp } from '../../server/http/app.ts';
import { createHttpServer } from '../../server/http/http-server.ts';
import { connectTo, startBroker, temporaryFolder } from '../fixtures/embedded-broker.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { manualFleetWindow } from '../fixtures/manual-fleet-window.ts';

const LIMIT = { timeout: 30_000 };

/** The listening socket at a URL or path, in this process. */
async function listenerOf(t: TestContext, address: string | { readonly path: string }): Promise<Server> {
  let server: Server | null = null;
  const seen = (message: unknown) => {
    server = (message as { socket: Socket & { server: Server } }).socket.server;
  };
  subscribe('net.server.socket', seen);
  t.after(() => unsubscribe('net.server.socket', seen));
  const place = (url: URL) => ({ port: Number(url.port), host: url.hostname });
  const socket = connect(typeof address === 'string' ? place(new URL(address)) : address);
  await once(socket, 'connect');
  while (server === null) await new Promise((resolve) => setImmediate(resolve));
  socket.destroy();
  return server;
}

function warnings() {
  const lines: Record<string, unknown>[] = [];
  const warn = (fields: object, message: string) => void lines.push({ message, ...fields });
  return { lines, log: { ...silentLog, warn } };
}

const tellEmfile = (server: Server) =>
  server.emit('error', Object.assign(new Error('accept EMFILE'), { code: 'EMFILE', syscall: 'accept' }));

function assertSummed(lines: readonly Record<string, unknown>[], message = 'a connection could not be accepted'): void {
  assert.deepEqual(
    lines.map((line) => [line['message'], line['error'], line['times']]),
    [
      [message, 'accept EMFILE', undefined],
      [message, 'accept EMFILE', 99],
    ],
  );
}

test('the broker goes on, counts, and says so in a line a minute', LIMIT, async (t) => {
  const clock = createManualClock();
  const { lines, log } = warnings();
  const broker = await startBroker(t, { clock, log });
  const server = await listenerOf(t, broker.url());
  for (let i = 0; i < 100; i++) tellEmfile(server);
  await clock.advance(60_000);
  assertSummed(lines);
  assert.equal(broker.counts().failedAccepts, 100);
  const client = await connectTo(t, broker.url(), { clientId: 'pi-1' });
  assert.equal(client.connected, true);
});

test('so does the HTTP server', LIMIT, async (t) => {
  const clock = createManualClock();
  const { lines, log } = warnings();
  const settings = { host: '127.0.0.1', port: 0, token: null, needsTokenToRead: false, hosts: null };
  const app = createApp({ window: manualFleetWindow(1), settings, staticFiles: (_, next) => next(), clock, log });
  const door = createHttpServer(app, settings, { clock, log });
  await door.start(new AbortController().signal);
  t.after(() => door.stop());
  const server = await listenerOf(t, door.url());
  for (let i = 0; i < 100; i++) tellEmfile(server);
  await clock.advance(60_000);
  assertSummed(lines);
  assert.equal((await fetch(`${door.url()}/healthz`)).status, 200);
});

test('so do the doors of a board, for metrics and for labels', LIMIT, async (t) => {
  const clock = createManualClock();
  const { lines, log } = warnings();
  const door = createMetricsDoor('127.0.0.1:0', { text: async () => 'up 1\n', contentType: 'text/plain' }, log, clock);
  await door.start(new AbortController().signal);
  t.after(() => door.stop());
  const server = await listenerOf(t, door.url());
  for (let i = 0; i < 100; i++) tellEmfile(server);
  await clock.advance(60_000);
  assertSummed(lines, 'a connection for metrics could not be accepted');
  assert.equal((await fetch(door.url())).status, 200);

  const path = labelSocketPath(temporaryFolder(t));
  const desk = createLabelDesk({ expireMs: 0, nowUs: () => 0, classes: () => null, clock, log: silentLog });
  const labels = createLabelSocket(path, desk);
  await labels.start(new AbortController().signal);
  t.after(() => labels.stop());
  const listening = await listenerOf(t, { path });
  for (let i = 0; i < 3; i++) tellEmfile(listening);
  assert.equal(await askAgent(path, 'label walking'), 'walking');
});
