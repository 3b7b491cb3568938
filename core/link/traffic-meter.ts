/** Counts the bytes of one connection after the other: what was sent and received in MQTT, without what TLS and TCP add. */
import type { Transport } from './transport.ts';

/** What is counted of a socket. */
export interface CountedSocket {
  readonly bytesWritten: number;
  readonly bytesRead: number;
  once(event: 'close', listener: () => void): unknown;
}

export interface TrafficMeter {
  /** From now on this is the live connection. */
  watch(socket: CountedSocket): void;
  readonly traffic: Transport['traffic'];
}

export function createTrafficMeter(): TrafficMeter {
  const closed = { sentBytes: 0, receivedBytes: 0 };
  let live: Pick<CountedSocket, 'bytesWritten' | 'bytesRead'> = { bytesWritten: 0, bytesRead: 0 };
  return {
    watch(socket) {
      live = socket;
      socket.once('close', () => {
        closed.sentBytes += socket.bytesWritten;
        closed.receivedBytes += socket.bytesRead;
        live = { bytesWritten: 0, bytesRead: 0 };
      });
    },
    traffic: () => ({
      sentBytes: closed.sentBytes + live.bytesWritten,
      receivedBytes: closed.receivedBytes + live.bytesRead,
    }),
  };
}
