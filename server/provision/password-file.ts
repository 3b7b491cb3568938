/**
 * Mosquitto's password file: a line `NAME:$7$ITERATIONS$SALT$HASH` a user, where the hash is PBKDF2 with SHA-512 of 64 bytes and
 * salt and hash are base64. For small fleets without client certificates. The file is replaced whole and is its owner's only.
 * Source: Mosquitto 2.0, mosquitto_passwd(1); verified against the broker in test/integration/mosquitto-access.test.ts.
 */
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { nodeFileCalls, writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';

/** The broker computes this at each connection, and does nothing else meanwhile: about 10 ms. */
const ITERATIONS = 10_000;
/** What Mosquitto 2.0.11 takes, no more and no less. */
const SALT_BYTES = 12;
const HASH_BYTES = 64;

/** 144 random bits as 24 characters: nobody has to think of a password, or to guess one. */
export function newPassword(): string {
  return randomBytes(18).toString('base64url');
}

/** Sets or replaces a user's password. @throws AppError `output-failed`, `input-missing` */
export async function setPassword(path: string, name: string, password: string): Promise<void> {
  const salt = randomBytes(SALT_BYTES);
  const hash = pbkdf2Sync(password, salt, ITERATIONS, HASH_BYTES, 'sha512');
  const line = `${name}:$7$${ITERATIONS}$${salt.toString('base64')}$${hash.toString('base64')}`;
  await replaceLines(path, (lines) => [...lines.filter((other) => !isOf(other, name)), line]);
}

/** Takes a user out of the file. @throws AppError `usage` when there is no such user */
export async function removePassword(path: string, name: string): Promise<void> {
  await replaceLines(path, (lines) => {
    const others = lines.filter((line) => !isOf(line, name));
    if (others.length < lines.length) return others;
    throw new AppError('usage', `${JSON.stringify(name)} has no password in this file`, { where: path });
  });
}

function isOf(line: string, name: string): boolean {
  return line.startsWith(`${name}:`);
}

async function replaceLines(path: string, change: (lines: string[]) => string[]): Promise<void> {
  const lines = change((await readIfThere(path)).split('\n').filter((line) => line !== ''));
  await mkdir(dirname(path), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new AppError('output-failed', 'the folder of the password file cannot be made', { where: path, cause });
  });
  await writeFileAtomic(path, lines.map((line) => `${line}\n`).join(''), nodeFileCalls, 0o600);
}

async function readIfThere(path: string): Promise<string> {
  if (!existsSync(path)) return '';
  return readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('input-missing', 'the password file cannot be read', { where: path, cause });
  });
}
