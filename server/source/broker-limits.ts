/** How much of the embedded broker one client, one address and all of them together may take. Settings `[broker.limits]`. */
export interface BrokerLimits {
  /** Connections at a time, all together. */
  readonly connections: number;
  /** The same from one address. */
  readonly connectionsPerAddress: number;
  /** From the connection to the end of CONNECT, milliseconds. */
  readonly connectMs: number;
  /** Packets that a client may send, acknowledgements not counted; above that its socket is not read for a while. */
  readonly packetsPerSecond: number;
  /** Topic filters of one client. */
  readonly subscriptions: number;
  /** Longest time that a client may be silent, seconds; a client that names a longer one, or none, gets this. */
  readonly keepaliveS: number;
  /** What may wait in memory for a client that does not read, bytes; then its connection ends. */
  readonly queueBytes: number;
  /** Messages kept for a client that is away; the oldest go first. */
  readonly sessionMessages: number;
  /** The same in bytes. */
  readonly sessionBytes: number;
  /** Everything that is kept, bytes. */
  readonly storedBytes: number;
  /** Sessions that are kept; those unused for longest go first. */
  readonly sessions: number;
  /** A session that was not used for so long is forgotten, milliseconds. */
  readonly sessionMs: number;
}

export const DEFAULT_BROKER_LIMITS: BrokerLimits = {
  connections: 10_000,
  connectionsPerAddress: 2000,
  connectMs: 10_000,
  packetsPerSecond: 200,
  subscriptions: 100,
  keepaliveS: 600,
  queueBytes: 4 * 2 ** 20,
  sessionMessages: 4096,
  sessionBytes: 8 * 2 ** 20,
  storedBytes: 256 * 2 ** 20,
  sessions: 10_000,
  sessionMs: 30 * 86_400_000,
};
