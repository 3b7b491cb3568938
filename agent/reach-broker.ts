/**
 * Whether the broker lets this board in, as far as it shows without MQTT: TCP, and with `mqtts://` TLS in both directions. Nothing is said
 * in MQTT, since a second client under the board's name would throw out an agent that runs.
 */
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { systemClock } from '../core/base/clock.ts';
import { openBrokerSocket } from '../core/link/broker-socket.ts';
import { type LinkFiles, readLinkFiles } from '../core/link/link-files.ts';

const CONNECT_MS = 5000;
/** With TLS 1.3 a broker judges this board's certificate when the handshake is over for the board; it then hangs up within a round trip. */
const OBJECTION_MS = 1000;

/** @returns a sentence @throws AppError `link-unavailable`, `link-untrusted`, or what is wrong with the files */
export async function reachBroker({ url, ...files }: LinkFiles & { readonly url: string }): Promise<string> {
  const secrets = await readLinkFiles(files);
  const { signal } = new AbortController();
  const limits = { timeoutMs: CONNECT_MS, clock: systemClock, signal };
  const { socket, explain } = await openBrokerSocket({ url, files, secrets }, limits);
  try {
    if (!(socket instanceof TLSSocket)) return `${url} accepts connections`;
    if (await hangsUp(socket)) throw explain(null, false);
    return `${url} accepts ${files.cert === undefined ? 'connections' : "this board's certificate"} with ${socket.getProtocol()}`;
  } finally {
    socket.destroy();
  }
}

async function hangsUp(socket: Socket): Promise<boolean> {
  const over = new AbortController();
  const closed = new Promise<boolean>((resolve) => {
    if (socket.closed) resolve(true);
    socket.once('close', () => resolve(true)).resume();
  });
  const quiet = systemClock.sleep(OBJECTION_MS, over.signal).then(
    () => false,
    () => true,
  );
  return Promise.race([closed, quiet]).finally(() => over.abort());
}
