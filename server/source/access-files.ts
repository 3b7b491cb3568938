/**
 * What the embedded broker knows of its users: a password file, or the CA of their certificates. Read at the start and again when told
 * to; when one of the files is wrong, nothing of it is taken.
 */
import type { TlsOptions } from 'node:tls';
import type { Log } from '../../core/base/log.ts';
import type { Topics } from '../../core/wire/topics.ts';
import { readTlsFiles, type TlsFiles } from './listener-tls.ts';
import { type Passwords, readPasswords } from './password-file.ts';

/** Who is let in. */
export interface BrokerAccess {
  /** Topics of the fleet: rules are about them. */
  readonly topics: Topics;
  /** Mosquitto's format; null: no passwords. */
  readonly passwordFile: string | null;
  /** Null: plain TCP. With a CA, clients need a certificate. */
  readonly tls: TlsFiles | null;
}

/** What proves who somebody is: nothing, a password, or a certificate. */
export type Proof =
  | { readonly kind: 'none' }
  | { readonly kind: 'passwords'; readonly passwords: Passwords }
  | { readonly kind: 'certificates' };

export interface AccessFiles {
  readonly proof: Proof;
  readonly tls: TlsOptions | null;
}

/** @throws AppError `config-invalid` with the file that is wrong */
export async function readAccessFiles(access: BrokerAccess | undefined, log: Log): Promise<AccessFiles> {
  const { passwordFile = null, tls = null } = access ?? {};
  const passwords = passwordFile === null ? null : await readPasswords(passwordFile, log);
  const tlsOptions = tls === null ? null : await readTlsFiles(tls);
  if (passwords !== null) return { proof: { kind: 'passwords', passwords }, tls: tlsOptions };
  return { proof: { kind: tls === null || tls.ca === null ? 'none' : 'certificates' }, tls: tlsOptions };
}
