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
import type { LastWill, Message, Transport } from './transport.ts';

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
  /** Its process lives: it reconnects. */
  alive: boolean;
}

export function createMemoryBroker(options: MemoryBrokerOptions = {}): MemoryBroker {
  const { seed = 0, loss = 0, duplicate = 0, reorder = 0, delayMs = 0, clock = systemClock } = options;
  const rng = createRng(seed);
  const sessions = new Map<string, Session>();
  const retained = new Map<string, Message>();
  const links = new Set<Link>();
  let isUp = true;

  const happens = (probability: number) => probability > 0 && rng.next() < probability;
  const hop = () => (delayMs > 0 ? clock.sleep(rng.next() * delayMs) : turn());

  /** The broker has a message: keeps it if retained, and passes it to whoever asked. */
  function accept(topic: string, payload: Uint8Array, retain: boolean): void {
    if (retain && payload.length === 0) retained.delete(topic);
    else if (retain) retained.set(topic, { topic, payload, retained: true });
    for (const session of sessions.values()) {
      if ([...session.filters].some((filter) => matchesFilter(filter, topic))) {
        void send(session, { topic, payload, retained: false });
      }
    }
  }

  async function send(session: Session, message: Message): Promise<void> {
    if (happens(loss)) return;
    const copies = happens(duplicate) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      await hop();
      const place = happens(reorder) ? rng.int(session.waiting.length + 1) : session.waiting.length;
      session.waiting.splice(place, 0, { ...message });
      // One more turn, so that messages can wait together and overtake one another.
      void turn().then(() => flush(session));
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

  function subscribe(session: Session, filter: string): void {
    session.filters.add(filter);
    for (const message of retained.values()) if (matchesFilter(filter, message.topic)) void send(session, message);
  }

  function attach(link: Link): void {
    const { clientId, clean } = link.options;
    if (!link.alive || !isUp) return;
    const known = sessions.get(clientId);
    if (known?.link === link) return;
    if (known !== undefined && known.link !== null) detach(known.link, { politely: false }); // take-over, §3.1.4
    const session = known !== undefined && !clean ? known : emptySession();
    sessions.set(clientId, session);
    session.waiting = [...session.unacknowledged, ...session.waiting];
    session.unacknowledged.clear();
    session.link = link;
    for (const filter of link.inbox.filters()) subscribe(session, filter);
    link.setState(true);
    flush(session);
  }

  function detach(link: Link, { politely }: { readonly politely: boolean }): void {
    const { clientId, clean, will } = link.options;
    const session = sessions.get(clientId);
    if (session?.link !== link) return;
    session.link = null;
    if (clean) sessions.delete(clientId);
    link.setState(false);
    if (!politely && will !== undefined) accept(will.topic, will.payload.slice(), will.retain ?? false);
  }

  function sessionOf(link: Link): Session {
    const session = sessions.get(link.options.clientId);
    if (session?.link === link) return session;
    throw new AppError('link-unavailable', 'the link is down', { where: link.options.clientId });
  }

  async function publish(link: Link, topic: string, payload: Uint8Array, qos: 0 | 1, retain: boolean): Promise<void> {
    sessionOf(link);
    const own = payload.slice();
    link.bytes.sent += packetBytes({ topic, payload });
    const times = happens(loss) ? 0 : happens(duplicate) ? 2 : 1;
    const isAnswered = times > 0 && !happens(loss);
    await hop();
    for (let i = 0; i < times && isUp; i++) accept(topic, own, retain);
    if (qos === 0) return;
    await hop();
    sessionOf(link);
    if (!isAnswered) throw new AppError('link-unavailable', 'no PUBACK', { where: topic });
    link.bytes.received += 4;
  }

  function clientLink(clientId: string): Link | null {
    return sessions.get(clientId)?.link ?? null;
  }

  return {
    transport(linkOptions) {
      const listeners: ((connected: boolean) => void)[] = [];
      const link: Link = {
        options: linkOptions,
        inbox: createInbox(linkOptions.log ?? silentLog),
        bytes: { sent: 0, received: 0 },
        alive: false,
        setState: (connected) => listeners.forEach((listener) => void listener(connected)),
      };
      const stop = () => {
        link.alive = false;
        links.delete(link);
        detach(link, { politely: true });
      };
      return {
        async start(signal) {
          link.alive = true;
          links.add(link);
          signal.addEventListener('abort', stop, { once: true });
          await turn();
          attach(link);
        },
        async stop() {
          stop();
          await link.inbox.idle();
        },
        publish: (topic, payload, { qos, retain = false }) => publish(link, topic, payload, qos, retain),
        async subscribe(filter, handler) {
          link.inbox.listen(filter, handler);
          const session = sessions.get(linkOptions.clientId);
          if (session?.link === link) subscribe(session, filter);
          await turn();
        },
        onState: (listener) => void listeners.push(listener),
        traffic: () => ({ sentBytes: link.bytes.sent, receivedBytes: link.bytes.received }),
      };
    },
    cut(clientId) {
      const link = clientLink(clientId);
      if (link === null) return;
      detach(link, { politely: false });
      void turn().then(() => attach(link));
    },
    kill(clientId) {
      const link = clientLink(clientId);
      if (link === null) return;
      link.alive = false;
      links.delete(link);
      detach(link, { politely: false });
    },
    down() {
      isUp = false;
      for (const link of links) detach(link, { politely: false });
    },
    up() {
      isUp = true;
      for (const link of links) attach(link);
    },
  };
}

function emptySession(): Session {
  return { filters: new Set(), waiting: [], unacknowledged: new Set(), link: null };
}

/** Size of a QoS 1 PUBLISH (§3.3): header, remaining length, topic, packet identifier, payload. */
function packetBytes({ topic, payload }: Pick<Message, 'topic' | 'payload'>): number {
  const remaining = 2 + Buffer.byteLength(topic) + 2 + payload.length;
  return 1 + Math.max(1, Math.ceil(Math.log2(remaining + 1) / 7)) + remaining;
}
