/** The app on a socket, with the bounds that a socket needs: time for headers and requests, size of headers, number of connections. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import type { Clock } from '../../core/base/clock.ts';
import { createCountedWarning } from '../../core/base/counted-warning.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { HttpSettings } from '../http-settings.ts';
import type { App } from './app.ts';

const MAX_CONNECTIONS = 512;
const MAX_HEADER_BYTES = 8192;
const HEADERS_WITHIN_MS = 10_000;
const REQUEST_WITHIN_MS = 15_000;

export interface HttpServer extends Lifecycle {
  /** `http://HOST:PORT`, once started. */
  url(): string;
}

export interface HttpServerParts {
  readonly clock: Clock;
  readonly log: Log;
}

export function createHttpServer(app: App, { host, port }: HttpSettings, { clock, log }: HttpServerParts): HttpServer {
  let server: Server | null = null;
  const stopping = new AbortController();
  return {
    url() {
      const address = server?.address() as AddressInfo | null | undefined;
      if (!address) throw new AppError('internal', 'the HTTP server has not been started');
      return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`;
    },
    async start() {
      const serverOptions = {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_WITHIN_MS,
        requestTimeout: REQUEST_WITHIN_MS,
      };
      server = createAdaptorServer({ fetch: app.fetch, overrideGlobalObjects: false, serverOptions }) as Server;
      server.maxConnections = MAX_CONNECTIONS;
      server.listen(port, host);
      await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
        throw new AppError('link-unavailable', `cannot listen for HTTP: ${cause.code ?? cause.message}`, {
          where: `${host}:${port}`,
          hint: 'Choose another http.listen address, or "off".',
          cause,
        });
      });
      const message = 'a connection could not be accepted';
      const warnFailed = createCountedWarning({ message, clock, log, signal: stopping.signal });
      server.on('error', (error) => warnFailed({ where: `${host}:${port}`, error: error.message })); // file descriptors ran out
    },
    async stop() {
      stopping.abort();
      app.streams.close();
      if (server === null) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      server = null;
      await closed;
    },
  };
}
