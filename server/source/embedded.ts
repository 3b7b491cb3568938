/**
 * An MQTT broker inside the aggregator's process, so that a fleet of a few hundred boards needs no other program.
 * It is reached over TCP by everyone, the aggregator included: the embedded broker and any other are used alike.
 * It keeps nothing on disk: what it forgets in a crash comes again (retained state on reconnect, updates from the outboxes).
 * Source: aedes; MQTT 3.1.1. aedes buffers a packet as long as its header claims, hence `limitPackets`.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import { limitPackets } from './limit-packets.ts';

export interface EmbeddedBrokerOptions {
  /** Address to listen on, e.g. `127.0.0.1`, or `0.0.0.0` for boards elsewhere. */
  readonly host: string;
  /** 0 = any free port. */
  readonly port: number;
  /** Largest MQTT packet taken, bytes; a larger one ends its connection. */
  readonly maxPacketBytes: number;
  readonly log: Log;
}

export interface EmbeddedBroker extends Lifecycle {
  /** `mqtt://host:port`, once started. */
  url(): string;
}

export function createEmbeddedBroker({ host, port, maxPacketBytes, log }: EmbeddedBrokerOptions): EmbeddedBroker {
  let running: { readonly broker: Aedes; readonly server: Server; readonly sockets: Set<Socket> } | null = null;
  const stop = async () => {
    if (running === null) return;
    const { broker, server, sockets } = running;
    running = null;
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    const closed = new Promise<void>((resolve) => server.close(() => resolve())); // also when it never listened
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    async start(signal) {
      signal.throwIfAborted();
      const broker = await Aedes.createBroker({ queueLimit: 1000, connectTimeout: 10_000 });
      broker.on('clientError', (client, error) =>
        log.warn({ device: client.id, error: error.message }, 'client dropped'),
      );
      broker.on('connectionError', (_client, error) => log.debug({ error: error.message }, 'connection refused'));
      const sockets = new Set<Socket>();
      const server = createServer({ noDelay: true }, (socket) => {
        sockets.add(socket);
        socket.once('close', () => sockets.delete(socket));
        broker.handle(limitPackets(socket, maxPacketBytes));
      });
      running = { broker, server, sockets };
      try {
        await listening(server, host, port);
      } catch (error) {
        await stop();
        throw error;
      }
      signal.addEventListener('abort', () => void stop(), { once: true });
    },
    stop,
    url() {
      const address = running?.server.address();
      if (address === null || address === undefined || typeof address === 'string') throw new RangeError('not started');
      return `mqtt://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
    },
  };
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(
        new AppError('link-unavailable', `cannot listen for boards: ${cause.code ?? cause.message}`, {
          where: `${host}:${port}`,
          hint: 'Choose another --listen address, or use the broker that runs there with --broker.',
          cause,
        }),
      );
    });
    server.listen(port, host, resolve);
  });
}
