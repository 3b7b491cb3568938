/**
 * What a client of the embedded broker may say and hear, as aedes asks for it; the table is `core/wire/access.ts`.
 * A message that may not be published is acknowledged and dropped, as Mosquitto does it: MQTT 3.1.1 §3.3.5 leaves that or ending the
 * connection, and a board with a wrong setting would come back for ever. It is counted, and logged once a connection.
 * Invariant: the PUBACK of a message comes after the message is in every session that wants it, and written. aedes by itself
 * acknowledges first; therefore the message is published from here, and what aedes then acknowledges is an empty one to nobody.
 * A turn of the event loop lies between any two messages: aedes takes an overtaken message for a double.
 */
import { Buffer } from 'node:buffer';
import type { Aedes, AedesOptions, Client } from 'aedes';
import type { Log } from '../../core/base/log.ts';
import { AGGREGATOR, mayPublish, maySubscribe } from '../../core/wire/access.ts';
import type { Topics } from '../../core/wire/topics.ts';
import type { BrokerCounters } from './broker-counters.ts';

export interface AuthorizeParts {
  readonly broker: () => Aedes;
  /** Null: everybody may do everything. */
  readonly topics: Topics | null;
  readonly userOf: (client: Client) => string | null;
  /** Filters of one client. */
  readonly maxSubscriptions: number;
  /** What may wait for a client that does not read, bytes; a new message that would make it more ends the connection. */
  readonly queueBytes: number;
  /** Resolves when all that the broker keeps is written. */
  readonly flushed: () => Promise<void>;
  readonly counters: BrokerCounters;
  readonly log: Log;
}

export interface Authorizer {
  readonly hooks: Required<Pick<AedesOptions, 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>>;
  /** The client gave filters back. */
  unsubscribed(client: Client, filters: readonly string[]): void;
}

/** As aedes has it; its types leave out the client in whose name a message is published. */
type PublishFor = (packet: object, client: Client, done: (error?: Error | null) => void) => void;

/** Nobody can subscribe to it by a wildcard that may be granted, and nothing is said there but empty messages. */
const NOWHERE = '$SYS/nowhere';
/** A packet's topic and header. */
const HEADROOM_BYTES = 1024;
const EMPTY = Buffer.alloc(0);

export function createAuthorizer(parts: AuthorizeParts): Authorizer {
  const { broker, topics, userOf, maxSubscriptions, queueBytes, flushed, counters, log } = parts;
  const warned = new WeakSet<Client>();
  const granted = new WeakMap<Client, Set<string>>();
  const warnOnce = (client: Client, fields: object, message: string) => {
    if (warned.has(client)) return;
    warned.add(client);
    log.warn({ device: client.id, ...fields }, message);
  };
  const isPublishable = (client: Client | null, topic: string, clientId: string | undefined) => {
    if (topic.startsWith('$')) return false;
    if (topics === null) return true;
    const user = client === null ? clientId : userOf(client); // null: a will that its connection left behind
    return user !== undefined && user !== null && mayPublish(topics, user, topic);
  };
  return {
    unsubscribed(client, filters) {
      for (const filter of filters) granted.get(client)?.delete(filter);
    },
    hooks: {
      authorizePublish(client, packet, done) {
        const { topic, qos } = packet;
        const isWill = (packet.cmd as string | undefined) !== 'publish';
        if (!isPublishable(client, topic, (packet as { clientId?: string }).clientId)) {
          counters.deniedPublishes++;
          if (client !== null) warnOnce(client, { topic }, 'message dropped: this client may not publish it');
          if (isWill) return done(new Error('not allowed'));
          blank(packet);
          return void setImmediate(done);
        }
        if (isWill || client === null) return done();
        const named = Object.assign({}, packet, { clientId: client.id });
        if (qos !== 1) {
          Object.assign(packet, { clientId: client.id });
          return void setImmediate(done);
        }
        const publish = broker().publish.bind(broker()) as unknown as PublishFor;
        setImmediate(() => {
          publish(named, client, (error) => {
            if (error) return done(error);
            blank(packet);
            void flushed().then(() => done());
          });
        });
      },
      authorizeSubscribe(client, subscription, done) {
        const { topic } = subscription;
        const user = userOf(client);
        const isMine = topics === null || (user !== null && maySubscribe(topics, user, topic));
        const held = granted.get(client) ?? new Set<string>();
        const hasRoom = user === AGGREGATOR || held.has(topic) || held.size < maxSubscriptions;
        if (isMine && hasRoom && !topic.startsWith('$share/')) {
          granted.set(client, held.add(topic));
          return done(null, subscription);
        }
        counters.deniedSubscriptions++;
        warnOnce(client, { filter: topic }, 'subscription refused');
        done(null, null);
      },
      authorizeForward(client, packet) {
        const user = userOf(client);
        if (topics !== null && (user === null || !maySubscribe(topics, user, packet.topic))) return null;
        if (user === AGGREGATOR || packet.messageId !== undefined) return packet; // what has an id is backlog: it is sent as it is read
        const { conn } = client;
        if (conn.writableLength + packet.payload.length + HEADROOM_BYTES < queueBytes) return packet;
        if (!conn.destroyed) {
          counters.slowClients++;
          log.warn({ device: client.id, bytes: conn.writableLength }, 'client does not read: its connection is ended');
          conn.destroy();
        }
        return null;
      },
    },
  };
}

function blank(packet: object): void {
  Object.assign(packet, { topic: NOWHERE, payload: EMPTY, retain: false });
}
