/** When the certificates of a link's files expire, as the files are now: for those who look, and never an error. */
import { AppError } from '../base/errors.ts';
import { expiresAtMs } from './certificate.ts';
import { type LinkFiles, readCertificate } from './link-files.ts';

/** `client`: the program's own certificate; `authority`: the first of the CAs; `listener`: what an embedded broker shows. */
export type CertificateName = 'client' | 'authority' | 'listener';

/** Milliseconds since 1970. */
export type CertificateEnds = Readonly<Partial<Record<CertificateName, number>>>;

/** A file that is not named, or cannot be read, is left out: the link says so at every attempt. */
export async function certificateEnds({ cert, ca }: LinkFiles): Promise<CertificateEnds> {
  const ends: Partial<Record<CertificateName, number>> = {};
  for (const [name, path] of [['client', cert] as const, ['authority', ca] as const]) {
    const atMs = path === undefined ? null : await endOf(path);
    if (atMs !== null) ends[name] = atMs;
  }
  return ends;
}

async function endOf(path: string): Promise<number | null> {
  try {
    return expiresAtMs(await readCertificate(path));
  } catch (error) {
    if (error instanceof AppError) return null;
    throw error;
  }
}
