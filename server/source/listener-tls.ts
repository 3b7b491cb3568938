/**
 * TLS of the embedded broker's listener: its files, read at the start and again when told to. With a CA only clients whose
 * certificate it signed are let in, and the certificate's common name is the user (RFC 5280 §4.1.2.6).
 */
import { readFile } from 'node:fs/promises';
import { createSecureContext, type TLSSocket, type TlsOptions } from 'node:tls';
import { AppError } from '../../core/base/errors.ts';

export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  /** Of the clients' certificates; without it clients need none. */
  readonly ca: string | null;
  /** List of revoked certificates, PEM. */
  readonly crl: string | null;
}

/** What the files hold, as node:tls takes it. @throws AppError `config-invalid` with the file's path */
export async function readTlsFiles({ cert, key, ca, crl }: TlsFiles): Promise<TlsOptions> {
  const [certPem, keyPem, caPem, crlPem] = await Promise.all([cert, key, ca, crl].map(readPem));
  const options: TlsOptions = {
    cert: certPem as string,
    key: keyPem as string,
    minVersion: 'TLSv1.2',
    ...(caPem !== null && { ca: caPem as string, requestCert: true, rejectUnauthorized: true }),
    ...(crlPem !== null && { crl: crlPem as string }),
  };
  try {
    createSecureContext(options);
  } catch (cause) {
    throw new AppError('config-invalid', `certificate and key cannot be used: ${(cause as Error).message}`, {
      where: cert,
      hint: 'check that broker.tls.cert, key, ca and crl are PEM files, and that the key belongs to the certificate',
      cause,
    });
  }
  return options;
}

async function readPem(path: string | null): Promise<string | null> {
  if (path === null) return null;
  return readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new AppError('config-invalid', `a file of broker.tls cannot be read: ${cause.code}`, { where: path, cause });
  });
}

/** Common name of the client's certificate; null when there is not exactly one. */
export function commonNameOf(socket: TLSSocket): string | null {
  const name: unknown = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : null;
}
