/**
 * A socket to the broker: TCP for `mqtt://`, TLS 1.2 or newer for `mqtts://`, with the broker's certificate checked against CA and name.
 * There is no switch to skip the check. Invariant: nothing is written to a socket before the broker's certificate has passed.
 */
import type { X509Certificate } from 'node:crypto';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import type { Clock } from '../base/clock.ts';
import type { AppError } from '../base/errors.ts';
import { type CertificateFacts, certificateFacts } from './certificate.ts';
import { isHangUp, linkError } from './link-error.ts';
import type { LinkFiles, LinkSecrets } from './link-files.ts';
import { hungUp, type TlsContext, tlsFailure, tlsPort, untrusted } from './tls-error.ts';

export interface BrokerAddress {
  /** `mqtt://host:1883` or `mqtts://host:8883`; without a port these. */
  readonly url: string;
  readonly files: LinkFiles;
  /** What these files held a moment ago. */
  readonly secrets: LinkSecrets;
}

export interface BrokerSocket {
  readonly socket: Socket;
  /**
   * Explains what ended the socket. TLS tells an alert without making it the socket's `errored`, so the first error is remembered here.
   * @param cause null: the first error of the socket, if there was one @param hasAnswered the broker had said something in MQTT before
   */
  explain(cause: unknown, hasAnswered: boolean): AppError;
}

const PLAIN_PORT = 1883;
const TLS_PORT = 8883;
const LONGEST_CHAIN = 10;
/** First bytes of a TLS alert: record type 21, version 3.x (RFC 8446 §5.1). As an MQTT packet they make no sense. */
const ALERT_RECORD = [0x15, 0x03] as const;

/**
 * Resolves when MQTT may be spoken.
 * @throws AppError `link-unavailable`, `link-untrusted`, or the reason of `signal`
 */
export async function openBrokerSocket(
  address: BrokerAddress,
  { timeoutMs, clock, signal }: { readonly timeoutMs: number; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<BrokerSocket> {
  const { url } = address;
  signal.throwIfAborted();
  const isTls = isTlsUrl(url);
  const context = () => contextOf(address, clock);
  const over = new AbortController();
  const late = Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
  let socket: Socket | null = null;
  const hangUp = () => void socket?.destroy(signal.reason);
  signal.addEventListener('abort', hangUp, { once: true });
  try {
    socket = isTls ? dialTls(address) : connectTcp(placeOf(url, PLAIN_PORT));
    const dialled = socket;
    let firstError: unknown = null;
    dialled.on('error', (error) => {
      firstError ??= error; // an alert may come as soon as the handshake is over for this side, before anybody else listens
    });
    clock.sleep(timeoutMs, over.signal).then(
      () => void dialled.destroy(late),
      () => undefined,
    );
    await established(dialled, isTls ? 'secureConnect' : 'connect');
    if (isTls) checkBroker(dialled as TLSSocket, context());
    const isAlerted = isTls ? () => false : watchForAlert(dialled);
    return {
      socket: dialled,
      explain(of, hasAnswered) {
        const cause = of ?? firstError;
        if (isAlerted()) return tlsPort('what answers there speaks TLS', url);
        const failure = isTls ? tlsFailure(cause, context()) : null;
        if (failure !== null) return failure;
        if (hasAnswered || !isHangUp(cause)) return linkError(cause ?? new Error('the connection was closed'), url);
        return isTls ? hungUp(context(), false, cause) : tlsPort('it closed the connection without an answer', url);
      },
    };
  } catch (cause) {
    socket?.destroy();
    if (signal.aborted) throw signal.reason;
    throw isTls ? handshakeError(cause, context()) : linkError(cause, url);
  } finally {
    over.abort();
    signal.removeEventListener('abort', hangUp);
  }
}

function isTlsUrl(url: string): boolean {
  return url.startsWith('mqtts:');
}

function placeOf(url: string, usualPort: number): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? usualPort : Number(port) };
}

/** The broker's certificate is judged by `checkBroker`, as soon as the handshake is over: only then can an error say what stands in it. */
function dialTls({ url, secrets: { ca, cert, key } }: BrokerAddress): TLSSocket {
  const place = placeOf(url, TLS_PORT);
  return connectTls({
    ...place,
    ...(isIP(place.host) === 0 && { servername: place.host }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    minVersion: 'TLSv1.2',
    rejectUnauthorized: false,
  });
}

function established(socket: Socket, event: 'connect' | 'secureConnect'): Promise<void> {
  socket.setNoDelay(true); // MQTT packets are written in pieces: Nagle would hold each back for the peer's delayed ACK, 40 ms a round
  return new Promise((resolve, reject) => {
    socket.on('error', reject); // stays: an error that nobody listens for would end the program
    socket.once('close', () => reject(new Error('the connection was closed')));
    socket.once(event, resolve);
  });
}

/** @throws AppError `link-untrusted` unless the certificate is valid now, comes from a known CA, and is for the host's name */
function checkBroker(socket: TLSSocket, context: TlsContext): void {
  if (socket.authorized) return;
  const leaf = socket.getPeerX509Certificate();
  const names = (leaf?.subjectAltName ?? '').replaceAll(/(?:DNS|IP Address):/g, '');
  throw untrusted(`${socket.authorizationError}`, { chain: chainOf(leaf), names }, context);
}

function chainOf(leaf: X509Certificate | undefined): CertificateFacts[] {
  const chain: CertificateFacts[] = [];
  for (let certificate = leaf; certificate !== undefined && chain.length < LONGEST_CHAIN; ) {
    chain.push(certificateFacts(certificate));
    certificate = certificate.issuerCertificate;
  }
  return chain;
}

function handshakeError(cause: unknown, context: TlsContext): AppError {
  const isCut = isHangUp(cause);
  return tlsFailure(cause, context) ?? (isCut ? hungUp(context, true, cause) : linkError(cause, context.url));
}

function contextOf({ url, files: { ca, cert }, secrets: { own } }: BrokerAddress, clock: Clock): TlsContext {
  return {
    url,
    nowMs: clock.wallMs(),
    caPath: ca ?? null,
    own: own === undefined || cert === undefined ? null : { ...own, path: cert },
  };
}

/** Whether the first bytes that came were a TLS alert. */
function watchForAlert(socket: Socket): () => boolean {
  let isAlert = false;
  socket.once('data', (bytes: Uint8Array) => {
    isAlert = ALERT_RECORD.every((byte, i) => bytes[i] === byte);
  });
  socket.pause(); // whoever reads lets it flow
  return () => isAlert;
}
