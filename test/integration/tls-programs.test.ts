/**
 * Board and aggregator as processes of their own over TLS: certificates that are renewed under them and taken at SIGHUP, a broker whose
 * certificate is not valid yet, and the doctor's look at the broker.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls';
import { Aedes } from 'aedes';
import { stringify } from 'smol-toml';
import { agentStorePath } from '../../agent/main.ts';
import { reachBroker } from '../../agent/reach-broker.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { AppError } from '../../core/base/errors.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { createTestAuthority, type Issued, type TestAuthority } from '../fixtures/certificates.ts';
import { startQqr } from '../fixtures/qqr-process.ts';
import { smallPlan } from '../fixtures/small-fleet.ts';

const LIMIT = { timeout: 60_000 };
let folder: string;
let authority: TestAuthority;
let hub: Issued;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'qqr-tls-'));
  authority = await createTestAuthority(folder);
  hub = await authority.issue({ name: 'hub' });
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface WatchedBroker {
  readonly url: string;
  readonly server: Server;
  /** Resolves when a client has connected with this certificate. */
  seen(clientId: string, serialNumber: string): Promise<void>;
}

async function startBroker(t: TestContext, shown: Issued): Promise<WatchedBroker> {
  const aedes = await Aedes.createBroker();
  const sockets = new Set<TLSSocket>();
  const server = createTlsServer(
    { cert: shown.certPem, key: shown.keyPem, ca: authority.caPem, requestCert: true, rejectUnauthorized: true },
    (socket) => {
      sockets.add(socket.on('error', () => undefined));
      aedes.handle(socket);
    },
  );
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const clients: string[] = [];
  let look: () => void = () => undefined;
  aedes.on('client', (client) => {
    const { serialNumber } = (client.conn as TLSSocket).getPeerCertificate();
    clients.push(`${client.id} ${serialNumber}`);
    look();
  });
  t.after(async () => {
    await new Promise<void>((resolve) => aedes.close(resolve));
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    url: `mqtts://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    seen: (clientId, serialNumber) =>
      new Promise((resolve) => {
        const before = look;
        look = () => {
          before();
          if (clients.includes(`${clientId} ${serialNumber}`)) resolve();
        };
        look();
      }),
  };
}

/** Puts a certificate where a program's settings say. */
function install(issued: Issued, name: string): { ca: string; cert: string; key: string } {
  const files = { ca: authority.ca, cert: join(folder, `${name}-now.crt`), key: join(folder, `${name}-now.key`) };
  writeFileSync(files.cert, issued.certPem);
  writeFileSync(files.key, issued.keyPem, { mode: 0o600 });
  return files;
}

async function boardArguments(name: string, link: object, speed: string): Promise<string[]> {
  const [board] = smallPlan().boards;
  assert.ok(board !== undefined);
  const trace = join(folder, `${name}.csv.gz`);
  await writeRecording(board.recording(), trace);
  const config = join(folder, `${name}.toml`);
  writeFileSync(config, stringify({ device: name, stateDir: join(folder, name), link }));
  return ['agent', 'run', '--config', config, '--replay', trace, '--speed', speed];
}

test('SIGHUP: board and aggregator connect anew at once, with renewed certificates, and go on', LIMIT, async (t) => {
  const broker = await startBroker(t, hub);
  const first = { board: await authority.issue({ name: 'pi-1' }), server: await authority.issue({ name: 'leader' }) };
  const boardFiles = install(first.board, 'pi-1');
  const { ca, cert, key } = install(first.server, 'leader');
  const options = ['--http', 'off', '--broker', broker.url, '--ca', ca, '--cert', cert, '--key', key];
  const server = startQqr(['server', 'run', ...options, '--boards', '2', '--state', join(folder, 'server')]);
  const agent = startQqr(await boardArguments('pi-1', { ...boardFiles, url: broker.url }, '1'));
  t.after(() => [server, agent].forEach(({ child }) => void child.kill('SIGKILL')));
  await Promise.all([
    broker.seen('pi-1', first.board.serialNumber),
    broker.seen('qqr-server-default', first.server.serialNumber),
    server.logged('aggregator ready'),
    agent.logged('link up'),
  ]);

  const renewed = { board: await authority.issue({ name: 'pi-1' }), server: await authority.issue({ name: 'leader' }) };
  install(renewed.board, 'pi-1');
  install(renewed.server, 'leader');
  for (const { child } of [server, agent]) child.kill('SIGHUP');
  await Promise.all([
    broker.seen('pi-1', renewed.board.serialNumber),
    broker.seen('qqr-server-default', renewed.server.serialNumber),
  ]);
  for (const { child, ended } of [agent, server]) {
    child.kill('SIGTERM');
    const { code, errors } = await ended;
    assert.equal(code, 0, errors);
    assert.doesNotMatch(errors, /link down/);
  }
});

test(
  "a broker's certificate that is not valid yet: the board says so, goes on with its windows, and joins later",
  LIMIT,
  async (t) => {
    const early = await authority.issue({ name: 'hub-early', fromDays: 2 });
    const broker = await startBroker(t, early);
    const own = await authority.issue({ name: 'pi-2', untilDays: 12.5 });
    const agent = startQqr(await boardArguments('pi-2', { ...install(own, 'pi-2'), url: broker.url }, 'max'));
    t.after(() => agent.child.kill('SIGKILL'));
    const [down, expiring] = await Promise.all([
      agent.logged('link down'),
      agent.logged('certificate expires soon'),
      agent.logged('stream ended'),
    ]);
    assert.equal(down['code'], 'link-untrusted');
    assert.match(String(down['error']), /the clock here says \S+Z, the certificate is valid from \S+Z \(hub-early\)/);
    assert.match(String(down['hint']), /Wait for time synchronization/);
    assert.equal(expiring['days'], 12);
    const store = openAgentStore(agentStorePath(join(folder, 'pi-2')), { owner: false });
    const windows = store.countWindows({ afterIndex: -1, classes: smallPlan().classes });
    store.close();
    assert.equal(windows, smallPlan().boards[0]?.windows.length);

    broker.server.setSecureContext({ cert: hub.certPem, key: hub.keyPem, ca: authority.caPem });
    agent.child.kill('SIGHUP');
    await broker.seen('pi-2', own.serialNumber);
    agent.child.kill('SIGTERM');
    assert.equal((await agent.ended).code, 0);
  },
);

test('the doctor sees whether the broker takes the certificate', LIMIT, async (t) => {
  const { url } = await startBroker(t, hub);
  const { cert, key } = await authority.issue({ name: 'pi-3' });
  assert.match(
    await reachBroker({ url, ca: authority.ca, cert, key }),
    /accepts this board's certificate with TLSv1\.3/,
  );
  const stranger = await (await createTestAuthority(folder, 'Foreign CA', 'foreign')).issue({ name: 'pi-x' });
  const refused = (error: unknown) => error instanceof AppError && /may refuse .*pi-x\.crt/.test(`${error.hint}`);
  await assert.rejects(reachBroker({ url, ca: authority.ca, cert: stranger.cert, key: stranger.key }), refused);
  const plain = createServer((socket) => socket.resume());
  plain.listen(0, '127.0.0.1');
  await once(plain, 'listening');
  t.after(() => plain.close());
  const plainUrl = `mqtt://127.0.0.1:${(plain.address() as AddressInfo).port}`;
  assert.equal(await reachBroker({ url: plainUrl }), `${plainUrl} accepts connections`);
});
