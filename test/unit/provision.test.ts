/** `qqr provision`: what is in its certificates, what it refuses, and what a crash or a second process cannot break. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, pbkdf2Sync, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../core/base/errors.ts';
import { revocationListTimeS } from '../../server/provision/authority.ts';
import { lockCertificates } from '../../server/provision/folder-lock.ts';
import { removePassword, setPassword } from '../../server/provision/password-file.ts';
import { type CertificateRequest, createProvision } from '../../server/provision/provision.ts';

const COMMAND = fileURLToPath(new URL('../../scripts/qqr.js', import.meta.url));
const RENEW = fileURLToPath(new URL('../../../scripts/renew-certificates.sh', import.meta.url));
const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2026, 10, 1, 12);
const YEAR = { days: 365, force: false };
const client = (name: string): CertificateRequest => ({ kind: 'client', name, hosts: [] });
const broker = (...hosts: string[]): CertificateRequest => ({ kind: 'server', name: 'server', hosts });
const hasCode = (code: string) => (error: unknown) => error instanceof AppError && error.code === code;

const OPENSSL_MISSING = spawnSync('openssl', ['version']).error === undefined ? false : 'openssl not installed';

async function office(t: TestContext) {
  const dir = join(mkdtempSync(join(tmpdir(), 'qqr-provision-')), 'certs');
  t.after(() => rmSync(join(dir, '..'), { recursive: true }));
  const clock = { wallMs: START_MS };
  const provision = createProvision({ dir, wallMs: () => clock.wallMs });
  await provision.init({ name: 'fleet', days: 3652, force: false });
  const text = (file: string) => readFileSync(join(dir, file), 'utf8');
  const openssl = (...args: string[]) => {
    const at = ['-attime', String(Math.floor(clock.wallMs / 1000))];
    return spawnSync('openssl', ['verify', ...at, '-CAfile', 'ca.crt', ...args], { cwd: dir, encoding: 'utf8' });
  };
  return {
    dir,
    clock,
    provision,
    text,
    certificate: (name: string) => new X509Certificate(text(`${name}.crt`)),
    openssl,
  };
}

test('certificates say who they are for, and files are for their owner only', async (t) => {
  const { dir, provision, text, certificate } = await office(t);
  await provision.issue([broker('hub.local', '192.168.1.10', '::1'), client('pi-1')], YEAR);
  const [ca, hub, board] = [certificate('ca'), certificate('server'), certificate('pi-1')];
  assert.ok(ca.ca && !hub.ca && !board.ca);
  for (const issued of [hub, board]) {
    assert.ok(issued.checkIssued(ca) && issued.verify(ca.publicKey));
    assert.equal(new Date(issued.validFrom).getTime(), START_MS - DAY_MS);
    assert.equal(new Date(issued.validTo).getTime(), START_MS + 365 * DAY_MS);
  }
  assert.equal(board.subject, 'CN=pi-1');
  assert.ok(board.checkPrivateKey(createPrivateKey(text('pi-1.key'))));
  assert.equal(board.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.deepEqual([hub.keyUsage, board.keyUsage], [['1.3.6.1.5.5.7.3.1'], ['1.3.6.1.5.5.7.3.2']]);
  assert.equal(hub.checkHost('hub.local'), 'hub.local');
  assert.equal(hub.checkHost('other.local'), undefined);
  assert.equal(hub.checkIP('192.168.1.10'), '192.168.1.10');
  for (const file of readdirSync(dir).filter((name) => name.endsWith('.key') || name === 'issued.jsonl')) {
    assert.equal(statSync(join(dir, file)).mode & 0o777, 0o600, file);
  }
  assert.equal(statSync(dir).mode & 0o777, 0o700);
});

test('OpenSSL takes each certificate for its own purpose only, and revoked ones not at all', {
  skip: OPENSSL_MISSING,
}, async (t) => {
  const { provision, openssl } = await office(t);
  await provision.issue([broker('hub.local'), client('pi-1'), client('pi-2')], YEAR);
  await provision.revoke(['pi-2']);
  const revocations = ['-crl_check', '-CRLfile', 'ca.crl'];
  const accepted = openssl(...revocations, '-x509_strict', '-purpose', 'sslclient', 'pi-1.crt');
  assert.equal(accepted.status, 0, accepted.stderr);
  assert.equal(
    openssl('-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'hub.local', 'server.crt').status,
    0,
  );
  assert.match(openssl('-purpose', 'sslserver', 'pi-1.crt').stderr, /unsuitable certificate purpose/);
  assert.match(openssl('-purpose', 'sslclient', 'server.crt').stderr, /unsuitable certificate purpose/);
  assert.match(openssl(...revocations, 'pi-2.crt').stderr, /certificate revoked/);
});

test('nothing that is there is overwritten unless asked to', async (t) => {
  const { dir, provision, text } = await office(t);
  await provision.issue([client('pi-1')], YEAR);
  const before = readdirSync(dir).map((file) => text(file));
  await assert.rejects(provision.init({ name: 'other', days: 10, force: false }), hasCode('output-failed'));
  await assert.rejects(provision.issue([client('pi-2'), client('pi-1')], YEAR), hasCode('output-failed'));
  await assert.rejects(
    provision.issue([{ ...broker('hub'), name: 'pi-1' }], { ...YEAR, force: true }),
    hasCode('usage'),
  );
  for (const name of ['ca', '../pi', 'a b', '.lock', '', 'x'.repeat(65)]) {
    await assert.rejects(provision.issue([client(name)], YEAR), hasCode('usage'), name);
  }
  assert.deepEqual(
    readdirSync(dir).map((file) => text(file)),
    before,
  );
  await provision.issue([client('pi-1')], { ...YEAR, force: true });
  assert.deepEqual(
    (await provision.list()).map(({ name, state }) => [name, state]),
    [
      ['ca', 'valid'],
      ['pi-1', 'replaced'],
      ['pi-1', 'valid'],
    ],
  );
});

test('renewal keeps the key, the names of a broker and the length, and leaves what still holds', async (t) => {
  const { dir, clock, provision, text, certificate } = await office(t);
  await provision.issue([broker('hub.local', '10.0.0.1'), client('pi-1')], { days: 90, force: false });
  await provision.issue([client('pi-2')], YEAR);
  const keys = ['server', 'pi-1'].map((name) => certificate(name).publicKey.export({ format: 'pem', type: 'spki' }));
  rmSync(join(dir, 'pi-1.key')); // it is on the board
  const untouched = text('pi-2.crt');

  clock.wallMs += 61 * DAY_MS;
  const renewed = await provision.renew({ names: null, withinDays: 30 });
  assert.deepEqual(
    renewed.map(({ name }) => name),
    ['server', 'pi-1'],
  );
  assert.deepEqual(await provision.renew({ names: null, withinDays: 30 }), []);
  assert.equal(text('pi-2.crt'), untouched);
  const again = ['server', 'pi-1'].map((name) => certificate(name).publicKey.export({ format: 'pem', type: 'spki' }));
  assert.deepEqual(again, keys);
  assert.equal(certificate('server').checkIP('10.0.0.1'), '10.0.0.1');
  assert.equal(new Date(certificate('pi-1').validTo).getTime(), clock.wallMs + 90 * DAY_MS);
  assert.ok(!readdirSync(dir).includes('pi-1.key'));

  await provision.revoke(['pi-1']);
  await assert.rejects(provision.renew({ names: ['pi-1'], withinDays: 1000 }), hasCode('usage'));
  assert.deepEqual(
    (await provision.renew({ names: null, withinDays: 1000 })).map(({ name }) => name),
    ['server', 'pi-2'],
  );
});

test('no certificate outlives its authority', async (t) => {
  const { clock, provision, certificate } = await office(t);
  clock.wallMs += 3600 * DAY_MS;
  await provision.issue([client('pi-1')], YEAR);
  assert.equal(certificate('pi-1').validTo, certificate('ca').validTo);
  const [ca, board] = await provision.list();
  assert.deepEqual([ca?.daysLeft, board?.daysLeft, board?.state], [52, 52, 'valid']);
  clock.wallMs += 53 * DAY_MS;
  assert.deepEqual(
    (await provision.list()).map(({ daysLeft, state }) => [daysLeft, state]),
    [
      [-1, 'expired'],
      [-1, 'expired'],
    ],
  );
});

test('a revocation list is always later than the one before, and holds every certificate of the name', async (t) => {
  const { provision, text } = await office(t);
  await provision.issue([client('pi-1'), client('pi-2')], YEAR);
  await provision.renew({ names: ['pi-1'], withinDays: 1000 });
  const times = [revocationListTimeS(text('ca.crl'))];
  for (const name of ['pi-1', 'pi-2', 'pi-2']) {
    await provision.revoke([name]);
    times.push(revocationListTimeS(text('ca.crl')));
  }
  assert.ok(
    times.every((time, i) => i === 0 || time > (times[i - 1] as number)),
    `${times}`,
  );
  assert.equal((await provision.revoke(['pi-1'])).filter(({ revokedS }) => revokedS === START_MS / 1000).length, 2);
  await assert.rejects(provision.revoke(['pi-9']), hasCode('usage'));
});

test('a certificate whose files could not be written is noted all the same, and can be revoked', async (t) => {
  const { dir, provision } = await office(t);
  mkdirSync(join(dir, 'pi-1.key')); // nothing can be renamed over it
  await assert.rejects(provision.issue([client('pi-1')], { ...YEAR, force: true }), hasCode('output-failed'));
  assert.equal((await provision.revoke(['pi-1'])).length, 1);
});

test('damaged and missing files are named', async (t) => {
  const { dir, provision } = await office(t);
  await provision.issue([client('pi-1')], YEAR);
  writeFileSync(join(dir, 'issued.jsonl'), '{"serial":"00"}\n');
  await assert.rejects(
    provision.list(),
    (error) =>
      error instanceof AppError && error.code === 'data-format' && error.where === `${join(dir, 'issued.jsonl')}:1`,
  );
  writeFileSync(join(dir, 'ca.crt'), 'no certificate');
  await assert.rejects(provision.issue([client('pi-2')], { ...YEAR, force: true }), hasCode('data-format'));
  const nowhere = createProvision({ dir: join(dir, 'none'), wallMs: () => START_MS });
  await assert.rejects(nowhere.issue([client('pi-1')], YEAR), hasCode('input-missing'));
});

test('while another process writes in the folder nothing is changed', async (t) => {
  const { dir, provision } = await office(t);
  await provision.issue([client('pi-1')], YEAR);
  const hurried = createProvision({ dir, wallMs: () => START_MS, patienceMs: 0 });
  const release = lockCertificates(dir, 0);
  const attempts = [
    () => hurried.init({ name: 'x', days: 1, force: true }),
    () => hurried.issue([client('pi-2')], YEAR),
    () => hurried.renew({ names: null, withinDays: 1000 }),
    () => hurried.revoke(['pi-1']),
  ];
  for (const attempt of attempts) await assert.rejects(attempt(), hasCode('timeout'));
  assert.equal((await hurried.list()).length, 2);
  release();
  await hurried.issue([client('pi-2')], YEAR);
});

test('the command line: names renewed one a line, JSON, a password once', async (t) => {
  const { dir } = await office(t);
  const qqr = (line: string) =>
    spawnSync(process.execPath, [COMMAND, 'provision', ...line.split(' '), '--dir', dir], { encoding: 'utf8' });
  assert.match(qqr('server --host hub.local').stdout, /server\.crt .*server\.key until \d{4}-\d\d-\d\d\n$/);
  assert.equal(qqr('renew --all --within 400').stdout, 'server\n');
  const rows = JSON.parse(qqr('list --json').stdout);
  assert.deepEqual(
    rows.map(({ name, kind }: { name: string; kind: string }) => `${name} ${kind}`),
    ['ca authority', 'server server', 'server server'],
  );
  const made = qqr('password pi-1').stdout.trim();
  assert.match(made, /^[\w-]{24}$/);
  const line = readFileSync(join(dir, 'passwords'), 'utf8').trim();
  assert.ok(isPasswordOf(line, made) && !line.includes(made));
});

test('a renewed certificate is handed on until it has arrived', async (t) => {
  const { dir, clock, provision, text } = await office(t);
  clock.wallMs = Date.now();
  await provision.issue([client('pi-1'), client('pi-2')], { days: 20, force: false });
  const hook = join(dir, 'hook');
  writeFileSync(hook, `#!/bin/sh\necho "$1" >>"$2/called"\n[ ! -e "$2/unreachable-$1" ]\n`, { mode: 0o755 });
  writeFileSync(join(dir, 'unreachable-pi-2'), '');
  const before = text('pi-1.crt');
  const run = () =>
    spawnSync(RENEW, [dir, hook], { encoding: 'utf8', env: { ...process.env, NODE: process.execPath } });
  const called = () => text('called').trim().split('\n');

  await provision.renew({ names: null, withinDays: 30, days: 365 }); // as if the script had died after this
  const first = run();
  assert.equal(first.status, 75, first.stderr);
  assert.match(first.stderr, /not carried: pi-2/);
  assert.notEqual(text('pi-1.crt'), before);
  rmSync(join(dir, 'unreachable-pi-2'));
  assert.equal(run().status, 0);
  assert.deepEqual(called(), ['pi-1', 'pi-2', 'pi-2']);
});

/** Whether a line of a password file is that of the password. */
function isPasswordOf(line: string, password: string): boolean {
  const [, kind, iterations, salt, hash] = line.split('$');
  const computed = pbkdf2Sync(password, Buffer.from(`${salt}`, 'base64'), Number(iterations), 64, 'sha512');
  return kind === '7' && computed.toString('base64') === hash;
}

test('a password file keeps its other users', async (t) => {
  const { dir } = await office(t);
  const path = join(dir, 'passwords');
  for (const name of ['pi-1', 'pi-10', 'pi-1']) await setPassword(path, name, 'x');
  const users = () =>
    readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(':')[0]);
  assert.deepEqual(users(), ['pi-10', 'pi-1']);
  await removePassword(path, 'pi-1');
  assert.deepEqual(users(), ['pi-10']);
  await assert.rejects(removePassword(path, 'pi-1'), hasCode('usage'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});
