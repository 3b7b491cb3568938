/** `GET /metrics` of a board, for Prometheus. It says nothing else and takes nothing; bounded in time, headers and connections. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from '../../core/base/clock.ts';
import { createCountedWarning } from '../../core/base/counted-warning.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { BoardMetrics } from './metrics.ts';

export interface MetricsDoor extends Lifecycle {
  /** `http://HOST:PORT/metrics`, once started. */
  url(): string;
}

const BOUNDS = { maxHeaderSize: 8192, headersTimeout: 10_000, requestTimeout: 15_000 };
const MAX_CONNECTIONS = 16;

/** @param listen `HOST:PORT`, port 0 = any that is free @throws AppError `link-unavailable` from `start` */
export function createMetricsDoor(listen: string, metrics: BoardMetrics, log: Log, clock = systemClock): MetricsDoor {
  const at = listen.lastIndexOf(':');
  const host = listen.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  let server: Server | null = null;
  const stopping = new AbortController();
  const url = () => {
    const address = server?.address() as AddressInfo | null | undefined;
    if (!address) throw new AppError('internal', 'the metrics are not served yet');
    return `http://${host.includes(':') ? `[${host}]` : host}:${address.port}/metrics`;
  };
  return {
    url,
    async start() {
      server = createServer(BOUNDS, (request, response) => void answer(metrics, host, request, response, log));
      server.maxConnections = MAX_CONNECTIONS;
      server.listen(Number(listen.slice(at + 1)), host);
      await once(server, 'listening').catch((cause: NodeJS.ErrnoException) => {
        server = null;
        throw new AppError('link-unavailable', `cannot listen for metrics: ${cause.code ?? cause.message}`, {
          where: `metrics.listen = "${listen}"`,
          hint: 'Choose another address of this machine or another port, or "off".',
          cause,
        });
      });
      const message = 'a connection for metrics could not be accepted';
      const warnFailed = createCountedWarning({ message, clock, log, signal: stopping.signal });
      server.on('error', (error) => warnFailed({ error: error.message })); // file descriptors ran out
      if (isLoopback(host)) log.info({ url: url() }, 'metrics are served');
      else log.warn({ url: url() }, 'metrics are served to everybody who reaches this address');
    },
    async stop() {
      stopping.abort();
      if (server === null) return;
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      server = null;
      await closed;
    },
  };
}

async function answer(
  metrics: BoardMetrics,
  host: string,
  request: IncomingMessage,
  response: ServerResponse,
  log: Log,
): Promise<void> {
  const say = (status: number, text: string, headers: Record<string, string> = {}) => {
    response.writeHead(status, {
      'Content-Type': 'text/plain; charset=utf-8',
      'X-Content-Type-Options': 'nosniff',
      ...headers,
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  };
  if (isLoopback(host) && !isOwnName(request.headers.host ?? '')) return say(421, 'meant for another host\n');
  if (request.url?.split('?', 1)[0] !== '/metrics') return say(404, 'there is /metrics only\n');
  if (request.method !== 'GET' && request.method !== 'HEAD') return say(405, 'GET only\n', { Allow: 'GET, HEAD' });
  try {
    say(200, await metrics.text(), { 'Content-Type': metrics.contentType });
  } catch (error) {
    log.error({ error: String(error) }, 'metrics cannot be read');
    say(503, 'the metrics cannot be read; the log of the agent says more\n');
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Else a page of another origin could read through a browser on this machine (DNS rebinding). */
function isOwnName(header: string): boolean {
  return isLoopback(header.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'));
}
