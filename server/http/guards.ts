/**
 * What every request passes before a route sees it: the host that it is meant for, the token, the size of its body; and the headers that
 * every answer carries. No other origin is ever let in, so there is no CORS.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import type { HttpSettings } from '../http-settings.ts';
import { problem, problemResponse } from './problem.ts';

/** No route takes a body; a client may send an empty object. */
const MAX_BODY_BYTES = 1024;

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS = {
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cross-Origin-Opener-Policy': 'same-origin',
} as const;

export function securityHeaders(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    for (const [name, value] of Object.entries(HEADERS)) c.res.headers.set(name, value);
    if (!c.res.headers.has('Cache-Control')) c.res.headers.set('Cache-Control', 'no-cache');
  };
}

export function hostGuard({ hosts }: HttpSettings): MiddlewareHandler {
  const known = hosts === null ? null : new Set(hosts.map((host) => host.toLowerCase()));
  return async (c, next) => {
    const host = (c.req.header('host') ?? '').replace(/:\d{1,5}$/, '').toLowerCase();
    if (known === null || known.has(host)) return next();
    return problemResponse(
      c,
      problem('wrong-host', 'http.hosts in the settings names the hosts that are answered for'),
    );
  };
}

export function bodyGuard(): MiddlewareHandler {
  return async (c, next) => {
    const length = Number(c.req.header('content-length') ?? 0);
    const isStreamed = c.req.header('transfer-encoding') !== undefined;
    if (length <= MAX_BODY_BYTES && !isStreamed) return next();
    return problemResponse(c, problem('too-large', `at most ${MAX_BODY_BYTES} bytes, with their number said`));
  };
}

/** Lets reading pass as the settings say, and changing only with the token. */
export function tokenGuard({ token, needsTokenToRead }: HttpSettings): MiddlewareHandler {
  const expected = token === null ? null : digest(token);
  const isGiven = (c: Context) => {
    const given = /^Bearer +(\S+)$/i.exec(c.req.header('authorization') ?? '')?.[1];
    return expected !== null && given !== undefined && timingSafeEqual(digest(given), expected);
  };
  return async (c, next) => {
    const isReading = c.req.method === 'GET' || c.req.method === 'HEAD';
    if (isReading && !needsTokenToRead) return next();
    if (expected === null) return problemResponse(c, problem('read-only', 'set http.tokenFile to change that'));
    if (isGiven(c)) return next();
    return problemResponse(c, problem('token-missing', 'send Authorization: Bearer TOKEN'));
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
