/** Mosquitto's password file: what its own program writes is understood, anything else is named by its line. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createPasswordChecker, parsePasswords, readPasswords } from '../../server/source/password-file.ts';

const HASH = 'ZovUmhjnCgRYNNe1WQmSqKGfMhmL+7ipToyQ5E6fHqSbvRiHXiahweLB2tyQnxXopx8SK53LmfbvbEEOR6QYrA==';
/** As mosquitto_passwd 2.0.11 wrote it for the password 'geheim'. */
const ANNA = `anna:$7$101$TmxsnSuGp16Wg/3Q$${HASH}`;
const bytes = (text: string) => new TextEncoder().encode(text);
const wanted = () => true;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'qqr-passwords-'));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

test('a right password is right, everything else is wrong', async () => {
  const passwords = parsePasswords(`# users\n\n${ANNA}\n`, 'file');
  const { check } = createPasswordChecker();
  assert.equal(await check(passwords, 'anna', bytes('geheim'), wanted), 'right');
  assert.equal(await check(passwords, 'anna', bytes('geheim '), wanted), 'wrong');
  assert.equal(await check(passwords, 'anna', bytes(''), wanted), 'wrong');
  assert.equal(await check(passwords, 'ben', bytes('geheim'), wanted), 'wrong');
  assert.equal(await check(parsePasswords('', 'file'), 'anna', bytes('geheim'), wanted), 'wrong');
});

test("what mosquitto_passwd writes is understood, with any of its users' passwords", async (t) => {
  const path = join(folder(t), 'passwords');
  const users = { 'pi-1': 'one', 'Pi.2_x': 'z\u00fcrich \u{1f600}', 'c': ' spaces : and $ ' };
  for (const [i, [name, password]] of Object.entries(users).entries()) {
    const { error } = spawnSync('mosquitto_passwd', [...(i === 0 ? ['-c'] : []), '-b', path, name, password]);
    if (error !== undefined && process.env['QQR_REQUIRE_SERVICES'] === undefined)
      return t.skip('mosquitto_passwd not installed');
    assert.equal(error, undefined);
  }
  const passwords = await readPasswords(path, silentLog);
  assert.deepEqual([...passwords.keys()], Object.keys(users));
  const { check } = createPasswordChecker();
  for (const [name, password] of Object.entries(users)) {
    assert.equal(await check(passwords, name, bytes(password), wanted), 'right', name);
    assert.equal(await check(passwords, name, bytes(`${password}.`), wanted), 'wrong', name);
  }
  assert.match(readFileSync(path, 'utf8'), /^pi-1:\$7\$101\$/);
});

test('no more than two checks run at a time, all are answered, and nobody is checked who is gone', async () => {
  const passwords = parsePasswords(ANNA, 'file');
  const { check } = createPasswordChecker();
  let asked = 0;
  const isWanted = () => asked++ % 2 === 0;
  const verdicts = await Promise.all(
    Array.from({ length: 40 }, () => check(passwords, 'anna', bytes('geheim'), isWanted)),
  );
  assert.equal(verdicts.filter((verdict) => verdict === 'right').length, 20);
  assert.equal(verdicts.filter((verdict) => verdict === 'busy').length, 20);
  const flood = await Promise.all(Array.from({ length: 1500 }, () => check(passwords, 'x', bytes('y'), wanted)));
  assert.equal(flood.filter((verdict) => verdict === 'busy').length, 1500 - 1002);
});

test('what is wrong is named by file and line, and the line is not shown', () => {
  const cases: [string, RegExp, string][] = [
    [`${ANNA}\n${ANNA}`, /anna is in the file twice/, 'p:2'],
    ['anna:geheim', /anna is not a PBKDF2 hash/, 'p:1'],
    [`anna:$6$TmxsnSuGp16Wg/3Q$${HASH}`, /not a PBKDF2 hash/, 'p:1'],
    [`anna:$7$0$TmxsnSuGp16Wg/3Q$${HASH}`, /not a PBKDF2 hash/, 'p:1'],
    [`anna:$7$9999999$TmxsnSuGp16Wg/3Q$${HASH}`, /not a PBKDF2 hash/, 'p:1'],
    [`anna:$7$101$TmxsnSuGp16Wg/3Q$${HASH.slice(8)}`, /not a PBKDF2 hash/, 'p:1'],
    [`\n${HASH}`, /no name of a user/, 'p:2'],
    [`a/b${ANNA}`, /no name of a user/, 'p:1'],
  ];
  for (const [text, message, where] of cases) {
    assert.throws(
      () => parsePasswords(text, 'p'),
      (error: unknown) => {
        assert.ok(error instanceof AppError, String(error));
        assert.equal(error.code, 'config-invalid');
        assert.match(error.message, message);
        assert.equal(error.where, where);
        assert.ok(!`${error.message}${error.hint}`.includes(HASH.slice(8, 30)) && !error.message.includes('geheim'));
        return true;
      },
    );
  }
});

test('a file that others can read is a warning, one that is not there an error', async (t) => {
  const path = join(folder(t), 'passwords');
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (_fields: object, message: string) => void warnings.push(message) };
  await assert.rejects(readPasswords(path, log), (error: unknown) => error instanceof AppError && error.where === path);
  writeFileSync(path, ANNA, { mode: 0o600 });
  await readPasswords(path, log);
  assert.deepEqual(warnings, []);
  chmodSync(path, 0o644);
  await readPasswords(path, log);
  assert.deepEqual(warnings, ['password file readable by others']);
});
