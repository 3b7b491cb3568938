/**
 * The real link: MQTT 3.1.1 over TCP or TLS, QoS 1, through mqtt.js (this is the only file that imports it).
 * Each connection is a fresh mqtt.js client that never reconnects by itself, so nothing is queued in memory or sent again behind our back:
 * that is the outbox's work. With clean = false the broker keeps the session under the stable client id.
 * Invariant: a QoS 1 message is acknowledged only after its handlers have resolved (§4.3.2), and only on the connection it came on.
 */
import { Buffer } from 'node:buffer';
import { setMaxListeners } from 'node:events';
import { type IClientOptions, type IPublishPacket, MqttClient } from 'mqtt';
import type { Clock } from '../base/clock.ts';
import { AppError, errorFields } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { type BackoffOptions, backoffMs } from '../base/retry.ts';
import { answered } from './answered.ts';
import { openBrokerSocket } from './broker-socket.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { linkError } from './link-error.ts';
import { type LinkFiles, readLinkFiles } from './link-files.ts';
import { createTrafficMeter, type TrafficMeter } from './traffic-meter.ts';
import type { LastWill, Transport } from './transport.ts';

export interface MqttOptions {
  /** `mqtt://host:1883`, or `mqtts://host:8883` for TLS */
  readonly url: string;
  /** Stable per device: the broker keeps the session under it. */
  readonly clientId: string;
  /** False: the broker keeps subscriptions and undelivered QoS 1 messages while the client is away. */
  readonly clean: boolean;
  /** `require`: `start` rejects when the first connection fails. `retry`: `start` resolves at once and the link goes on trying. */
  readonly startup: 'require' | 'retry';
  readonly will?: LastWill;
  readonly username?: string;
  readonly password?: string;
  /** Read anew for every connection. CA, certificate and key are for `mqtts://` alone; `passwordFile` wins over `password`. */
  readonly files?: LinkFiles;
  /** Default 30. */
  readonly keepaliveSeconds?: number;
  /** For TCP and TLS, and again for CONNACK. Default 10,000. */
  readonly connectTimeoutMs?: number;
  /** For a PUBACK or a SUBACK, beside a second for each kilobyte sent. Default 30,000. */
  readonly ackTimeoutMs?: number;
  /** Default 500 ms doubling to 60 s, full jitter. */
  readonly backoff?: BackoffOptions;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log?: Log;
}

interface Connection {
  readonly client: MqttClient;
  /** Aborts with an AppError when the connection is gone. */
  readonly lost: AbortSignal;
}

/** A connection that lived this long starts the back-off anew when it breaks. */
const STABLE_MS = 10_000;
/** With this much waiting for the handlers, no more is read from the socket. */
const INBOX_LIMIT_BYTES = 64 * 2 ** 20;
/** How long the broker has to close the connection after our DISCONNECT. */
const DISCONNECT_GRACE_MS = 1000;
const CONNECT_TIMEOUT_MS = 10_000;
const ACK_TIMEOUT_MS = 30_000;
/** A message may take as long as it does at this speed, before the wait for its PUBACK begins. */
const SLOWEST_BYTES_PER_MS = 1;
const BACKOFF: BackoffOptions = { baseMs: 500, capMs: 60_000 };

export function createMqttTransport(options: MqttOptions): Transport {
  const { url, clientId, startup, ackTimeoutMs = ACK_TIMEOUT_MS, clock, log = silentLog } = options;
  const inbox = createInbox(log);
  const meter = createTrafficMeter();
  const openSecrets = new Set<string>(); // warned of
  const listeners: ((connected: boolean) => void)[] = [];
  const stopping = new AbortController();
  let current: Connection | null = null;
  let running: Promise<void> = Promise.resolve();
  let renewal = new AbortController();

  function reconnect(reason = 'as was asked for'): void {
    const before = renewal;
    renewal = new AbortController();
    before.abort(new AppError('link-unavailable', `the link is made anew: ${reason}`, { where: url }));
  }

  /** Connects and brings the subscriptions back; from then on the link is up until the connection is lost. */
  async function establish(signal: AbortSignal): Promise<Connection> {
    const connection = await open(options, { inbox, meter, openSecrets }, signal);
    try {
      for (const filter of inbox.filters()) await requestFilter(connection, filter, options);
      signal.throwIfAborted();
    } catch (error) {
      connection.client.stream.destroy();
      throw error;
    }
    current = connection;
    connection.lost.addEventListener('abort', () => {
      current = null;
      for (const listener of listeners) listener(false);
    });
    log.info({ url, clientId }, 'link up');
    for (const listener of listeners) listener(true);
    return connection;
  }

  return {
    async start(signal) {
      signal.addEventListener('abort', () => stopping.abort(signal.reason), { once: true });
      const first = startup === 'require' ? await establish(stopping.signal) : null;
      running = keepConnected(first, establish, () => renewal.signal, options, stopping.signal);
    },
    async stop() {
      stopping.abort(new AppError('link-unavailable', 'the link was stopped', { where: url }));
      await running;
      await inbox.idle();
    },
    async publish(topic, payload, { qos, retain = false }) {
      if (current === null) throw linkError(new Error('not connected'), url);
      const { client, lost } = current;
      const sent = client.publishAsync(topic, Buffer.from(payload), { qos, retain });
      const limitMs = ackTimeoutMs + Math.round(payload.length / SLOWEST_BYTES_PER_MS);
      await answered(sent, `PUBACK for ${topic}`, lost, { url, clock, limitMs });
    },
    async subscribe(filter, handler) {
      inbox.listen(filter, handler);
      const connection = current;
      if (connection === null) return;
      await requestFilter(connection, filter, options).catch((error: unknown) => {
        const isUnanswered = error instanceof AppError && error.code === 'timeout';
        if (isUnanswered) reconnect(error.message);
        if (!isUnanswered && !connection.lost.aborted) throw error; // else the next connection brings it back
      });
    },
    onState: (listener) => void listeners.push(listener),
    reconnect,
    traffic: meter.traffic,
  };
}

interface Shared {
  readonly inbox: Inbox;
  readonly meter: TrafficMeter;
  /** Sentences that were logged already. */
  readonly openSecrets: Set<string>;
}

/** Resolves after CONNACK; gives up when `signal` aborts. */
async function open(options: MqttOptions, shared: Shared, signal: AbortSignal): Promise<Connection> {
  const { url, files = {}, connectTimeoutMs: timeoutMs = CONNECT_TIMEOUT_MS, clock, log = silentLog } = options;
  const secrets = await readLinkFiles(files);
  for (const warning of secrets.warnings.filter((sentence) => !shared.openSecrets.has(sentence))) {
    shared.openSecrets.add(warning);
    log.warn({ url, warning }, 'a secret is open to others');
  }
  const { socket, explain } = await openBrokerSocket({ url, files, secrets }, { timeoutMs, clock, signal });
  if (signal.aborted || socket.destroyed) {
    socket.destroy(); // it has closed before mqtt.js could hear of it
    throw signal.aborted ? signal.reason : explain(null, false);
  }
  shared.meter.watch(socket);
  const client = new MqttClient(() => socket, mqttJsOptions(options, secrets.password ?? options.password, timeoutMs));
  const lost = new AbortController();
  setMaxListeners(0, lost.signal); // one listener for each answer that is waited for
  let cause: unknown = null;
  let hasAnswered = false;
  receive(client, shared.inbox, lost.signal);
  socket.once('error', (error) => {
    cause ??= error;
  });
  client.on('error', (error) => {
    cause ??= error;
    socket.destroy();
  });
  client.once('close', () => {
    client.end(true);
    lost.abort(explain(cause, hasAnswered));
  });
  const hangUp = () => void socket.destroy();
  signal.addEventListener('abort', hangUp, { once: true });
  return new Promise<Connection>((resolve, reject) => {
    client.once('connect', () => {
      hasAnswered = true;
      resolve({ client, lost: lost.signal });
    });
    lost.signal.addEventListener('abort', () => reject(lost.signal.reason), { once: true });
  }).finally(() => signal.removeEventListener('abort', hangUp));
}

/** Lets mqtt.js read on at once (a handler may itself wait for a PUBACK), and acknowledges when the handlers are done. */
function receive(client: MqttClient, inbox: Inbox, lost: AbortSignal): void {
  client.handleMessage = ({ topic, payload, retain, qos, messageId }: IPublishPacket, next) => {
    const goOn = () => next(new Error('acknowledged later')); // all that mqtt.js does with it is not to send a PUBACK of its own
    const held = inbox.waitingBytes() > INBOX_LIMIT_BYTES;
    inbox.push({ topic, payload: new Uint8Array(Buffer.from(payload)), retained: retain }, (handled) => {
      if (qos === 1 && handled && !lost.aborted) client.stream.write(puback(Number(messageId)));
      if (held) goOn();
    });
    if (!held) goOn();
  };
}

async function requestFilter({ client, lost }: Connection, filter: string, options: MqttOptions): Promise<void> {
  const { url, clock, ackTimeoutMs: limitMs = ACK_TIMEOUT_MS } = options;
  const asked = client.subscribeAsync(filter, { qos: 1 });
  const granted = await answered(asked, `SUBACK for ${filter}`, lost, { url, clock, limitMs });
  if (granted.every(({ qos }) => qos <= 2)) return;
  throw new AppError('link-unavailable', `the broker refuses the subscription ${filter}`, {
    where: url,
    hint: "Allow this user to read the topic in the broker's access list.",
  });
}

/**
 * Replaces each lost connection, after a jittered pause, until `signal` aborts; then ends the last one politely.
 * @param renewal aborts when the connection is to be replaced at once; another one afterwards
 */
async function keepConnected(
  first: Connection | null,
  establish: (signal: AbortSignal) => Promise<Connection>,
  renewal: () => AbortSignal,
  { url, clock, random, backoff = BACKOFF, log = silentLog }: MqttOptions,
  signal: AbortSignal,
): Promise<void> {
  let connection = first;
  for (let attempt = 0; !signal.aborted; attempt++) {
    const since = clock.nowMs();
    const renewed = renewal();
    const until = AbortSignal.any([signal, renewed]);
    try {
      connection ??= await establish(until);
      await gone(connection, until, clock);
    } catch (error) {
      if (signal.aborted) return;
      if (clock.nowMs() - since > STABLE_MS) attempt = 0;
      if (!renewed.aborted) log.warn({ url, attempt, ...errorFields(error) }, 'link down');
    }
    connection = null;
    await clock.sleep(backoffMs(attempt, backoff, random), until).catch(() => undefined); // woken by stop and renewal
    if (renewed.aborted) attempt = -1;
  }
}

/** Rejects with the reason when the connection is lost. When `signal` aborts, says goodbye first, so that no will is published. */
async function gone({ client, lost }: Connection, signal: AbortSignal, clock: Clock): Promise<never> {
  const sayGoodbye = () => {
    if (lost.aborted) return;
    client.stream.end(Uint8Array.of(0xe0, 0x00)); // DISCONNECT, §3.14
    const hangUp = () => void client.stream.destroy();
    clock.sleep(DISCONNECT_GRACE_MS, lost).then(hangUp, () => undefined); // rejects when the broker has closed in time
  };
  signal.addEventListener('abort', sayGoodbye, { once: true });
  if (signal.aborted) sayGoodbye();
  try {
    return await new Promise<never>((_, reject) => {
      if (lost.aborted) reject(lost.reason);
      lost.addEventListener('abort', () => reject(lost.reason), { once: true });
    });
  } finally {
    signal.removeEventListener('abort', sayGoodbye);
  }
}

/** PUBACK, §3.4: fixed header, remaining length 2, packet identifier. */
function puback(messageId: number): Uint8Array {
  return Uint8Array.of(0x40, 0x02, messageId >> 8, messageId & 0xff);
}

function mqttJsOptions(
  { clientId, clean, will, username, keepaliveSeconds = 30 }: MqttOptions,
  password: string | undefined,
  connackTimeoutMs: number,
): IClientOptions {
  return {
    clientId,
    clean,
    protocolVersion: 4,
    keepalive: keepaliveSeconds,
    connectTimeout: connackTimeoutMs,
    reconnectPeriod: 0,
    resubscribe: false,
    reschedulePings: false, // packets of our own are no sign of the broker's life: else a board that sends never finds a dead link
    queueQoSZero: false,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(will === undefined ? {} : { will: { retain: false, ...will, payload: Buffer.from(will.payload) } }),
  };
}
