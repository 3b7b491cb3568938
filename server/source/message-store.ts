/**
 * Messages that wait for sessions. A message for many sessions is kept once, in memory and in the journal; a session's backlog holds
 * numbers. A message goes with the last session that waits for it.
 * Invariant: no backlog is above its bounds, and all together are within the budget: what is too much goes oldest first. That is
 * harmless for a fleet: updates come again from outboxes, plans and models are told anew, receipts are given again.
 */
import { Buffer } from 'node:buffer';
import { type Backlog, createBacklog } from './backlog.ts';
import type { BrokerLimits } from './broker-limits.ts';
import type { SessionJournal } from './session-journal.ts';
import {
  type BrokerPacket,
  backlogKey,
  encodeEntry,
  messageKey,
  type StoredEntries,
  type StoredPacket,
} from './stored-entries.ts';

interface Message {
  readonly packet: StoredPacket;
  readonly holders: Set<string>;
}

/** What all that is kept takes, shared by messages and retained ones. */
export interface StoreBudget {
  bytes: number;
  /** Dropped for a bound. */
  dropped: number;
}

/** What a message and an entry of a backlog count for beside topic and payload. */
const MESSAGE_OVERHEAD_BYTES = 256;
const ENTRY_OVERHEAD_BYTES = 128;

export function createMessageStore(limits: BrokerLimits, budget: StoreBudget, journal: SessionJournal) {
  const kept = createHeldMessages(budget, journal);
  const fitSession = (clientId: string) => {
    for (let backlog = kept.backlog(clientId); backlog !== undefined; backlog = kept.backlog(clientId)) {
      if (backlog.size() <= limits.sessionMessages && backlog.bytes() <= limits.sessionBytes) break;
      budget.dropped++;
      kept.release(clientId, backlog.first() as number);
    }
  };
  /** Drops the oldest until `extraBytes` more would fit, or nothing is left. */
  const fit = (extraBytes: number) => {
    while (budget.bytes + extraBytes > limits.storedBytes) {
      const oldest = kept.oldest();
      if (oldest === null) return;
      budget.dropped += oldest.holders.length;
      for (const holder of oldest.holders) kept.release(holder, oldest.number);
    }
  };
  return {
    fit,
    enqueue(clientIds: readonly string[], packet: BrokerPacket): void {
      kept.enqueue(clientIds, packet);
      for (const clientId of clientIds) fitSession(clientId);
      fit(0);
    },
    sent: (clientId: string, number: number, packetId: number) => kept.backlog(clientId)?.sent(number, packetId),
    /** The message that was sent under this id is done with; returns it. */
    acknowledged(clientId: string, packetId: number): StoredPacket | undefined {
      const number = kept.backlog(clientId)?.numberOf(packetId);
      if (number === undefined) return undefined;
      const packet = kept.packet(number);
      kept.release(clientId, number);
      return packet;
    },
    releaseAll(clientId: string): void {
      for (const number of kept.backlog(clientId)?.numbers() ?? []) kept.release(clientId, number);
    },
    /** Numbers of what waits for the client, oldest first. */
    numbersOf: (clientId: string): number[] => kept.backlog(clientId)?.numbers() ?? [],
    packet: kept.packet,
    /** The highest number so far. */
    lastNumber: kept.lastNumber,
    count: kept.count,
    load(stored: StoredEntries): void {
      for (const clientId of kept.load(stored)) fitSession(clientId);
      fit(0);
    },
  };
}

/** Messages and who waits for them, without any bound. */
function createHeldMessages(budget: StoreBudget, journal: SessionJournal) {
  const messages = new Map<number, Message>();
  const backlogs = new Map<string, Backlog>();
  let last = 0;
  const keep = (number: number, packet: StoredPacket): Message => {
    const message = { packet, holders: new Set<string>() };
    messages.set(number, message);
    budget.bytes += sizeOf(packet);
    last = Math.max(last, number);
    return message;
  };
  const hold = (clientId: string, number: number, { packet, holders }: Message) => {
    const backlog = backlogs.get(clientId) ?? createBacklog();
    backlogs.set(clientId, backlog);
    if (!backlog.add(number, sizeOf(packet))) return;
    budget.bytes += ENTRY_OVERHEAD_BYTES;
    holders.add(clientId);
  };
  const discard = (number: number, { packet }: Message) => {
    messages.delete(number);
    budget.bytes -= sizeOf(packet);
    journal.del(messageKey(number));
  };
  return {
    enqueue(clientIds: readonly string[], packet: BrokerPacket): void {
      const number = packet.brokerCounter as number;
      const known = messages.get(number);
      const message = known ?? keep(number, ownPacket(packet));
      if (known === undefined) journal.put(messageKey(number), encodeEntry(message.packet));
      for (const clientId of clientIds) {
        hold(clientId, number, message);
        journal.put(backlogKey(clientId, number), NOTHING);
      }
    },
    release(clientId: string, number: number): void {
      const message = messages.get(number);
      const backlog = backlogs.get(clientId);
      if (message === undefined || backlog === undefined || !message.holders.delete(clientId)) return;
      backlog.remove(number, sizeOf(message.packet));
      if (backlog.size() === 0) backlogs.delete(clientId);
      budget.bytes -= ENTRY_OVERHEAD_BYTES;
      journal.del(backlogKey(clientId, number));
      if (message.holders.size === 0) discard(number, message);
    },
    backlog: (clientId: string): Backlog | undefined => backlogs.get(clientId),
    packet: (number: number): StoredPacket | undefined => messages.get(number)?.packet,
    oldest(): { number: number; holders: string[] } | null {
      const [entry] = messages;
      return entry === undefined ? null : { number: entry[0], holders: [...entry[1].holders] };
    },
    lastNumber: () => last,
    count: () => messages.size,
    /** Returns the clients for which something waits. */
    load({ messages: stored, backlog, sessions }: StoredEntries): string[] {
      for (const [number, packet] of stored) keep(number, packet);
      for (const { clientId, number } of backlog) {
        const message = messages.get(number);
        if (message !== undefined && sessions.has(clientId)) hold(clientId, number, message);
      }
      for (const [number, message] of messages) if (message.holders.size === 0) discard(number, message);
      return [...backlogs.keys()];
    },
  };
}

const NOTHING = Buffer.alloc(0);

/** With a payload of its own: the broker's is a piece of whatever was read from the socket, and would keep all of that. */
export function ownPacket({ topic, payload, qos }: BrokerPacket): StoredPacket {
  const copy = Buffer.allocUnsafeSlow(payload.length);
  copy.set(payload);
  return { cmd: 'publish', topic, payload: copy, qos, retain: false };
}

/** What a message counts for. */
export function sizeOf({ topic, payload }: StoredPacket): number {
  return topic.length + payload.length + MESSAGE_OVERHEAD_BYTES;
}
