/**
 * What the broker keeps of clients and messages, as aedes' persistence (its asynchronous interface). All of it is in memory, and
 * written behind to the journal.
 * Invariant: nothing here waits for the disk, save a subscription's answer. aedes knows doubled deliveries by the messages' running
 * numbers, and takes a message that was overtaken on its way through the persistence for a double: order must be that of memory.
 * Whoever promises something waits for `flushed` (authorize.ts, before a PUBACK).
 * QoS 2 works, but what it needs for exactly once does not survive a crash; nothing of a fleet uses it.
 */
import { Readable } from 'node:stream';
import type { BrokerLimits } from './broker-limits.ts';
import type { Subscriber } from './filter-index.ts';
import { createMessageStore, type StoreBudget } from './message-store.ts';
import { createRetainedStore } from './retained-store.ts';
import type { SessionJournal } from './session-journal.ts';
import { type AskedFilter, createSessionTable } from './session-table.ts';
import {
  type BrokerPacket,
  type ClientWill,
  encodeEntry,
  type StoredEntries,
  type StoredPacket,
  willKey,
} from './stored-entries.ts';

interface ClientId {
  readonly id: string;
}

export interface SessionStoreOptions {
  readonly limits: BrokerLimits;
  readonly journal: SessionJournal;
  /** What the journal held. */
  readonly stored: StoredEntries | null;
  /** Wall time, milliseconds: sessions are forgotten by it. */
  readonly wallMs: () => number;
  /** False for a filter that the client may not have: it is not kept. */
  readonly accepts: (clientId: string, filter: string) => boolean;
  readonly isAggregator: (clientId: string) => boolean;
}

export interface SessionCounts {
  readonly sessions: number;
  /** That wait for a session. */
  readonly messages: number;
  /** Of all that is kept. */
  readonly bytes: number;
  /** Dropped for a bound since the start, once for each session that waited. */
  readonly dropped: number;
}

interface BrokerDoor {
  readonly id: string;
  counter: number;
  readonly clients: Readonly<Record<string, unknown>>;
}

export function createSessionStore(options: SessionStoreOptions) {
  const { limits, journal, stored, wallMs, accepts, isAggregator } = options;
  const budget: StoreBudget = { bytes: 0, dropped: 0 };
  let broker: BrokerDoor = { id: '', counter: 0, clients: {} };
  const messages = createMessageStore(limits, budget, journal);
  const retained = createRetainedStore({ limits, budget, journal, makeRoom: messages.fit });
  const sessions = createSessionTable({
    limits,
    wallMs,
    journal,
    isConnected: (clientId) => broker.clients[clientId] !== undefined,
    onForgotten: messages.releaseAll,
  });
  const wills = createWills(journal);
  if (stored !== null) {
    sessions.load(stored.sessions);
    retained.load(stored.retained);
    messages.load(stored);
    wills.load(stored.wills);
  }
  const parts = { messages, sessions, journal, accepts, brokerId: () => broker.id };
  return {
    persistence: {
      async setup(door: BrokerDoor) {
        broker = door;
        broker.counter = messages.lastNumber(); // numbers go on above those that are stored
      },
      async storeRetained(packet: BrokerPacket) {
        retained.store(packet, wallMs(), isAggregator(packet.clientId ?? ''));
      },
      createRetainedStream: (filter: string) => Readable.from(retained.matching([filter])),
      createRetainedStreamCombi: (filters: string[]) => Readable.from(retained.matching(filters)),
      ...subscriptionDoors(parts),
      ...outgoingDoors(parts),
      ...incomingDoors(limits),
      ...wills.doors,
      destroy: () => journal.close(),
    },
    /** Wills that the run before could not publish: the connections ended with it. */
    takeLeftWills: wills.takeLeft,
    touch: sessions.touch,
    /** Forgets the sessions and retained messages that were not used for too long; returns how many sessions. */
    expire(): number {
      const beforeMs = wallMs() - limits.sessionMs;
      retained.expire(beforeMs);
      return sessions.expire(beforeMs);
    },
    counts: (): SessionCounts => ({
      sessions: sessions.counts().sessions,
      messages: messages.count(),
      bytes: budget.bytes,
      dropped: budget.dropped,
    }),
    /** Resolves when all that was kept so far is written. */
    flushed: () => journal.flushed(),
  };
}

export type SessionStore = ReturnType<typeof createSessionStore>;

interface DoorParts {
  readonly messages: ReturnType<typeof createMessageStore>;
  readonly sessions: ReturnType<typeof createSessionTable>;
  readonly journal: SessionJournal;
  readonly accepts: SessionStoreOptions['accepts'];
  readonly brokerId: () => string;
}

function subscriptionDoors({ sessions, journal, accepts }: DoorParts) {
  return {
    async addSubscriptions({ id }: ClientId, asked: readonly AskedFilter[]) {
      const granted = asked.filter(({ topic }) => accepts(id, topic)); // aedes hands over the refused ones too
      sessions.add(id, granted);
      await journal.flushed();
    },
    async removeSubscriptions({ id }: ClientId, filters: readonly string[]) {
      sessions.remove(id, filters);
    },
    async subscriptionsByClient({ id }: ClientId) {
      return sessions.filtersOf(id);
    },
    async subscriptionsByTopic(topic: string): Promise<Subscriber[]> {
      return sessions.match(topic);
    },
    /** A clean session begins: of the one before nothing stays (MQTT 3.1.1 §3.1.2.4). */
    async cleanSubscriptions({ id }: ClientId) {
      sessions.forget(id);
    },
    async countOffline() {
      const { sessions: clientsCount, filters: subsCount } = sessions.counts();
      return { subsCount, clientsCount };
    },
    getClientList: (topic: string) => Readable.from(sessions.match(topic).map(({ clientId }) => clientId)),
  };
}

function outgoingDoors({ messages, brokerId }: DoorParts) {
  function* backlogOf(clientId: string): Generator<StoredPacket & BrokerPacket> {
    for (const number of messages.numbersOf(clientId)) {
      const packet = messages.packet(number);
      if (packet !== undefined) yield { ...packet, brokerId: brokerId(), brokerCounter: number };
    }
  }
  return {
    async outgoingEnqueue({ clientId }: { clientId: string }, packet: BrokerPacket) {
      messages.enqueue([clientId], packet);
    },
    async outgoingEnqueueCombi(subscribers: readonly Subscriber[], packet: BrokerPacket) {
      const clientIds = subscribers.map(({ clientId }) => clientId);
      if (clientIds.length > 0) messages.enqueue(clientIds, packet);
    },
    /** Notes under which id a message goes out. One that is not kept any more goes out all the same. */
    async outgoingUpdate({ id }: ClientId, packet: BrokerPacket) {
      if (packet.brokerId === brokerId()) messages.sent(id, Number(packet.brokerCounter), Number(packet.messageId));
    },
    async outgoingClearMessageId({ id }: ClientId, { messageId }: BrokerPacket) {
      return messageId === undefined ? undefined : messages.acknowledged(id, messageId);
    },
    outgoingStream: ({ id }: ClientId) => Readable.from(backlogOf(id)),
  };
}

/**
 * Which messages of QoS 2 their sender has not let go yet. Their ids are enough: aedes publishes a message when it comes, and asks here
 * only whether it has come before. What was left behind longest ago is forgotten first.
 */
function incomingDoors({ sessions: mostClients }: BrokerLimits) {
  const incoming = new Map<string, Set<number>>();
  return {
    async incomingStorePacket({ id }: ClientId, { messageId }: BrokerPacket) {
      const held = incoming.get(id) ?? new Set<number>();
      incoming.delete(id); // put back as the newest
      incoming.set(id, held.add(Number(messageId)));
      if (incoming.size > mostClients) incoming.delete(incoming.keys().next().value as string);
    },
    async incomingGetPacket({ id }: ClientId, { messageId }: BrokerPacket) {
      if (incoming.get(id)?.has(Number(messageId)) !== true) throw new Error('no such packet');
      return { messageId };
    },
    async incomingDelPacket({ id }: ClientId, { messageId }: BrokerPacket) {
      const held = incoming.get(id);
      if (held?.delete(Number(messageId)) !== true) throw new Error('no such packet');
      if (held.size === 0) incoming.delete(id);
    },
    async cleanIncoming({ id }: ClientId) {
      incoming.delete(id);
    },
  };
}

function createWills(journal: SessionJournal) {
  const wills = new Map<string, ClientWill>();
  const remove = (clientId: string) => {
    if (wills.delete(clientId)) journal.del(willKey(clientId));
  };
  return {
    load(stored: readonly ClientWill[]): void {
      for (const will of stored) wills.set(will.clientId, will);
    },
    takeLeft(): ClientWill[] {
      const left = [...wills.values()];
      for (const { clientId } of left) remove(clientId);
      return left;
    },
    doors: {
      async putWill({ id }: ClientId, { topic, payload, qos, retain }: BrokerPacket) {
        const will: ClientWill = { clientId: id, topic, payload, qos, retain };
        wills.set(id, will);
        journal.put(willKey(id), encodeEntry(will));
      },
      async getWill({ id }: ClientId) {
        return wills.get(id);
      },
      async delWill({ id }: ClientId) {
        const will = wills.get(id);
        remove(id);
        return will;
      },
      /** The broker publishes those of the run before itself, when it starts. */
      streamWill: () => Readable.from([]),
    },
  };
}
