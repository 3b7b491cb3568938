/**
 * An MQTT broker inside the aggregator's process, so that a fleet of a few hundred boards needs no other program.
 * Boards reach it over TCP or TLS; the aggregator over a listener of its own on loopback, with a secret that is new at each start.
 * What waits for boards that are away is in memory and, with a state folder, in a journal: a crash loses nothing that was acknowledged.
 * What the aggregator itself retains is not written: it is told anew at each start, and an old plan must not be told before it.
 * Source: aedes; MQTT 3.1.1. Of aedes' own habits four are replaced: it buffers as much as a packet claims, acknowledges before it
 * keeps, waits for clients that do not read, and knows no bounds of what it keeps.
 */
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { TlsOptions } from 'node:tls';
import { Aedes, type AedesOptions, type Client, type PublishPacket } from 'aedes';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import { AGGREGATOR, maySubscribe } from '../../core/wire/access.ts';
import { type AccessFiles, type BrokerAccess, type Proof, readAccessFiles } from './access-files.ts';
import { createAttempts } from './attempts.ts';
import { type Authenticator, createAuthenticator, type Origin } from './authenticate.ts';
import { type Authorizer, createAuthorizer } from './authorize.ts';
import { type BoardListener, createBoardListener, type ListenerParts } from './board-listener.ts';
import { type BrokerCounters, createBrokerCounters } from './broker-counters.ts';
import { type BrokerLimits, DEFAULT_BROKER_LIMITS } from './broker-limits.ts';
import { isSameSecret } from './password-file.ts';
import { noJournal, openSessionJournal } from './session-journal.ts';
import { createSessionStore, type SessionCounts, type SessionStore } from './session-store.ts';
import type { ClientWill } from './stored-entries.ts';

export interface EmbeddedBrokerOptions {
  /** Address to listen on, e.g. `127.0.0.1`, or `0.0.0.0` for boards elsewhere. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Largest MQTT packet taken, bytes; a larger one ends its connection. */
  readonly maxPacketBytes: number;
  /** Default: everybody may do everything, over plain TCP. */
  readonly access?: BrokerAccess;
  /** Folder for sessions and retained messages; default: they end with the process. */
  readonly sessionDir?: string;
  readonly limits?: Partial<BrokerLimits>;
  /** Default: the system's. */
  readonly clock?: Clock;
  readonly log: Log;
}

/** How the aggregator itself connects. */
export interface OwnAccess {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** That no board can have. */
  readonly clientId: string;
}

export interface EmbeddedBroker extends Lifecycle {
  /** `mqtt://host:port` or `mqtts://host:port`, once started. */
  url(): string;
  /** Once started. */
  ownAccess(): OwnAccess;
  /**
   * Reads password file, certificates and revocation list again; when one of them is wrong, all stay as they were.
   * Ends connections whose password is not the same any more, and all when the revocation list is another. @throws AppError `config-invalid`
   */
  reload(): Promise<void>;
  /** Since the start. */
  counts(): BrokerCounts;
  /** What it shows to clients now, PEM; null without TLS. */
  certificate(): string | null;
}

export type BrokerCounts = BrokerCounters & SessionCounts;

interface Running {
  readonly broker: Aedes;
  readonly boards: BoardListener;
  readonly own: BoardListener;
  readonly store: SessionStore;
  readonly ending: AbortController;
  readonly closeJournal: () => Promise<void>;
  readonly secret: string;
  readonly userOf: Authenticator['userOf'];
}

/** The largest packet before a client has proved who it is: CONNECT with a name, a password and a will. */
const MAX_CONNECT_BYTES = 65_536;
const EXPIRE_EVERY_MS = 3_600_000;
const UNBOUNDED = 1e12;
/** When so much waits for the aggregator, boards wait for their PUBACKs. */
const OWN_QUEUE_BYTES = 64 * 2 ** 20;
const OWN_CONNECTIONS = 8;

export function createEmbeddedBroker(options: EmbeddedBrokerOptions): EmbeddedBroker {
  const { host, access, log } = options;
  const counters = createBrokerCounters();
  let files: AccessFiles = { proof: { kind: 'none' }, tls: null };
  let running: Running | null = null;
  const started = (): Running => {
    if (running === null) throw new RangeError('not started');
    return running;
  };
  const stop = async () => {
    const parts = running;
    running = null;
    if (parts !== null) await end(parts);
  };
  return {
    async start(signal) {
      signal.throwIfAborted();
      files = await readAccessFiles(access, log);
      running = await assemble(options, () => files, counters);
      try {
        await running.own.listen();
        await running.boards.listen();
      } catch (error) {
        await stop();
        throw error;
      }
      signal.addEventListener('abort', () => void stop(), { once: true });
    },
    stop,
    url() {
      const name = host.includes(':') ? `[${host}]` : host;
      return `${files.tls === null ? 'mqtt' : 'mqtts'}://${name}:${started().boards.port()}`;
    },
    ownAccess() {
      const { own, secret } = started();
      const url = `mqtt://127.0.0.1:${own.port()}`;
      return { url, username: AGGREGATOR, password: secret, clientId: `${AGGREGATOR}/embedded` };
    },
    async reload() {
      const before = files;
      files = await readAccessFiles(access, log);
      if (running === null) return;
      if (files.tls !== null) running.boards.renew(files.tls, files.tls.crl !== before.tls?.crl);
      endChanged(running, before.proof, files.proof);
      log.info({ host }, 'access files read again');
    },
    counts: () => ({ ...counters, ...started().store.counts() }),
    certificate: () => (files.tls === null ? null : String(files.tls.cert)),
  };
}

async function assemble(
  options: EmbeddedBrokerOptions,
  files: () => AccessFiles,
  counters: BrokerCounters,
): Promise<Running> {
  const { sessionDir, clock = systemClock, log } = options;
  const limits = limitsOf(options);
  const topics = files().proof.kind === 'none' ? null : (options.access?.topics ?? null);
  const { journal, stored } =
    sessionDir === undefined ? { journal: noJournal, stored: null } : await openSessionJournal(sessionDir, log);
  const ending = new AbortController();
  const secret = randomBytes(32).toString('hex');
  const origins = new WeakMap<object, Origin>();
  const store = createSessionStore({
    limits,
    journal,
    stored,
    wallMs: clock.wallMs,
    accepts: (clientId, filter) => topics === null || maySubscribe(topics, userOfId(clientId), filter),
    isAggregator: (clientId) => userOfId(clientId) === AGGREGATOR,
  });
  const authenticator = createAuthenticator({
    originOf: ({ conn }) => origins.get(conn),
    proof: () => files().proof,
    secret: Buffer.from(secret),
    attempts: createAttempts(clock, ending.signal),
    counters,
    log,
  });
  const { userOf } = authenticator;
  const authorizer = createAuthorizer({
    broker: () => broker,
    topics,
    userOf,
    maxSubscriptions: limits.subscriptions,
    queueBytes: limits.queueBytes,
    flushed: store.flushed,
    counters,
    log,
  });
  const broker: Aedes = await Aedes.createBroker(aedesOptions(limits, store, authenticator, authorizer));
  watch(broker, store, authorizer, log);
  for (const will of store.takeLeftWills()) publishLeftWill(broker, authorizer, will);
  keepExpiring(store, ending.signal, log);
  const handle = (connection: Duplex, origin: Origin) => {
    origins.set(connection, origin);
    broker.handle(connection);
  };
  const listeners = createListeners(options, limits, files().tls, { clock, counters, log, handle });
  return { broker, ...listeners, store, ending, closeJournal: journal.close, secret, userOf };
}

/** What may wait for a client is never less than two packets: one that is under way and one that comes. */
function limitsOf({ limits = {}, maxPacketBytes }: EmbeddedBrokerOptions): BrokerLimits {
  const all = { ...DEFAULT_BROKER_LIMITS, ...limits };
  return { ...all, queueBytes: Math.max(all.queueBytes, 2 * maxPacketBytes) };
}

/** Of a client that came in where names are proved: see `admitted` in authenticate.ts. */
function userOfId(clientId: string): string {
  return clientId.split('/', 1)[0] as string;
}

function createListeners(
  { host, port, maxPacketBytes }: EmbeddedBrokerOptions,
  limits: BrokerLimits,
  tls: TlsOptions | null,
  shared: Pick<ListenerParts, 'clock' | 'counters' | 'log'> & { handle(from: Duplex, origin: Origin): void },
): Pick<Running, 'boards' | 'own'> {
  const { packetsPerSecond, queueBytes, connections, connectionsPerAddress } = limits;
  const bounds = { maxBytes: maxPacketBytes, maxFirstBytes: MAX_CONNECT_BYTES, packetsPerSecond, queueBytes };
  const boards = createBoardListener({ ...shared, host, port, tls, bounds, connections, connectionsPerAddress });
  const own = createBoardListener({
    ...shared,
    host: '127.0.0.1',
    port: 0,
    tls: null,
    bounds: { ...bounds, maxBytes: UNBOUNDED, packetsPerSecond: UNBOUNDED, queueBytes: OWN_QUEUE_BYTES },
    connections: OWN_CONNECTIONS,
    connectionsPerAddress: OWN_CONNECTIONS,
    handle: (connection) => shared.handle(connection, { kind: 'own' }),
  });
  return { boards, own };
}

function aedesOptions(
  limits: BrokerLimits,
  store: SessionStore,
  { authenticate }: Authenticator,
  { hooks }: Authorizer,
): AedesOptions {
  return {
    id: 'qqr',
    persistence: store.persistence,
    concurrency: 0, // a client that does not read holds up nobody else
    queueLimit: 1000,
    connectTimeout: limits.connectMs,
    preConnect(_client, packet, done) {
      if (!packet.keepalive || packet.keepalive > limits.keepaliveS) packet.keepalive = limits.keepaliveS;
      done(null, true);
    },
    authenticate,
    ...hooks,
  };
}

function watch(broker: Aedes, store: SessionStore, authorizer: Authorizer, log: Log): void {
  broker.on('clientError', (client, error) => {
    const wasRefused = (error as { returnCode?: number }).returnCode !== undefined; // has a line in the log
    if (!wasRefused) log.warn({ device: client.id, error: error.message }, 'client dropped');
  });
  broker.on('connectionError', (_client, error) => log.debug({ error: error.message }, 'connection refused'));
  broker.on('client', ({ id }) => store.touch(id));
  broker.on('clientDisconnect', ({ id }) => store.touch(id));
  broker.on('unsubscribe', (filters, client) => authorizer.unsubscribed(client, filters));
}

/** The connection ended with the process before: what it left to say is said now (MQTT 3.1.1 §3.1.2.5). */
function publishLeftWill(broker: Aedes, { hooks }: Authorizer, { clientId, ...message }: ClientWill): void {
  const packet = { cmd: 'publish', clientId, dup: false, ...message } as unknown as PublishPacket;
  hooks.authorizePublish(null, Object.assign({}, packet, { cmd: 'will' }), (error) => {
    if (!error) broker.publish(packet, () => undefined);
  });
}

function keepExpiring(store: SessionStore, signal: AbortSignal, log: Log): void {
  const expire = () => {
    const sessions = store.expire();
    if (sessions > 0) log.info({ sessions }, 'sessions forgotten: not used for too long');
  };
  const timer = setInterval(expire, EXPIRE_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  expire();
}

/** Ends connections whose user is gone or has another password. */
function endChanged({ broker, userOf }: Running, before: Proof, now: Proof): void {
  if (before.kind !== 'passwords' || now.kind !== 'passwords') return;
  const { clients } = broker as unknown as { clients: Readonly<Record<string, Client>> };
  for (const client of Object.values(clients)) {
    const user = userOf(client);
    if (user === null || user === AGGREGATOR) continue;
    if (!isSameSecret(before.passwords.get(user), now.passwords.get(user))) client.close();
  }
}

async function end({ broker, boards, own, ending, closeJournal }: Running): Promise<void> {
  ending.abort();
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  await Promise.all([boards.close(), own.close()]);
  await closeJournal();
}
