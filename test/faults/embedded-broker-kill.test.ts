/** What the embedded broker still knows after a crash, and after its files were damaged: whatever it had acknowledged. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { MqttClient } from 'mqtt';
import { AppError, exitStatus } from '../../core/base/errors.ts';
import {
  connectTo,
  listen,
  login,
  recordingLog,
  startBroker,
  temporaryFolder,
  writePasswords,
} from '../fixtures/embedded-broker.ts';
import { startQqr } from '../fixtures/qqr-process.ts';

const LIMIT = { timeout: 60_000 };
const QOS1 = { qos: 1 } as const;
const PROGRAM = fileURLToPath(new URL('../fixtures/embedded-broker-process.js', import.meta.url));
const BACKLOG = 3000;
const away = { clientId: 'away', clean: false };

async function startProcess(t: TestContext, sessionDir: string): Promise<{ child: ChildProcess; url: string }> {
  const child = spawn(process.execPath, [PROGRAM, sessionDir], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const [url] = (await once(createInterface({ input: child.stdout as NodeJS.ReadableStream }), 'line')) as [string];
  return { child, url };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

/** A session that is away, and `count` acknowledged messages of 1 KiB for it. */
async function fill(t: TestContext, url: string, count: number): Promise<MqttClient> {
  const subscriber = await connectTo(t, url, away);
  await subscriber.subscribeAsync('news/#', QOS1);
  await subscriber.endAsync();
  const publisher = await connectTo(t, url, { clientId: 'publisher' });
  const body = 'x'.repeat(1015);
  await Promise.all(
    Array.from({ length: count }, (_, i) =>
      publisher.publishAsync('news/a', `${String(i).padStart(8, '0')} ${body}`, QOS1),
    ),
  );
  return publisher;
}

const numbersIn = (messages: readonly string[]) => messages.map((message) => Number(message.split(' ')[1]));
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

test('killed right after the last acknowledgement: all 3000 messages come, once and in order', LIMIT, async (t) => {
  const sessionDir = join(temporaryFolder(t), 'broker');
  const first = await startProcess(t, sessionDir);
  await fill(t, first.url, BACKLOG);
  await kill(first.child);

  const second = await startProcess(t, sessionDir);
  const publisher = await connectTo(t, second.url, { clientId: 'publisher' });
  await publisher.publishAsync('news/a', `${BACKLOG} after the crash`, QOS1); // comes behind what was there before
  const subscriber = await connectTo(t, second.url, { ...away, manualConnect: false });
  const heard = listen(subscriber);
  await heard.count(BACKLOG + 1);
  assert.deepEqual(numbersIn(heard.messages), upTo(BACKLOG + 1));
  await subscriber.endAsync();

  const third = await connectTo(t, second.url, away);
  const nothing = listen(third);
  await third.publishAsync('news/a', '0 last', QOS1);
  await nothing.count(1);
  assert.deepEqual(nothing.messages, ['news/a 0 last']);
});

test(
  'killed in the middle of delivering: nothing is lost, what comes again had not been acknowledged',
  LIMIT,
  async (t) => {
    const sessionDir = join(temporaryFolder(t), 'broker');
    const first = await startProcess(t, sessionDir);
    await fill(t, first.url, BACKLOG);
    const subscriber = await connectTo(t, first.url, away);
    const before = listen(subscriber);
    await before.count(500);
    await kill(first.child);
    const second = await startProcess(t, sessionDir);
    const again = await connectTo(t, second.url, away);
    const after = listen(again);
    const last = () => numbersIn(after.messages).at(-1) === BACKLOG - 1;
    while (!last()) await after.count(after.messages.length + 1);
    const all = new Set([...numbersIn(before.messages), ...numbersIn(after.messages)]);
    assert.equal(all.size, BACKLOG);
    assert.deepEqual(
      numbersIn(after.messages),
      [...numbersIn(after.messages)].sort((a, b) => a - b),
    );
    assert.equal(new Set(numbersIn(after.messages)).size, after.messages.length);
  },
);

test(
  "killed: retained messages stay, wills are said at the next start, the aggregator's own words are not kept",
  LIMIT,
  async (t) => {
    const sessionDir = join(temporaryFolder(t), 'broker');
    const first = await startProcess(t, sessionDir);
    const will = { topic: 'state/board', payload: Buffer.from('gone'), qos: 1, retain: true } as const;
    const board = await connectTo(t, first.url, { clientId: 'board', will });
    await board.publishAsync('state/board', 'here', { qos: 1, retain: true });
    await board.publishAsync('kept', 'value', { qos: 1, retain: true });
    await board.publishAsync('cleared', 'value', { qos: 1, retain: true });
    await board.publishAsync('cleared', '', { qos: 1, retain: true });
    await kill(first.child);
    const broker = await startBroker(t, { sessionDir });
    const watcher = await connectTo(t, broker.url(), { clientId: 'watcher' });
    const heard = listen(watcher);
    await watcher.subscribeAsync('#', QOS1);
    await heard.count(2);
    assert.deepEqual(heard.messages.sort(), ['kept value', 'state/board gone']);

    const { url, clientId, username, password } = broker.ownAccess();
    const aggregator = await connectTo(t, url, { clientId, username, password });
    await aggregator.publishAsync('plan', 'finished', { qos: 1, retain: true });
    await heard.count(3);
    await broker.stop();
    const next = await startBroker(t, { sessionDir });
    const later = await connectTo(t, next.url(), { clientId: 'later' });
    const told = listen(later);
    await later.subscribeAsync('#', QOS1);
    await told.count(2);
    assert.deepEqual(told.messages.sort(), ['kept value', 'state/board gone']);
  },
);

test('files that are damaged are moved aside, and the broker starts without them', LIMIT, async (t) => {
  const folder = temporaryFolder(t);
  const sessionDir = join(folder, 'broker');
  const broker = await startBroker(t, { sessionDir });
  await fill(t, broker.url(), 5);
  await broker.stop();
  for (let damage = 1; damage <= 3; damage++) {
    const manifest = readdirSync(sessionDir).filter((name) => /^(CURRENT|MANIFEST)/.test(name));
    for (const name of manifest) writeFileSync(join(sessionDir, name), `garbage ${damage}`);
    const log = recordingLog();
    const fresh = await startBroker(t, { sessionDir, log });
    assert.equal(log.lines.filter((line) => line.startsWith('sessions of boards damaged')).length, 1);
    assert.equal(fresh.counts().sessions, 0);
    await fill(t, fresh.url(), 5);
    await fresh.stop();
  }
  assert.deepEqual(readdirSync(folder).sort(), ['broker', 'broker.damaged-2', 'broker.damaged-3']);
});

test(
  'a second aggregator on the same folder is refused with status 75, the first is not disturbed',
  LIMIT,
  async (t) => {
    const folder = temporaryFolder(t);
    const run = () => startQqr(['server', 'run', '--http', 'off', '--listen', '127.0.0.1:0', '--state', folder]);
    const first = run();
    t.after(() => first.child.kill('SIGKILL'));
    const { url } = await first.logged('aggregator ready');
    const second = run();
    t.after(() => second.child.kill('SIGKILL'));
    const { code, errors } = await second.ended;
    assert.equal(code, 75, errors);
    assert.match(errors, /state-in-use/);
    await connectTo(t, String(url), { clientId: 'board' });
    await assert.rejects(
      startBroker(t, { sessionDir: join(folder, 'broker') }),
      (error: unknown) => error instanceof AppError && exitStatus(error) === 75,
    );
  },
);

test(
  'an address for other machines without credentials ends with status 78 before anything listens',
  LIMIT,
  async (t) => {
    const folder = temporaryFolder(t);
    const { code, errors } = await startQqr([
      'server',
      'run',
      '--http',
      'off',
      '--listen',
      '0.0.0.0:0',
      '--state',
      folder,
    ]).ended;
    assert.equal(code, 78, errors);
    assert.match(errors, /broker\.listen.*\[config-invalid\]\n.*usersFile/);
    assert.deepEqual(readdirSync(folder), []);
  },
);

test('SIGHUP: a user that was added can come, one that was taken away cannot stay', LIMIT, async (t) => {
  const folder = temporaryFolder(t);
  const users = join(folder, 'users');
  writePasswords(users, ['ann']);
  const state = join(folder, 'state');
  const server = startQqr([
    'server',
    'run',
    '--http',
    'off',
    '--listen',
    '0.0.0.0:0',
    '--users',
    users,
    '--state',
    state,
  ]);
  t.after(() => server.child.kill('SIGKILL'));
  const { url } = await server.logged('aggregator ready');
  const reachable = String(url).replace('0.0.0.0', '127.0.0.1');
  const ann = await connectTo(t, reachable, login('ann'));
  const gone = new Promise<void>((resolve) => ann.once('close', () => resolve()));
  await assert.rejects(connectTo(t, reachable, login('ben')));
  writePasswords(users, ['ben']);
  server.child.kill('SIGHUP');
  await gone;
  await connectTo(t, reachable, login('ben'));
  await assert.rejects(connectTo(t, reachable, login('ann')));
});
