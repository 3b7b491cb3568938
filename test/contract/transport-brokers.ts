/** The brokers that the transport contract is run over: ours in memory, aedes on TCP and TLS, and a real Mosquitto where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { Aedes } from 'aedes';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import type { LinkFiles } from '../../core/link/link-files.ts';
import { createMemoryBroker, type MemoryLinkOptions } from '../../core/link/memory.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import type { Transport } from '../../core/link/transport.ts';
import { createEmbeddedBroker } from '../../server/source/embedded.ts';
import { createTestAuthority, type Issued } from '../fixtures/certificates.ts';
import { accepts, freePort } from '../fixtures/tcp-port.ts';

export interface TestBroker {
  transport(options: MemoryLinkOptions): Promise<Transport>;
  /** Breaks the client's connection without a goodbye. */
  cut(clientId: string): void;
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export interface BrokerKind {
  readonly name: string;
  /** Why it cannot run here, or null. */
  readonly missing: string | null;
  open(): Promise<TestBroker>;
}

const FAST = { baseMs: 5, capMs: 50 };

export function mqttLink(url: string, options: MemoryLinkOptions, files: LinkFiles = {}): Transport {
  return createMqttTransport({
    ...options,
    url,
    files,
    startup: 'require',
    backoff: FAST,
    clock: systemClock,
    random: Math.random,
  });
}

async function openMemory(): Promise<TestBroker> {
  const broker = createMemoryBroker();
  return {
    transport: async (options) => broker.transport(options),
    cut: (clientId) => broker.cut(clientId),
    down: async () => broker.down(),
    up: async () => broker.up(),
    close: async () => broker.down(),
  };
}

/** Certificates of a broker and of its clients, in a folder of their own. */
async function makeCertificates() {
  const folder = mkdtempSync(join(tmpdir(), 'contract-tls-'));
  const authority = await createTestAuthority(folder);
  const server = await authority.issue({ name: 'hub' });
  const { cert, key } = await authority.issue({ name: 'pi-1', hosts: ['pi-1'] });
  return { folder, caPem: authority.caPem, server, files: { ca: authority.ca, cert, key } };
}

type Certificates = Awaited<ReturnType<typeof makeCertificates>>;

/** Listens on a fixed port again and again; sockets are dropped with the listener. */
function restartable(
  handle: (socket: Socket) => void,
  tls: { readonly server: Issued; readonly caPem: string } | null = null,
): {
  listen(port: number): Promise<number>;
  drop(): Promise<void>;
} {
  let server: Server | null = null;
  const sockets = new Set<Socket>();
  const take = (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    handle(socket);
  };
  return {
    async listen(port) {
      server =
        tls === null
          ? createServer(take)
          : createTlsServer(
              {
                cert: tls.server.certPem,
                key: tls.server.keyPem,
                ca: tls.caPem,
                requestCert: true,
                rejectUnauthorized: true,
              },
              take,
            );
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      return (server.address() as AddressInfo).port;
    },
    async drop() {
      if (server === null) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      server = null;
      await closed;
    },
  };
}

async function openAedes(tls: Certificates | null = null): Promise<TestBroker> {
  const aedes = await Aedes.createBroker();
  const listener = restartable((socket) => aedes.handle(socket), tls);
  const port = await listener.listen(0);
  const url = `${tls === null ? 'mqtt' : 'mqtts'}://127.0.0.1:${port}`;
  const clients = () => (aedes as unknown as { clients: Record<string, { conn: Socket }> }).clients;
  return {
    transport: async (options) => mqttLink(url, options, tls?.files),
    cut: (clientId) => void clients()[clientId]?.conn.destroy(),
    down: () => listener.drop(),
    up: async () => void (await listener.listen(port)),
    async close() {
      await listener.drop();
      await new Promise<void>((resolve) => aedes.close(resolve));
      if (tls !== null) rmSync(tls.folder, { recursive: true });
    },
  };
}

export const MOSQUITTO = ['mosquitto', '/usr/sbin/mosquitto'].find(
  (program) => spawnSync(program, ['-h']).error === undefined,
);

/** Clients reach the broker on `port` through a relay each, so that one connection can be cut. */
function relaysTo(port: number, files?: LinkFiles) {
  const relays: ReturnType<typeof restartable>[] = [];
  const cuts = new Map<string, () => void>();
  return {
    async transport(options: MemoryLinkOptions): Promise<Transport> {
      const ends = new Set<Socket>();
      const relay = restartable((near) => {
        const far = connect(port, '127.0.0.1');
        ends.add(near).add(far);
        near.pipe(far).pipe(near);
        const hangUp = () => {
          near.destroy();
          far.destroy();
        };
        for (const end of [near, far]) end.on('error', hangUp).on('close', hangUp);
      });
      cuts.set(options.clientId, () => ends.forEach((end) => void end.destroy()));
      relays.push(relay);
      const scheme = files === undefined ? 'mqtt' : 'mqtts';
      return mqttLink(`${scheme}://127.0.0.1:${await relay.listen(0)}`, options, files);
    },
    cut: (clientId: string) => cuts.get(clientId)?.(),
    async drop() {
      for (const relay of relays) await relay.drop();
    },
  };
}

/** Ours, with its journal on disk: what it has kept is there when it is up again. */
async function openEmbedded(): Promise<TestBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-broker-'));
  const port = await freePort();
  const relays = relaysTo(port);
  const sessionDir = join(folder, 'broker');
  const create = () =>
    createEmbeddedBroker({ host: '127.0.0.1', port, maxPacketBytes: 2 ** 20, sessionDir, log: silentLog });
  let broker = create();
  const up = async () => {
    broker = create();
    await broker.start(new AbortController().signal);
  };
  await up();
  return {
    transport: relays.transport,
    cut: relays.cut,
    down: () => broker.stop(),
    up,
    async close() {
      await relays.drop();
      await broker.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

async function openMosquitto(tls: Certificates | null = null): Promise<TestBroker> {
  const folder = mkdtempSync(join(tmpdir(), 'mosquitto-'));
  const port = await freePort();
  const config = join(folder, 'mosquitto.conf');
  const access =
    tls === null
      ? 'allow_anonymous true'
      : mosquittoTls({ ca: tls.files.ca, cert: tls.server.cert, key: tls.server.key });
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\n${access}\npersistence true\npersistence_location ${folder}/\nuser root\n`,
  );
  let child: ChildProcess | null = null;
  const relays = relaysTo(port, tls?.files);

  const up = async () => {
    child = spawn(MOSQUITTO as string, ['-c', config], { stdio: 'ignore' });
    await accepts(port);
  };
  const down = async () => {
    if (child === null) return;
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    child = null;
    await gone;
  };
  await up();
  return {
    transport: relays.transport,
    cut: relays.cut,
    down,
    up,
    async close() {
      await relays.drop();
      await down();
      rmSync(folder, { recursive: true });
      if (tls !== null) rmSync(tls.folder, { recursive: true });
    },
  };
}

/** A listener that lets in who has a certificate of the CA, under the name that stands in it. */
export function mosquittoTls({ ca, cert, key, crl }: { ca: string; cert: string; key: string; crl?: string }): string {
  const lines = [`cafile ${ca}`, `certfile ${cert}`, `keyfile ${key}`, 'require_certificate true'];
  if (crl !== undefined) lines.push(`crlfile ${crl}`);
  return [...lines, 'use_identity_as_username true', 'allow_anonymous false'].join('\n');
}

const NO_MOSQUITTO = MOSQUITTO === undefined ? 'mosquitto not installed' : null;

export const BROKERS: readonly BrokerKind[] = [
  { name: 'memory', missing: null, open: openMemory },
  { name: 'mqtt.ts over aedes', missing: null, open: () => openAedes() },
  { name: 'mqtt.ts over aedes with TLS', missing: null, open: async () => openAedes(await makeCertificates()) },
  { name: 'mqtt.ts over the embedded broker', missing: null, open: openEmbedded },
  { name: 'mqtt.ts over mosquitto', missing: NO_MOSQUITTO, open: () => openMosquitto() },
  {
    name: 'mqtt.ts over mosquitto with TLS',
    missing: NO_MOSQUITTO,
    open: async () => openMosquitto(await makeCertificates()),
  },
];
