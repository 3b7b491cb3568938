/**
 * Passwords as Mosquitto keeps them, so that one file serves either broker: a line `NAME:$7$ITERATIONS$SALT$HASH` a user, the hash
 * PBKDF2 with SHA-512 of 64 bytes, salt and hash in base64 (mosquitto_passwd(1), `qqr provision password`).
 * Invariant: an unknown name takes as long as a wrong password, and no more than two checks run at a time, off the event loop.
 */
import { Buffer } from 'node:buffer';
import { pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { isName } from '../../core/wire/topics.ts';

interface Secret {
  readonly iterations: number;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** What the file says of each user. */
export type Passwords = ReadonlyMap<string, Secret>;

const HASH_BYTES = 64;
/** A file asks for no more work than this for a password: a second or two. */
const MAX_ITERATIONS = 2_000_000;
const derive = promisify(pbkdf2);

/** @throws AppError `config-invalid` with file and line, never with what the line holds */
export async function readPasswords(path: string, log: Log): Promise<Passwords> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new AppError('config-invalid', 'the password file cannot be read', {
      where: path,
      hint: 'make it with: mosquitto_passwd -c FILE NAME',
      cause,
    });
  });
  const { mode } = await stat(path);
  if ((mode & 0o077) !== 0) log.warn({ path, mode: (mode & 0o777).toString(8) }, 'password file readable by others');
  return parsePasswords(text, path);
}

/** @throws AppError `config-invalid` with `path` and the line */
export function parsePasswords(text: string, path: string): Passwords {
  const secrets = new Map<string, Secret>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const refuse = (what: string, hint?: string) => {
      throw new AppError('config-invalid', what, { where: `${path}:${i + 1}`, ...(hint && { hint }) });
    };
    const name = line.slice(0, Math.max(0, line.indexOf(':')));
    if (!isName(name)) refuse('no name of a user before a colon');
    if (secrets.has(name)) refuse(`${name} is in the file twice`);
    const secret = secretOf(line.slice(name.length + 1));
    if (secret === null)
      refuse(`the password of ${name} is not a PBKDF2 hash`, 'set it anew with mosquitto_passwd 2.0');
    else secrets.set(name, secret);
  }
  return secrets;
}

function secretOf(text: string): Secret | null {
  const [, iterationsText, saltText, hashText] =
    /^\$7\$(\d{1,7})\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*)$/.exec(text) ?? [];
  if (saltText === undefined || hashText === undefined) return null;
  const iterations = Number(iterationsText);
  const hash = Buffer.from(hashText, 'base64');
  const salt = Buffer.from(saltText, 'base64');
  const isUsable = iterations >= 1 && iterations <= MAX_ITERATIONS && hash.length === HASH_BYTES && salt.length > 0;
  return isUsable ? { iterations, salt, hash } : null;
}

/** True when both lines of a user say the same. */
export function isSameSecret(a: Secret | undefined, b: Secret | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Buffer.compare(a.salt, b.salt) === 0 && Buffer.compare(a.hash, b.hash) === 0;
}

/** What a check came to; `busy` when too many are waiting already. */
export type PasswordVerdict = 'right' | 'wrong' | 'busy';

export interface PasswordChecker {
  /** @param isWanted asked when the check's turn comes: nobody waits for the answer when it says no */
  check(passwords: Passwords, name: string, password: Uint8Array, isWanted: () => boolean): Promise<PasswordVerdict>;
}

const CHECKS_AT_A_TIME = 2;
const MOST_WAITING = 1000;

export function createPasswordChecker(): PasswordChecker {
  const nobody = { salt: randomBytes(12), hash: new Uint8Array(HASH_BYTES) };
  const waiting: (() => void)[] = [];
  let running = 0;
  return {
    async check(passwords, name, password, isWanted) {
      if (waiting.length >= MOST_WAITING) return 'busy';
      if (running >= CHECKS_AT_A_TIME) await new Promise<void>((resolve) => waiting.push(resolve));
      else running++;
      try {
        if (!isWanted()) return 'busy';
        const known = passwords.get(name);
        const [anyone] = passwords.values();
        const { iterations, salt, hash } = known ?? { iterations: anyone?.iterations ?? 1, ...nobody };
        const found = await derive(password, salt, iterations, HASH_BYTES, 'sha512');
        return timingSafeEqual(found, hash) && known !== undefined ? 'right' : 'wrong';
      } finally {
        const next = waiting.shift();
        if (next === undefined) running--;
        else next(); // takes over the place
      }
    },
  };
}
