/**
 * A broker and its links in memory, for tests and for replays in one process: MQTT's QoS 1, sessions, retained messages and wills,
 * with faults drawn from a seed. Every hop takes a turn of the event loop, so nothing here returns into its caller.
 * Faults: `loss` of a publish or of its PUBACK rejects the publish (the sender cannot tell which); loss on the way to a subscriber is
 * silent, as brokers with full queues do it. Same seed and same calls → same faults.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Clock, systemClock } from '../base/clock.ts';
import { AppError } from '../base/errors.ts';
import { type Log, silentLog } from '../base/log.ts';
import { createRng } from '../math/rng.ts';
import { createInbox, type Inbox } from './inbox.ts';
import { matchesFilter } from './topic-filter.ts';
import type { LastWill, Message, PublishOptions, Transport } from './transport.ts';

export interface MemoryBrokerOptions {
  /** Default 0. */
  readonly seed?: number | string;
  /** Probability that a hop loses its message. Default 0, as the next three. */
  readonly loss?: number;
  /** Probability that a hop delivers its message twice. */
  readonly duplicate?: number;
  /** Probability that a message overtakes those that wait for the same subscriber. */
  readonly reorder?: number;
  /** Each hop takes a time uniform in [0, delayMs]. */
  readonly delayMs?: number;
  readonly clock?: Clock;
}

export interface MemoryLinkOptions {
  readonly clientId: string;
  /** False: subscriptions and undelivered messages outlive the connection. */
  readonly clean: boolean;
  readonly will?: LastWill;
  readonly log?: Log;
}

export interface MemoryBroker {
  transport(options: MemoryLinkOptions): Transport;
  /** Breaks a client's connection; it comes back by itself while the broker is up. */
  cut(clientId: string): void;
  /** Breaks a client's connection for good, as when its process dies. */
  kill(clientId: string): void;
  /** Breaks all connections and refuses new ones until `up`. Sessions and retained messages survive. */
  down(): void;
  up(): void;
}

interface Session {
  readonly filters: Set<string>;
  /** Not handed to the client yet. */
  waiting: Message[];
  /** Handed over and not acknowledged: delivered again at the next connection. */
  readonly unacknowledged: Set<Message>;
  link: Link | null;
}

interface Link {
  readonly options: MemoryLinkOptions;
  readonly inbox: Inbox;
  readonly bytes: { sent: number; received: number };
  setState(connected: boolean): void;
}

interface Broker {
  readonly faults: Faults;
  /** By client id. */
  readonly sessions: Map<string, Session>;
  /** By topic. */
  readonly retained: Map<string, Message>;
  /** Links whose process lives: they connect whenever the broker is up. */
  readonly links: Set<Link>;
  isUp: boolean;
}

interface Faults {
  isLost(): boolean;
  /** How many of a message come out of a hop. */
  copies(): number;
  /** Where a message is put among `waiting` others. */
  place(waiting: number): number;
  hop(): Promise<void>;
}

export function createMemoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  const broker: Broker = {
    faults: createFaults(options),
    sessions: new Map(),
    retained: new Map(),
    links: new Set(),
    isUp: true,
  };
  const linkOf = (clientId: string) => broker.sessions.get(clientId)?.link ?? null;
  return {
    transport: (linkOptions) => createTransport(broker, linkOptions),
    cut(clientId) {
      const link = linkOf(clientId);
      if (link !== null) cut(broker, link);
    },
    kill(clientId) {
      const link = linkOf(clientId);
      if (link === null) return;
      broker.links.delete(link);
      detach(broker, link, { politely: false });
    },
    down() {
      broker.isUp = false;
      for (const link of broker.links) detach(broker, link, { politely: false });
    },
    up() {
      broker.isUp = true;
      for (const link of broker.links) attach(broker, link);
    },
  };
}

function createFaults(options: MemoryBrokerOptions): Faults {
  const { seed = 0, loss = 0, duplicate = 0, reorder = 0, delayMs = 0, clock = systemClock } = options;
  const rng = createRng(seed);
  const happens = (probability: number) => probability > 0 && rng.next() < probability;
  return {
    isLost: () => happens(loss),
    copies: () => (happens(duplicate) ? 2 : 1),
    place: (waiting) => (happens(reorder) ? rng.int(waiting + 1) : waiting),
    hop: () => (delayMs > 0 ? clock.sleep(rng.next() * delayMs) : turn()),
  };
}

function createTransport(broker: Broker, options: MemoryLinkOptions): Transport {
  const listeners: ((connected: boolean) => void)[] = [];
  const link: Link = {
    options,
    inbox: createInbox(options.log ?? silentLog),
    bytes: { sent: 0, received: 0 },
    setState(connected) {
      for (const listener of listeners) listener(connected);
    },
  };
  const stop = () => {
    broker.links.delete(link);
    detach(broker, link, { politely: true });
  };
  return {
    async start(signal) {
      broker.links.add(link);
      signal.addEventListener('abort', stop, { once: true });
      await turn();
      attach(broker, link);
    },
    async stop() {
      stop();
      await link.inbox.idle();
    },
    publish: (topic, payload, publishOptions) => publish(broker, link, { topic, payload }, publishOptions),
    async subscribe(filter, handler) {
      link.inbox.listen(filter, handler);
      const session = broker.sessions.get(options.clientId);
      if (session?.link === link) subscribe(broker, session, filter);
      await turn();
    },
    onState: (listener) => void listeners.push(listener),
    reconnect: () => cut(broker, link),
    traffic: () => ({ sentBytes: link.bytes.sent, receivedBytes: link.bytes.received }),
  };
}

async function publish(
  broker: Broker,
  link: Link,
  { topic, payload }: Pick<Message, 'topic' | 'payload'>,
  { qos, retain = false }: PublishOptions,
): Promise<void> {
  const { faults } = broker;
  assertConnected(broker, link);
  const own = payload.slice();
  link.bytes.sent += packetBytes({ topic, payload });
  const copies = faults.isLost() ? 0 : faults.copies();
  const isAnswered = copies > 0 && !faults.isLost();
  await faults.hop();
  for (let copy = 0; copy < copies && broker.isUp; copy++) accept(broker, topic, own, retain);
  if (qos === 0) return;
  await faults.hop();
  assertConnected(broker, link);
  if (!isAnswered) throw new AppError('link-unavailable', 'no PUBACK', { where: topic });
  link.bytes.received += PUBACK_BYTES;
}

function assertConnected({ sessions }: Broker, link: Link): void {
  const { clientId } = link.options;
  if (sessions.get(clientId)?.link === link) return;
  throw new AppError('link-unavailable', 'the link is down', { where: clientId });
}

/** The broker has a message: keeps it if retained (§3.3.1.3), and passes it to whoever asked. */
function accept(broker: Broker, topic: string, payload: Uint8Array, retain: boolean): void {
  if (retain && payload.length === 0) broker.retained.delete(topic);
  else if (retain) broker.retained.set(topic, { topic, payload, retained: true });
  for (const session of broker.sessions.values()) {
    const isAsked = [...session.filters].some((filter) => matchesFilter(filter, topic));
    if (isAsked) void send(broker, session, { topic, payload, retained: false });
  }
}

function subscribe(broker: Broker, session: Session, filter: string): void {
  session.filters.add(filter);
  for (const message of broker.retained.values()) {
    if (matchesFilter(filter, message.topic)) void send(broker, session, message);
  }
}

async function send({ faults }: Broker, session: Session, message: Message): Promise<void> {
  if (faults.isLost()) return;
  const copies = faults.copies();
  for (let copy = 0; copy < copies; copy++) {
    await faults.hop();
    session.waiting.splice(faults.place(session.waiting.length), 0, { ...message });
    void turn().then(() => flush(session)); // one more turn, so that messages wait together and can overtake one another
  }
}

function flush(session: Session): void {
  const { link } = session;
  if (link === null) return;
  for (const message of session.waiting.splice(0)) {
    session.unacknowledged.add(message);
    link.bytes.received += packetBytes(message);
    link.inbox.push(message, (handled) => {
      if (handled && session.link === link) session.unacknowledged.delete(message);
    });
  }
}

function attach(broker: Broker, link: Link): void {
  const { clientId, clean } = link.options;
  if (!broker.links.has(link) || !broker.isUp) return;
  const known = broker.sessions.get(clientId);
  if (known?.link === link) return;
  if (known !== undefined && known.link !== null) detach(broker, known.link, { politely: false }); // take-over, §3.1.4
  const session = known !== undefined && !clean ? known : emptySession();
  broker.sessions.set(clientId, session);
  session.waiting = [...session.unacknowledged, ...session.waiting];
  session.unacknowledged.clear();
  session.link = link;
  for (const filter of link.inbox.filters()) subscribe(broker, session, filter);
  link.setState(true);
  flush(session);
}

function detach(broker: Broker, link: Link, { politely }: { readonly politely: boolean }): void {
  const { clientId, clean, will } = link.options;
  const session = broker.sessions.get(clientId);
  if (session?.link !== link) return;
  session.link = null;
  if (clean) broker.sessions.delete(clientId);
  link.setState(false);
  if (!politely && will !== undefined) accept(broker, will.topic, will.payload.slice(), will.retain ?? false);
}

function cut(broker: Broker, link: Link): void {
  detach(broker, link, { politely: false });
  void turn().then(() => attach(broker, link));
}

function emptySession(): Session {
  return { filters: new Set(), waiting: [], unacknowledged: new Set(), link: null };
}

const PUBACK_BYTES = 4;

/** Size of a QoS 1 PUBLISH (§3.3): header, remaining length, topic, packet identifier, payload. */
function packetBytes({ topic, payload }: Pick<Message, 'topic' | 'payload'>): number {
  const remaining = 2 + Buffer.byteLength(topic) + 2 + payload.length;
  return 1 + Math.max(1, Math.ceil(Math.log2(remaining + 1) / 7)) + remaining;
}
