/**
 * Why TLS with the broker failed, as an error that says who refused whom, and what to do. OpenSSL's names for it tell that only to those
 * who know it. Sources: verification results of OpenSSL (X509_verify_cert_error_string(3)), alerts of RFC 8446 §6.2.
 */
import { AppError } from '../base/errors.ts';
import { type CertificateFacts, isoSeconds } from './certificate.ts';

/** What is known beside the failure. */
export interface TlsContext {
  /** `mqtts://host:port` */
  readonly url: string;
  /** Wall time of this machine, milliseconds since 1970. */
  readonly nowMs: number;
  /** Path of the CA file; null: those that Node.js brings. */
  readonly caPath: string | null;
  /** What this program shows, with the path of its file; null: nothing. */
  readonly own: (CertificateFacts & { readonly path: string }) | null;
}

/** What the broker showed. */
export interface ShownCertificate {
  /** Its own, then who signed it, as far as was sent. */
  readonly chain: readonly CertificateFacts[];
  /** Names for which it is: `hub.local, 10.0.0.2`. */
  readonly names: string;
}

const SEE_LOG = "See the broker's log.";
const RENEW = 'Renew it; the files are read again at the next attempt.';

/** The broker's certificate does not pass. @param reason what OpenSSL or the check of the name calls it */
export function untrusted(reason: string, { chain, names }: ShownCertificate, context: TlsContext): AppError {
  const { url, nowMs, caPath } = context;
  const [leaf] = chain;
  const whose = leaf === undefined ? "the broker's certificate" : `the broker's certificate (${leaf.subject})`;
  const clock = `the clock here says ${isoSeconds(nowMs)}`;
  const refuse = (what: string, hint: string) => new AppError('link-untrusted', what, { where: url, hint });
  switch (reason) {
    case 'CERT_NOT_YET_VALID': {
      const early = chain.find(({ notBeforeMs }) => notBeforeMs > nowMs) ?? leaf;
      const from = early === undefined ? 'later' : `from ${isoSeconds(early.notBeforeMs)} (${early.subject})`;
      return refuse(
        `${whose} is not yet valid: ${clock}, the certificate is valid ${from}`,
        'Wait for time synchronization, or set the clock (timedatectl); the link goes on trying. If the clock is right, the certificate was made for later.',
      );
    }
    case 'CERT_HAS_EXPIRED': {
      const old = chain.find(({ notAfterMs }) => notAfterMs < nowMs) ?? leaf;
      const until = old === undefined ? '' : ` on ${isoSeconds(old.notAfterMs)} (${old.subject})`;
      return refuse(
        `${whose} has expired${until}; ${clock}`,
        'Renew it on the broker, and let the broker read it again.',
      );
    }
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return refuse(
        `${whose} is for ${names === '' ? 'no name' : names}, not for ${new URL(url).hostname}`,
        'Connect by a name that stands in it, or have one made for this name.',
      );
  }
  if (!UNKNOWN_CA.has(reason)) return refuse(`${whose} is not accepted: ${reason}`, SEE_LOG);
  const known = caPath === null ? 'the CAs that Node.js brings' : `the CAs in ${caPath}`;
  const signer = leaf === undefined ? '' : `, signed by ${leaf.issuer},`;
  return refuse(
    `${whose}${signer} does not come from ${known} (${reason})`,
    caPath === null
      ? "Set 'ca' to the file with the certificate of the CA that signed it."
      : 'Put the certificate of the CA that signed it into this file. If nobody knows that CA, somebody else answers at this address.',
  );
}

const UNKNOWN_CA: ReadonlySet<string> = new Set([
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
]);

/** What the broker's alert or the local library says; null when the failure is none of TLS's. */
export function tlsFailure(cause: unknown, context: TlsContext): AppError | null {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? String(cause.code) : '';
  const alert = /^ERR_SSL_.*ALERT_(.+)$/.exec(code)?.[1];
  const { url: where } = context;
  if (alert !== undefined) return alerted(alert, context, cause);
  if (PLAIN_ANSWERS.has(code)) return plainPort('what answers there does not speak TLS', where, cause);
  if (code === 'ERR_SSL_UNSUPPORTED_PROTOCOL') return alerted('PROTOCOL_VERSION', context, cause);
  if (!/^ERR_(?:OS)?SSL_/.test(code)) return null;
  return new AppError('link-untrusted', `TLS with the broker failed: ${code}`, { where, hint: SEE_LOG, cause });
}

const PLAIN_ANSWERS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_UNEXPECTED_MESSAGE',
  'ERR_SSL_BAD_RECORD_TYPE',
]);

/** TLS was spoken to a port that does not understand it. */
function plainPort(what: string, where: string, cause: unknown): AppError {
  return new AppError('link-unavailable', `no TLS with the broker: ${what}`, { where, hint: PLAIN_PORT, cause });
}

const PLAIN_PORT =
  "It may be the port for plain MQTT: take the broker's TLS port (usually 8883), or mqtt:// for this one.";

/**
 * The broker hung up without an alert. Brokers on Node.js do that to a client whose certificate they refuse.
 * @param isInHandshake else it was after the handshake, and before MQTT's first answer
 */
export function hungUp({ url: where, own, nowMs }: TlsContext, isInHandshake: boolean, cause: unknown): AppError {
  const when = isInHandshake ? 'in the middle of the handshake' : 'without an answer';
  if (own === null && isInHandshake) return plainPort(`the connection was closed ${when}`, where, cause);
  const what = `the broker closed the connection ${when}`;
  if (own === null) {
    const hint = `It may want a certificate ('cert' and 'key'), or refuse the client id. ${SEE_LOG}`;
    return new AppError('link-unavailable', what, { where, hint, cause });
  }
  const whose = `this program's certificate ${own.path} (${own.subject}, signed by ${own.issuer})`;
  if (own.notAfterMs < nowMs) {
    const expired = `${what}: ${whose} has expired on ${isoSeconds(own.notAfterMs)}`;
    return new AppError('link-untrusted', expired, { where, hint: RENEW, cause });
  }
  const hint = `It may refuse ${whose}. ${SEE_LOG}${isInHandshake ? ` ${PLAIN_PORT}` : ''}`;
  return new AppError('link-unavailable', what, { where, hint, cause });
}

/** Plain MQTT was spoken to a port that answers with a TLS alert, or hangs up at once. */
export function tlsPort(what: string, where: string): AppError {
  const hint = `It may be a port for TLS: take mqtts:// for it, or the broker's port for plain MQTT (usually 1883). ${SEE_LOG}`;
  return new AppError('link-unavailable', `no link to the broker: ${what}`, { where, hint });
}

/** @param alert the end of OpenSSL's name for it: `CERTIFICATE_EXPIRED` */
function alerted(alert: string, { url: where, own }: TlsContext, cause: unknown): AppError {
  const refuse = (what: string, hint: string) => new AppError('link-untrusted', what, { where, hint, cause });
  if (alert === 'PROTOCOL_VERSION')
    return refuse('the broker speaks no TLS 1.2 or newer', 'Update the broker, or allow TLS 1.2 in its settings.');
  if (own === null)
    return MEANS_NONE.has(alert)
      ? refuse('the broker wants a certificate from this program', "Set 'cert' and 'key'.")
      : refuse(`the broker ended TLS: ${words(alert)}`, SEE_LOG);
  const until = `it is valid until ${isoSeconds(own.notAfterMs)}`;
  const reason: Readonly<Record<string, readonly [what: string, hint: string]>> = {
    UNKNOWN_CA: [
      `does not know its CA, ${own.issuer}`,
      "Have it made by the broker's CA, or put its CA into the broker's file of CAs (cafile).",
    ],
    CERTIFICATE_EXPIRED: [`takes it for expired; ${until}`, RENEW],
    CERTIFICATE_REVOKED: ['has it on its list of revoked ones', 'Have a new one made for this program.'],
    CERTIFICATE_REQUIRED: ['wants another one', SEE_LOG],
    BAD_CERTIFICATE: [
      `finds it bad; it is valid from ${isoSeconds(own.notBeforeMs)}`,
      `Is that later than the broker's clock? ${SEE_LOG}`,
    ],
  };
  const [what, hint] = reason[alert] ?? [words(alert), SEE_LOG];
  return refuse(`the broker refuses this program's certificate ${own.path} (${own.subject}): it ${what}`, hint);
}

/** How a broker says that no certificate came: TLS 1.3, TLS 1.2. */
const MEANS_NONE: ReadonlySet<string> = new Set(['CERTIFICATE_REQUIRED', 'HANDSHAKE_FAILURE', 'BAD_CERTIFICATE']);

function words(alert: string): string {
  return `says '${alert.toLowerCase().replaceAll('_', ' ')}'`;
}
