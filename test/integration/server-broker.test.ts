/** The embedded broker on a real socket: boards over TCP, and packets that are too large. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { topics } from '../../core/wire/topics.ts';
import { parseServerConfig, specFrom } from '../../server/config.ts';
import { type RunningServer, startServer } from '../../server/main.ts';
import type { RoundRecord } from '../../server/record.ts';
import { createEmbeddedBroker } from '../../server/source/embedded.ts';
import { createPacketScanner } from '../../server/source/packet-scanner.ts';
import { readArchivedRound } from '../../server/store/archive.ts';
import { answerTo, createScriptedBoard } from '../fixtures/scripted-board.ts';

async function start(t: TestContext, listen = '127.0.0.1:0') {
  const stateDir = mkdtempSync(join(tmpdir(), 'qqr-server-'));
  t.after(() => rmSync(stateDir, { recursive: true }));
  const config = parseServerConfig(
    {
      stateDir,
      broker: { listen },
      http: { listen: 'off' },
      rounds: { boards: 2, max: 2, quorum: 1 },
      model: { conv: [{ filters: 2, kernel: 9, stride: 8 }], embedding: 4, hidden: 3 },
      limits: { maxUpdateBytes: 8192 },
    },
    'test',
  );
  const records: RoundRecord[] = [];
  const onRound = (record: RoundRecord) => void records.push(record);
  const server = await startServer({ config, clock: systemClock, log: silentLog, evaluation: null, onRound });
  t.after(() => server.stop());
  return { server, config, records, stateDir };
}

function boardOn(t: TestContext, server: RunningServer, config: Parameters<typeof specFrom>[0], device: string) {
  const transport = createMqttTransport({
    url: server.url,
    clientId: device,
    clean: false,
    startup: 'require',
    clock: systemClock,
    random: () => 0.5,
  });
  const spec = specFrom(config);
  const board = createScriptedBoard({
    device,
    transport,
    topics: topics(config.fleet),
    spec,
    answer: (plan) => encodeUpdate(answerTo(plan, device)),
  });
  t.after(() => board.stop());
  return board;
}

test('a whole run over TCP, told to the last board before the broker goes', async (t) => {
  const { server, config, records, stateDir } = await start(t);
  const boards = ['a', 'b'].map((device) => boardOn(t, server, config, device));
  for (const board of boards) await board.start();
  assert.deepEqual(await server.finished, { version: 2, rounds: 3, complete: true });
  for (const board of boards) {
    await board.until(({ plans }) => plans.at(-1)?.kind === 'finished');
    await board.say('finished');
  }
  await server.farewell();
  assert.equal(server.currentGlobal().version, 2);
  assert.ok(server.traffic().receivedBytes > 0);
  let isStopped = false;
  void server.stop().then(() => {
    isStopped = true;
  });
  await server.stop();
  assert.ok(isStopped, 'whoever asks again waits for the same end');
  assert.deepEqual(readArchivedRound(join(stateDir, 'rounds.sqlite'), 2).record, records[2]);
});

test('an address in use is named', async (t) => {
  const { server } = await start(t);
  const { port } = new URL(server.url);
  await assert.rejects(
    start(t, `127.0.0.1:${port}`),
    (error: unknown) =>
      error instanceof AppError && error.code === 'link-unavailable' && error.where === `127.0.0.1:${port}`,
  );
});

test('a packet that claims too much ends its connection, the broker serves on', async (t) => {
  const broker = createEmbeddedBroker({ host: '127.0.0.1', port: 0, maxPacketBytes: 1000, log: silentLog });
  await broker.start(new AbortController().signal);
  t.after(() => broker.stop());
  const { hostname, port } = new URL(broker.url());
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined); // a reset is as good as an end
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0x7f)); // CONNECT of 256 MiB
  await closed;

  const options = {
    url: broker.url(),
    clean: true,
    startup: 'require',
    clock: systemClock,
    random: () => 0.5,
  } as const;
  const polite = createMqttTransport({ ...options, clientId: 'polite' });
  t.after(() => polite.stop());
  await polite.start(new AbortController().signal);
  await polite.publish('x', new Uint8Array(900), { qos: 1 });
  await assert.rejects(polite.publish('x', new Uint8Array(1100), { qos: 1 }));
});

test('the scanner follows packets however they are cut', () => {
  const packet = (length: number) => {
    const header = length < 128 ? [0x30, length] : [0x30, 0x80 | (length & 0x7f), length >> 7];
    return [...header, ...new Array<number>(length).fill(0xff)];
  };
  const stream = [...packet(0), ...packet(5), ...packet(300), ...packet(127), ...packet(301)];
  for (let size = 1; size < stream.length; size += 7) {
    const scan = createPacketScanner({ maxBytes: 300, maxFirstBytes: 300 });
    const exceeds = (chunk: Uint8Array) => scan(chunk, 100).isTooLarge;
    let at = 0;
    while (at < stream.length && !exceeds(Uint8Array.from(stream.slice(at, at + size)))) at += size;
    const lastHeaderEnd = stream.length - 301;
    assert.ok(at < lastHeaderEnd && at + size >= lastHeaderEnd, `cut into ${size} bytes`);
  }
});
