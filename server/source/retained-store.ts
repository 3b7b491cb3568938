/**
 * Retained messages: the last one of each topic, an empty one takes it away (MQTT 3.1.1 §3.3.1.3). They share the budget with messages
 * that wait; one that does not fit is not retained, and counted as dropped. Those of the aggregator are not written, since it says them anew
 * at each start, and do not age: a round may be open for weeks, and a wrong clock may be set right.
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
  /** Topics of the aggregator's. */
  const lasting = new Set<string>();
  const remove = (topic: string) => {
    const before = packets.get(topic);
    if (before === undefined) return;
    packets.delete(topic);
    lasting.delete(topic);
    budget.bytes -= sizeOf(before);
    journal.del(retainedKey(topic));
  };
  const add = (packet: RetainedPacket) => {
    packets.set(packet.topic, packet);
    budget.bytes += sizeOf(packet);
  };
  return {
    store(packet: BrokerPacket, storedMs: number, isAggregators: boolean): void {
      remove(packet.topic);
      if (packet.payload.length === 0) return;
      const kept: RetainedPacket = { ...ownPacket(packet), retain: true, storedMs };
      makeRoom(sizeOf(kept));
      if (budget.bytes + sizeOf(kept) > limits.storedBytes) {
        budget.dropped++;
        return;
      }
      add(kept);
      if (isAggregators) lasting.add(packet.topic);
      else journal.put(retainedKey(packet.topic), encodeEntry(kept));
    },
    *matching(filters: readonly string[]): Generator<RetainedPacket> {
      for (const filter of filters) {
        const plain = packets.get(filter);
        if (plain !== undefined) yield plain;
        if (!/[+#]/.test(filter)) continue;
        for (const packet of packets.values()) if (matchesFilter(filter, packet.topic)) yield packet;
      }
    },
    /** Takes away what is older and not the aggregator's. */
    expire(beforeMs: number): void {
      for (const [topic, { storedMs }] of packets) if (storedMs < beforeMs && !lasting.has(topic)) remove(topic);
    },
    load(stored: readonly RetainedPacket[]): void {
      for (const packet of stored) add(packet);
    },
  };
}
