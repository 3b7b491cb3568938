/**
 * The `[http]` table: where the API listens and who may do what. Invariant: nobody changes anything without a token, and beyond the
 * loopback nobody reads without one unless the settings say so.
 */
import { readFile, stat } from 'node:fs/promises';
import { z } from 'zod';
import { AppError } from '../core/base/errors.ts';
import { isLoopback } from './embedded-settings.ts';

const token = z.string().regex(/^[\x21-\x7e]{16,512}$/, 'takes 16 to 512 printable characters without spaces');

export const httpSchema = z.strictObject({
  listen: z
    .string()
    .regex(/^(?:off|.+:\d{1,5})$/, 'takes HOST:PORT or off')
    .refine(
      (text) => text === 'off' || Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536,
      'takes a port up to 65535',
    )
    .default('127.0.0.1:8080'),
  token: token.optional(),
  tokenFile: z.string().optional(),
  publicReading: z.boolean().default(false),
  hosts: z.array(z.string().regex(/^[A-Za-z0-9.:[\]-]{1,255}$/, 'takes a host name')).default([]),
});

export interface HttpSettings {
  readonly host: string;
  /** 0 = any that is free. */
  readonly port: number;
  /** Null: nobody may change anything. */
  readonly token: string | null;
  readonly needsTokenToRead: boolean;
  /** Host names that a request may be meant for, without ports; null = any. A page of another origin cannot forge it (DNS rebinding). */
  readonly hosts: readonly string[] | null;
}

/** Null when it is off. @throws AppError `config-invalid`, or `input-missing` when the token's file cannot be read */
export async function httpSettingsFrom(http: z.output<typeof httpSchema>): Promise<HttpSettings | null> {
  if (http.listen === 'off') return null;
  const at = http.listen.lastIndexOf(':');
  const host = http.listen.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const isLocal = isLoopback(host);
  const secret = await tokenFrom(http);
  if (!isLocal && secret === null && !http.publicReading) {
    throw new AppError('config-invalid', 'everybody on the network could read the API', {
      where: 'http.listen',
      hint: 'Set http.tokenFile, or http.publicReading = true when that is meant.',
    });
  }
  const local = ['localhost', '127.0.0.1', '[::1]', ...(isLocal ? [host.includes(':') ? `[${host}]` : host] : [])];
  return {
    host,
    port: Number(http.listen.slice(at + 1)),
    token: secret,
    needsTokenToRead: !isLocal && !http.publicReading,
    hosts: isLocal || http.hosts.length > 0 ? [...local, ...http.hosts] : null,
  };
}

async function tokenFrom(http: z.output<typeof httpSchema>): Promise<string | null> {
  if (http.tokenFile === undefined) return http.token ?? null;
  const where = http.tokenFile;
  if (http.token !== undefined)
    throw new AppError('config-invalid', 'http.token and http.tokenFile are both set', {
      where,
      hint: 'Keep one of them.',
    });
  const [text, { mode }] = await Promise.all([readFile(where, 'utf8'), stat(where)]).catch((cause: unknown) => {
    throw new AppError('input-missing', 'the file of the token cannot be read', { where, cause });
  });
  if ((mode & 0o007) !== 0)
    throw new AppError('config-invalid', 'everybody on this machine can read the token', {
      where,
      hint: `Run chmod 600 ${where}`,
    });
  const parsed = token.safeParse(text.trim());
  if (parsed.success) return parsed.data;
  throw new AppError('config-invalid', `the token ${parsed.error.issues[0]?.message}`, { where });
}
