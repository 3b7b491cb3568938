/**
 * Retained messages: the last one of each topic, an empty one takes it away (MQTT 3.1.1 §3.3.1.3). They share the budget with messages
 * that wait; one that does not fit is not retained, and counted as dropped.
 */
import { matchesFilter } from '../../core/link/topic-filter.ts';
import type { BrokerLimits } from './broker-limits.ts';
import { ownPacket, type StoreBudget, sizeOf } from './message-store.ts';
import type { SessionJournal } from './session-journal.ts';
import { type BrokerPacket, encodeEntry, type RetainedPacket, retainedKey } from './stored-entries.ts';

export interface RetainedParts {
  readonly limits: BrokerLimits;
  readonly budget: StoreBudget;
  readonly journal: SessionJournal;
  /** Drops older messages to make room for so many bytes. */
  readonly makeRoom: (bytes: number) => void;
}

export function createRetainedStore({ limits, budget, journal, makeRoom }: RetainedParts) {
  const packets = new Map<string, RetainedPacket>();
  const remove = (topic: string) => {
    const before = packets.get(topic);
    if (before === undefined) return;
    packets.delete(topic);
    budget.bytes -= sizeOf(before);
    journal.del(retainedKey(topic));
  };
  const add = (packet: RetainedPacket) => {
    packets.set(packet.topic, packet);
    budget.bytes += sizeOf(packet);
  };
  return {
    /** @param isWritten false: it is not to be known after a restart */
    store(packet: BrokerPacket, storedMs: number, isWritten: boolean): void {
      remove(packet.topic);
      if (packet.payload.length === 0) return;
      const kept: RetainedPacket = { ...ownPacket(packet), retain: true, storedMs };
      makeRoom(sizeOf(kept));
      if (budget.bytes + sizeOf(kept) > limits.storedBytes) {
        budget.dropped++;
        return;
      }
      add(kept);
      if (isWritten) journal.put(retainedKey(packet.topic), encodeEntry(kept));
    },
    *matching(filters: readonly string[]): Generator<RetainedPacket> {
      for (const filter of filters) {
        const plain = packets.get(filter);
        if (plain !== undefined) yield plain;
        if (!/[+#]/.test(filter)) continue;
        for (const packet of packets.values()) if (matchesFilter(filter, packet.topic)) yield packet;
      }
    },
    /** Takes away what is older. */
    expire(beforeMs: number): void {
      for (const [topic, { storedMs }] of packets) if (storedMs < beforeMs) remove(topic);
    },
    load(stored: readonly RetainedPacket[]): void {
      for (const packet of stored) add(packet);
    },
  };
}
