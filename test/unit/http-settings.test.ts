/** Who may read and change what, as the settings say. */
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { httpSchema, httpSettingsFrom } from '../../server/http-settings.ts';

const TOKEN = '0123456789abcdef';
const settings = (input: object) => httpSettingsFrom(httpSchema.parse(input));

test('by default everybody on this machine reads and nobody changes', async () => {
  assert.deepEqual(await settings({}), {
    ...{ host: '127.0.0.1', port: 8080, token: null, needsTokenToRead: false },
    hosts: ['localhost', '127.0.0.1', '[::1]', '127.0.0.1'],
  });
  assert.equal(await settings({ listen: 'off' }), null);
});

test('beyond this machine reading needs a token, unless it is public', async () => {
  for (const listen of ['0.0.0.0:80', '[::]:80', '192.168.1.5:80', '128.0.0.1:80', '127.0.0.1.example:80']) {
    await assert.rejects(settings({ listen }), { code: 'config-invalid' }, listen);
    assert.equal((await settings({ listen, token: TOKEN }))?.needsTokenToRead, true, listen);
    const open = await settings({ listen, publicReading: true });
    assert.deepEqual([open?.needsTokenToRead, open?.hosts], [false, null], listen);
  }
  for (const listen of ['localhost:0', '[::1]:0', '127.1.2.3:0'])
    assert.equal((await settings({ listen }))?.needsTokenToRead, false, listen);
  assert.equal((await settings({ listen: '[::1]:0' }))?.host, '::1');
});

test('a token from a file that only its owner can read', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-token-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const tokenFile = join(folder, 'token');
  await assert.rejects(settings({ tokenFile }), { code: 'input-missing' });
  writeFileSync(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
  assert.equal((await settings({ tokenFile }))?.token, TOKEN);
  await assert.rejects(settings({ tokenFile, token: TOKEN }), { code: 'config-invalid' });
  chmodSync(tokenFile, 0o644);
  await assert.rejects(
    settings({ tokenFile }),
    (error: unknown) => error instanceof AppError && /chmod 600/.test(error.hint ?? ''),
  );
  chmodSync(tokenFile, 0o600);
  writeFileSync(tokenFile, 'short');
  await assert.rejects(settings({ tokenFile }), { code: 'config-invalid' });
});

test('what is no address or no token is refused', () => {
  for (const input of [
    { listen: 'here' },
    { listen: '127.0.0.1:70000' },
    { token: 'short' },
    { token: 'with space 0123456789' },
    { hosts: ['a/b'] },
  ])
    assert.ok(!httpSchema.safeParse(input).success, JSON.stringify(input));
});
