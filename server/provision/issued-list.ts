/**
 * The list of all certificates that an authority has signed, as text: one JSON object a line, in the order of signing.
 * It is what revocation works from: what is not in it cannot be revoked, therefore it is written before any certificate is.
 */
import { AppError } from '../../core/base/errors.ts';
import type { CertificateKind, Validity } from './authority.ts';

export interface IssuedCertificate extends Validity {
  /** Hexadecimal. */
  readonly serial: string;
  readonly name: string;
  readonly kind: CertificateKind;
  /** When it was revoked, seconds since 1970; null = it was not. */
  readonly revokedS: number | null;
}

export function formatIssued(list: readonly IssuedCertificate[]): string {
  return list.map((issued) => `${JSON.stringify(lineOf(issued))}\n`).join('');
}

/** @throws AppError `data-format` with the line that is not one of ours. */
export function parseIssued(text: string, path: string): IssuedCertificate[] {
  const lines = text.split('\n');
  return lines.flatMap((line, i) => (line.trim() === '' ? [] : [parseLine(line, `${path}:${i + 1}`)]));
}

function lineOf({ serial, name, kind, notBeforeS, notAfterS, revokedS }: IssuedCertificate) {
  const revoked = revokedS === null ? {} : { revoked: isoOf(revokedS) };
  return { serial, name, kind, notBefore: isoOf(notBeforeS), notAfter: isoOf(notAfterS), ...revoked };
}

function parseLine(line: string, where: string): IssuedCertificate {
  const entry = jsonOf(line);
  const { serial, name, kind, notBefore, notAfter, revoked } = entry;
  const times = [notBefore, notAfter, revoked ?? notAfter].map((time) => Date.parse(String(time)) / 1000);
  const isOurs =
    /^[0-9a-f]{2,40}$/.test(String(serial)) &&
    typeof name === 'string' &&
    (kind === 'client' || kind === 'server') &&
    times.every(Number.isFinite);
  if (!isOurs) {
    throw new AppError('data-format', 'the list of issued certificates is damaged', {
      where,
      hint: 'Restore it from a copy: certificates that are not in it cannot be revoked.',
    });
  }
  const [notBeforeS, notAfterS, revokedS] = times as [number, number, number];
  return {
    serial: String(serial),
    name,
    kind,
    notBeforeS,
    notAfterS,
    revokedS: revoked === undefined ? null : revokedS,
  };
}

function jsonOf(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {}; // the caller finds its fields missing
  }
}

function isoOf(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
