/**
 * The files of an authority in one folder: `ca.crt`, `ca.key`, `ca.crl`, `issued.jsonl`, and `NAME.crt` and `NAME.key` of each certificate.
 * Invariants: each file is replaced whole or not at all; keys and the list are for their owner only (0600) from their first byte on.
 */
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeFileCalls, writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import { isName } from '../../core/wire/topics.ts';
import { type Authority, openAuthority, type PemPair, revocationListTimeS } from './authority.ts';
import { lockCertificates } from './folder-lock.ts';
import { formatIssued, type IssuedCertificate, parseIssued } from './issued-list.ts';

export const AUTHORITY_NAME = 'ca';

export interface CertificateFolder {
  /** Makes the folder if need be, and runs `work` while no other process writes there. @throws AppError `timeout` */
  exclusively<T>(work: () => Promise<T>): Promise<T>;
  /** @throws AppError `input-missing` when there is none, `data-format` when its files are damaged */
  authority(): Promise<Authority>;
  issued(): Promise<IssuedCertificate[]>;
  /** PEM of the newest certificate of this name, or null. */
  certificate(name: string): Promise<string | null>;
  /** `thisUpdate` of the revocation list; 0 when there is none. */
  revocationsS(): Promise<number>;
  /** The first of these names' files that are there already, or null. */
  existing(names: readonly string[]): string | null;
  writeCertificate(name: string, pem: string): Promise<void>;
  writeKey(name: string, pem: string): Promise<void>;
  writeIssued(list: readonly IssuedCertificate[]): Promise<void>;
  writeRevocations(pem: string): Promise<void>;
}

/** A name that can stand in a topic and is not the authority's. @throws AppError `usage` */
export function checkedName(name: string): string {
  if (isName(name) && name !== AUTHORITY_NAME && !name.startsWith('.')) return name;
  throw new AppError('usage', `${JSON.stringify(name)} cannot be the name of a certificate`, {
    hint: `use 1 to 64 letters, digits, dots, underscores or hyphens, not beginning with a dot, and not '${AUTHORITY_NAME}'`,
  });
}

/** @param patienceMs how long another process may keep the folder before `exclusively` gives up; nothing else runs meanwhile */
export function openCertificateFolder(dir: string, patienceMs = 5000): CertificateFolder {
  const at = (file: string) => join(dir, file);
  const read = (file: string) => readFile(at(file), 'utf8').catch((cause: unknown) => missing(at(file), cause));
  const readIfThere = (file: string) => (existsSync(at(file)) ? read(file) : Promise.resolve(null));
  const write = (file: string, text: string, mode: number) => writeFileAtomic(at(file), text, nodeFileCalls, mode);
  return {
    async exclusively(work) {
      await makeFolder(dir);
      const release = lockCertificates(dir, patienceMs);
      try {
        return await work();
      } finally {
        release();
      }
    },
    async authority() {
      if (!existsSync(at('ca.crt'))) throw noAuthority(dir);
      const pair: PemPair = { certificate: await read('ca.crt'), key: await read('ca.key') };
      return openAuthority(pair).catch((cause: unknown) => {
        throw new AppError('data-format', 'certificate or key of the authority cannot be understood', {
          where: at('ca.crt'),
          hint: 'Restore ca.crt and ca.key from a copy.',
          cause,
        });
      });
    },
    async issued() {
      return parseIssued((await readIfThere('issued.jsonl')) ?? '', at('issued.jsonl'));
    },
    certificate: (name) => readIfThere(`${name}.crt`),
    async revocationsS() {
      const pem = await readIfThere('ca.crl');
      return pem === null ? 0 : revocationListTimeS(pem);
    },
    existing(names) {
      const files = names.flatMap((name) => [`${name}.key`, `${name}.crt`]);
      return files.map(at).find((path) => existsSync(path)) ?? null;
    },
    writeCertificate: (name, pem) => write(`${name}.crt`, pem, 0o644),
    writeKey: (name, pem) => write(`${name}.key`, pem, 0o600),
    writeIssued: (list) => write('issued.jsonl', formatIssued(list), 0o600),
    writeRevocations: (pem) => write('ca.crl', pem, 0o644),
  };
}

/** For its owner only: it holds keys. */
async function makeFolder(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new AppError('output-failed', 'the folder for certificates cannot be made', { where: dir, cause });
  });
}

function noAuthority(dir: string): AppError {
  return new AppError('input-missing', 'there is no certificate authority in this folder', {
    where: dir,
    hint: 'Make one with qqr provision init, or name its folder with --dir.',
  });
}

function missing(path: string, cause: unknown): never {
  throw new AppError('input-missing', 'the file cannot be read', { where: path, cause });
}
