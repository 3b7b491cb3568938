/** The dashboard's files: what was there at the start, and nothing else. */
import assert from 'node:assert/strict';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Hono } from 'hono';
import { createStaticFiles } from '../../server/http/static-files.ts';

test('a file that could not be read once is read when it is asked for again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-static-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'page.js');
  writeFileSync(path, 'let a;');
  const app = new Hono().use(await createStaticFiles([{ at: '/', path: folder }]));
  app.onError((_, c) => c.text('unreadable', 500));
  renameSync(path, `${path}.away`);
  assert.equal((await app.request('/page.js')).status, 500);
  renameSync(`${path}.away`, path);
  const found = await app.request('/page.js');
  assert.deepEqual([found.status, await found.text()], [200, 'let a;']);
  assert.equal((await app.request('/page.js.away')).status, 404);
});
