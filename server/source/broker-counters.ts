/** What the embedded broker refused or ended, counted since its start. */
export interface BrokerCounters {
  /** Connections above the bounds. */
  refusedConnections: number;
  /** Connections that the system could not hand over, for want of file descriptors for example. */
  failedAccepts: number;
  /** TLS handshakes that failed, with whatever reason. */
  failedHandshakes: number;
  /** Wrong passwords, client ids that are not the user's, unknown users. */
  refusedLogins: number;
  /** Messages that their sender may not publish: acknowledged, and dropped. */
  deniedPublishes: number;
  deniedSubscriptions: number;
  /** Connections ended because their client did not read. */
  slowClients: number;
  /** Times that a client sent too fast and was left unread for a while. */
  throttled: number;
}

export function createBrokerCounters(): BrokerCounters {
  return {
    refusedConnections: 0,
    failedAccepts: 0,
    failedHandshakes: 0,
    refusedLogins: 0,
    deniedPublishes: 0,
    deniedSubscriptions: 0,
    slowClients: 0,
    throttled: 0,
  };
}
