/**
 * What a certificate says of itself: for whom, by whom, from when to when (RFC 5280 §4.1.2). Nothing here decides whether it is trusted:
 * that is the TLS handshake's work.
 */
import { X509Certificate } from 'node:crypto';

export interface CertificateFacts {
  /** Common name, or the whole subject where there is none. */
  readonly subject: string;
  /** Common name of who signed it, or the whole issuer. */
  readonly issuer: string;
  /** Milliseconds since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** Below this many days until expiry people are warned. */
export const EXPIRY_WARNING_DAYS = 30;

const DAY_MS = 86_400_000;

/**
 * Days until the first certificate of a PEM text expires; below 0 when it has.
 * @param nowMs wall time, milliseconds since 1970 @throws when the text holds no certificate
 */
export function expiryDays(pem: string, nowMs: number): number {
  return (expiresAtMs(pem) - nowMs) / DAY_MS;
}

/** End of the first certificate of a PEM text, milliseconds since 1970. @throws when the text holds no certificate */
export function expiresAtMs(pem: string): number {
  return certificateFacts(new X509Certificate(pem)).notAfterMs;
}

export function certificateFacts({ subject, issuer, validFrom, validTo }: X509Certificate): CertificateFacts {
  return {
    subject: commonName(subject),
    issuer: commonName(issuer),
    notBeforeMs: Date.parse(validFrom),
    notAfterMs: Date.parse(validTo),
  };
}

/** `2026-11-29T21:09:00Z` */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** @param name one attribute a line, as Node.js writes it: `C=DE\nCN=hub` */
function commonName(name: string): string {
  return /^CN=(.+)$/m.exec(name)?.[1] ?? name.replaceAll('\n', ', ');
}
