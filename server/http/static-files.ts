/**
 * The door for the files of the dashboard: what lies in some folders or files when the aggregator starts, and nothing else. A request is
 * looked up in that list, so no path leads out of it. Files are read once, when they are first asked for.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import type { MiddlewareHandler } from 'hono';

export interface StaticPlace {
  /** `/` or `/vendor/`: where the folder's files are found; or the whole path of a file. */
  readonly at: string;
  /** A folder, or a file. One that does not exist is left out. */
  readonly path: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};

/** Answers what it has; everything else goes on. `/` is `/index.html`. */
export async function createStaticFiles(places: readonly StaticPlace[]): Promise<MiddlewareHandler> {
  const files = new Map<string, string>();
  for (const place of places) for (const [at, path] of await listed(place)) if (!files.has(at)) files.set(at, path);
  const read = new Map<string, Promise<{ bytes: Uint8Array<ArrayBuffer>; tag: string }>>();
  const load = async (path: string) => {
    const bytes = Uint8Array.from(await readFile(path));
    return { bytes, tag: `"${createHash('sha256').update(bytes).digest('base64url').slice(0, 22)}"` };
  };
  return async (c, next) => {
    const at = c.req.path === '/' ? '/index.html' : c.req.path;
    const path = files.get(at);
    if (path === undefined || (c.req.method !== 'GET' && c.req.method !== 'HEAD')) return next();
    const loading = read.get(path) ?? load(path);
    read.set(path, loading);
    loading.catch(() => read.delete(path)); // asked for again, it is read again
    const { bytes, tag } = await loading;
    if (c.req.header('if-none-match') === tag) return c.body(null, 304, { ETag: tag });
    return c.body(bytes, 200, { 'Content-Type': TYPES[extname(path)] as string, 'ETag': tag });
  };
}

async function listed({ at, path }: StaticPlace): Promise<[string, string][]> {
  const found = await stat(path).catch(() => null);
  if (found === null) return [];
  if (found.isFile()) return [[at, path]];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && TYPES[extname(entry.name)] !== undefined)
    .map((entry) => {
      const file = join(entry.parentPath, entry.name);
      return [at + file.slice(path.length + 1), file];
    });
}
