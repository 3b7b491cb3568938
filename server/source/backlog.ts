/**
 * What waits for one session: numbers of messages, ascending, and under which packet ids those on their way were sent last.
 * Source: MQTT 3.1.1 §4.4 (a packet id is the receiver's name for a message until it is acknowledged).
 */
export interface Backlog {
  /** Does nothing when the number is there. @param bytes what the message counts for; returns false when it is there */
  add(number: number, bytes: number): boolean;
  remove(number: number, bytes: number): void;
  sent(number: number, packetId: number): void;
  numberOf(packetId: number): number | undefined;
  /** The oldest; undefined when nothing waits. */
  first(): number | undefined;
  numbers(): number[];
  size(): number;
  bytes(): number;
}

const NOT_SENT = 0; // no packet id is 0 (§2.3.1)

export function createBacklog(): Backlog {
  const idOf = new Map<number, number>();
  const byId = new Map<number, number>();
  let total = 0;
  const forgetId = (number: number) => {
    const id = idOf.get(number);
    if (id !== undefined && byId.get(id) === number) byId.delete(id);
  };
  return {
    add(number, bytes) {
      if (idOf.has(number)) return false;
      idOf.set(number, NOT_SENT);
      total += bytes;
      return true;
    },
    remove(number, bytes) {
      forgetId(number);
      if (idOf.delete(number)) total -= bytes;
    },
    sent(number, packetId) {
      if (!idOf.has(number)) return;
      forgetId(number);
      idOf.set(number, packetId);
      byId.set(packetId, number);
    },
    numberOf: (packetId) => byId.get(packetId),
    first: () => idOf.keys().next().value,
    numbers: () => [...idOf.keys()],
    size: () => idOf.size,
    bytes: () => total,
  };
}
