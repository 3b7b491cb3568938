/**
 * The files of a link that proves itself: CA, certificate, key, password. They are read anew for every connection, since certificates are
 * renewed while the program runs. What is wrong with them is found here, before a handshake could only say that it failed.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';
import { AppError } from '../base/errors.ts';
import { type CertificateFacts, certificateFacts } from './certificate.ts';

/** Paths. */
export interface LinkFiles {
  /** Certificates of the CAs that may have signed the broker's, PEM; without it those that Node.js brings. */
  readonly ca?: string | undefined;
  /** This program's certificate, then those between it and its CA, PEM; together with `key`. */
  readonly cert?: string | undefined;
  /** Its private key, PEM, without a passphrase. */
  readonly key?: string | undefined;
  /** The password on its first line. */
  readonly passwordFile?: string | undefined;
}

export interface LinkSecrets {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly password?: string;
  /** What `cert` says of itself. */
  readonly own?: CertificateFacts;
  /** Secrets that others may read, as sentences that name the file. */
  readonly warnings: readonly string[];
}

/**
 * Reads what is named; empty without files.
 * @throws AppError `input-missing` (cannot be read), `data-format` (no PEM, or a key with a passphrase), `link-untrusted` (key and
 * certificate do not belong together)
 */
export async function readLinkFiles({ ca, cert, key, passwordFile }: LinkFiles): Promise<LinkSecrets> {
  const secrets: { -readonly [Name in keyof LinkSecrets]: LinkSecrets[Name] } = { warnings: [] };
  const warnings: string[] = [];
  if (ca !== undefined) secrets.ca = await readCertificate(ca);
  if (cert !== undefined && key !== undefined) {
    secrets.cert = await readCertificate(cert);
    secrets.key = await readSecret(key, warnings);
    const certificate = parseCertificate(secrets.cert, cert);
    if (!certificate.checkPrivateKey(parseKey(secrets.key, key))) throw strangers(cert, key);
    secrets.own = certificateFacts(certificate);
  }
  if (passwordFile !== undefined) {
    secrets.password = (await readSecret(passwordFile, warnings)).split(/\r?\n/, 1)[0] as string;
  }
  return { ...secrets, warnings };
}

/** PEM text that begins with a certificate. @throws AppError `input-missing`, `data-format` */
export async function readCertificate(path: string): Promise<string> {
  const { text } = await readWithMode(path);
  parseCertificate(text, path);
  return text;
}

async function readSecret(path: string, warnings: string[]): Promise<string> {
  const { text, mode, uid } = await readWithMode(path);
  // A group that root has chosen is a choice: `root:qqr 0640`, and credentials of systemd.
  const isOpen = (mode & 0o007) !== 0 || ((mode & 0o070) !== 0 && uid !== 0);
  if (isOpen) warnings.push(`${path} can be read by others (mode ${(mode & 0o777).toString(8)}): chmod 600 ${path}`);
  return text;
}

async function readWithMode(path: string): Promise<{ text: string; mode: number; uid: number }> {
  try {
    const file = await open(path, 'r');
    try {
      const { mode, uid } = await file.stat();
      return { text: await file.readFile('utf8'), mode, uid };
    } finally {
      await file.close();
    }
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    const hint =
      code === 'EACCES'
        ? 'Let the user of this program read it (chown, chmod 600), and enter its folder.'
        : 'Check the path in the settings: ca, cert, key and passwordFile name files on this machine.';
    throw new AppError('input-missing', `a file of the link cannot be read: ${code}`, { where: path, hint, cause });
  }
}

function parseCertificate(pem: string, where: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    const hint = 'It should hold "-----BEGIN CERTIFICATE-----": is it the right file, and written to its end?';
    throw new AppError('data-format', 'no certificate in PEM form', { where, hint, cause });
  }
}

function parseKey(pem: string, where: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (cause) {
    if (/ENCRYPTED/.test(pem)) {
      const hint = 'Nobody is there to type it: write the key without one (openssl pkey -in KEY -out NEW), mode 600.';
      throw new AppError('data-format', 'the private key has a passphrase', { where, hint, cause });
    }
    const hint = 'It should hold "-----BEGIN PRIVATE KEY-----": is it the right file, and written to its end?';
    throw new AppError('data-format', 'no private key in PEM form', { where, hint, cause });
  }
}

function strangers(cert: string, key: string): AppError {
  return new AppError('link-untrusted', 'certificate and private key do not belong together', {
    where: `${cert}, ${key}`,
    hint: 'Take both from the same issue; a renewal under way has replaced one of them, and the next attempt finds both.',
  });
}
