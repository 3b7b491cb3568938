/**
 * A TCP or TLS listener of the embedded broker: bounds on connections, and each socket handed over behind its guard.
 * Invariant: a connection above the bounds is closed before anything is read from it, TLS included.
 */
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls';
import type { Clock } from '../../core/base/clock.ts';
import { createCountedWarning } from '../../core/base/counted-warning.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import type { Origin } from './authenticate.ts';
import type { BrokerCounters } from './broker-counters.ts';
import { type ConnectionBounds, guardConnection } from './guard-connection.ts';
import { commonNameOf } from './listener-tls.ts';

export interface ListenerParts {
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Null: plain TCP. */
  readonly tls: TlsOptions | null;
  readonly bounds: ConnectionBounds;
  readonly connections: number;
  readonly connectionsPerAddress: number;
  readonly clock: Clock;
  readonly counters: BrokerCounters;
  readonly log: Log;
  /** Gets what a socket says, and where it comes from. */
  handle(connection: Duplex, origin: Extract<Origin, { kind: 'board' }>): void;
}

export interface BoardListener {
  /** @throws AppError `link-unavailable` when the address cannot be listened on */
  listen(): Promise<void>;
  /** Once it listens. */
  port(): number;
  /** New connections get these; with `endAll`, those that are there end. */
  renew(tls: TlsOptions, endAll: boolean): void;
  /** Ends all connections. */
  close(): Promise<void>;
}

const HANDSHAKE_MS = 10_000;

export function createBoardListener(parts: ListenerParts): BoardListener {
  const { host, port, tls, bounds, clock, counters, log } = parts;
  const sockets = new Set<Socket>();
  const admit = createAdmission(parts, sockets);
  const take = (socket: Socket, commonName: string | null) => {
    socket.setNoDelay(true);
    const onThrottled = () => void counters.throttled++;
    parts.handle(guardConnection(socket, bounds, { clock, onThrottled }), {
      kind: 'board',
      address: socket.remoteAddress ?? 'gone',
      commonName,
    });
  };
  const server: Server =
    tls === null
      ? createServer((socket) => admit(socket) && take(socket, null))
      : createTlsServer({ ...tls, handshakeTimeout: HANDSHAKE_MS }, (socket) => take(socket, commonNameOf(socket)));
  if (tls !== null) {
    server.prependListener('connection', admit);
    server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
      counters.failedHandshakes++;
      log.warn({ address: socket.remoteAddress, error: error.message }, 'TLS handshake failed');
    });
  }
  const closing = new AbortController();
  const message = 'a connection could not be accepted';
  const warnFailed = createCountedWarning({ message, clock, log, signal: closing.signal });
  const onFailedAccept = (error: Error) => {
    counters.failedAccepts++;
    warnFailed({ where: `${host}:${port}`, error: error.message });
  };
  return {
    listen: () => listening(server, host, port, onFailedAccept),
    port() {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new RangeError('not started');
      return address.port;
    },
    renew(fresh, endAll) {
      (server as TlsServer).setSecureContext(fresh);
      if (endAll) for (const socket of sockets) socket.destroy();
    },
    async close() {
      closing.abort();
      const closed = new Promise<void>((resolve) => server.close(() => resolve())); // also when it never listened
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Keeps count of sockets, all together and of each address; destroys those that are too many. */
function createAdmission(
  { connections, connectionsPerAddress, counters, log }: ListenerParts,
  sockets: Set<Socket>,
): (socket: Socket) => boolean {
  const perAddress = new Map<string, number>();
  let isFull = false;
  return (socket) => {
    const address = socket.remoteAddress ?? 'gone';
    const ofAddress = perAddress.get(address) ?? 0;
    if (sockets.size >= connections || ofAddress >= connectionsPerAddress) {
      counters.refusedConnections++;
      if (!isFull) log.warn({ address, connections: sockets.size, ofAddress }, 'connections refused: too many');
      isFull = true;
      socket.destroy();
      return false;
    }
    sockets.add(socket);
    perAddress.set(address, ofAddress + 1);
    socket.once('close', () => {
      isFull = false;
      sockets.delete(socket);
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left === 0) perAddress.delete(address);
      else perAddress.set(address, left);
    });
    return true;
  };
}

/** Resolves when it listens. What cannot be accepted afterwards, for want of file descriptors for example, is told to `onFailedAccept`. */
function listening(server: Server, host: string, port: number, onFailedAccept: (error: Error) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException) => {
      reject(
        new AppError('link-unavailable', `cannot listen for boards: ${cause.code ?? cause.message}`, {
          where: `${host}:${port}`,
          hint: 'Choose another --listen address, or use the broker that runs there with --broker.',
          cause,
        }),
      );
    };
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail).on('error', onFailedAccept);
      resolve();
    });
  });
}
