/**
 * TLS that fails, one cause at a time: real handshakes with real certificates, and an error that says who refused whom and what to do.
 * And TLS that goes on: certificates that are renewed while the link runs.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { Aedes } from 'aedes';
import { reachBroker } from '../../agent/reach-broker.ts';
import { systemClock } from '../../core/base/clock.ts';
import { AppError, describeError } from '../../core/base/errors.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import type { LinkFiles } from '../../core/link/link-files.ts';
import { createMqttTransport, type MqttOptions } from '../../core/link/mqtt.ts';
import { createTestAuthority, type Issued, type TestAuthority } from '../fixtures/certificates.ts';
import { accepts, freePort } from '../fixtures/tcp-port.ts';
import { MOSQUITTO, mosquittoTls } from './transport-brokers.ts';

const LIMIT = { timeout: 20_000 };
const HOUR = { baseMs: 3_600_000, capMs: 3_600_000 };
const CONNACK = Uint8Array.of(0x20, 0x02, 0x00, 0x00);

let folder: string;
let fleet: TestAuthority;
let foreign: TestAuthority;
let hub: Issued;
let pi: Issued;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'transport-tls-'));
  fleet = await createTestAuthority(folder, 'Fleet CA', 'ca');
  foreign = await createTestAuthority(folder, 'Foreign CA', 'foreign-ca');
  hub = await fleet.issue({ name: 'hub' });
  pi = await fleet.issue({ name: 'pi-1' });
});
after(() => rmSync(folder, { recursive: true }));

const known = () => ({ ca: fleet.ca, cert: pi.cert, key: pi.key });

function link(url: string, more: Partial<MqttOptions> = {}) {
  return createMqttTransport({
    url,
    clientId: 'pi-1',
    clean: true,
    startup: 'require',
    files: known(),
    backoff: { baseMs: 5, capMs: 50 },
    clock: systemClock,
    random: Math.random,
    ...more,
  });
}

/** A TLS server that takes anybody and answers a CONNECT, unless told otherwise. */
async function serve(
  t: TestContext,
  options: TlsOptions,
  port = 0,
  handle: (socket: TLSSocket) => void = (socket) => void socket.once('data', () => socket.write(CONNACK)).resume(),
): Promise<{ server: Server; url: string; port: number }> {
  const server = createTlsServer({ cert: hub.certPem, key: hub.keyPem, ...options }, (socket) => {
    socket.on('error', () => undefined);
    handle(socket);
  });
  server.on('tlsClientError', () => undefined);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const bound = (server.address() as AddressInfo).port;
  return { server, url: `mqtts://127.0.0.1:${bound}`, port: bound };
}

async function startError(t: TestContext, transport: ReturnType<typeof link>): Promise<AppError> {
  t.after(() => transport.stop());
  const error = await transport.start(new AbortController().signal).then(
    () => assert.fail('it connected'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof AppError, String(error));
  return error;
}

function assertSays(error: AppError, code: AppError['code'], ...parts: readonly RegExp[]): void {
  assert.equal(error.code, code, describeError(error));
  for (const part of parts) assert.match(describeError(error), part);
  assert.ok((error.hint ?? '').length > 10, 'a hint');
}

describe('a broker that is not to be trusted', () => {
  test('its CA is not known: the error names it, and the file that should have it', LIMIT, async (t) => {
    const other = await foreign.issue({ name: 'hub', file: 'foreign-hub' });
    const { url } = await serve(t, { cert: other.certPem, key: other.keyPem });
    const error = await startError(t, link(url));
    assertSays(error, 'link-untrusted', /\(hub\), signed by Foreign CA,/, new RegExp(fleet.ca), /Put the certificate/);
    assert.equal(error.where, url);
    const without = await startError(t, link(url, { files: {} }));
    assertSays(without, 'link-untrusted', /the CAs that Node\.js brings/, /Set 'ca'/);
  });

  test('its certificate has expired', LIMIT, async (t) => {
    const old = await fleet.issue({ name: 'old', fromDays: -30, untilDays: -2 });
    const { url } = await serve(t, { cert: old.certPem, key: old.keyPem });
    const until = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
    assertSays(
      await startError(t, link(url)),
      'link-untrusted',
      new RegExp(`has expired on ${until}T\\S+Z \\(old\\); the clock here says \\d{4}-`),
      /Renew it/,
    );
  });

  test(
    'its certificate is not yet valid: the error shows clock and certificate, and says to wait',
    LIMIT,
    async (t) => {
      const early = await fleet.issue({ name: 'early', fromDays: 3, untilDays: 30 });
      const { url } = await serve(t, { cert: early.certPem, key: early.keyPem });
      const from = new Date(Date.now() + 3 * 86_400_000).toISOString().slice(0, 10);
      const wallMs = () => 12_000; // what the message shows; the library looks at the machine's own clock
      assertSays(
        await startError(t, link(url, { clock: { ...systemClock, wallMs } })),
        'link-untrusted',
        new RegExp(`the clock here says 1970-01-01T00:00:12Z, the certificate is valid from ${from}T\\S+Z`),
        /Wait for time synchronization/,
      );
    },
  );

  test('its certificate is for another name: the error has both', LIMIT, async (t) => {
    const named = await fleet.issue({ name: 'named', hosts: ['hub.local', '10.0.0.2'] });
    const { url } = await serve(t, { cert: named.certPem, key: named.keyPem });
    assertSays(
      await startError(t, link(url)),
      'link-untrusted',
      /is for hub\.local, 10\.0\.0\.2, not for 127\.0\.0\.1/,
    );
    const { url: plain } = await serve(t, { cert: named.certPem, key: named.keyPem });
    const byName = plain.replace('127.0.0.1', 'localhost');
    assertSays(await startError(t, link(byName)), 'link-untrusted', /not for localhost/);
  });

  test('a broker with several names is told which one is meant', LIMIT, async (t) => {
    const asked: string[] = [];
    const SNICallback: TlsOptions['SNICallback'] = (name, done) => {
      asked.push(name);
      done(null);
    };
    const { url } = await serve(t, { SNICallback });
    const transport = link(url.replace('127.0.0.1', 'localhost'));
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    assert.deepEqual(asked, ['localhost']);
  });

  test('it speaks nothing newer than TLS 1.1', LIMIT, async (t) => {
    const ancient = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    const { url } = await serve(t, ancient);
    assertSays(await startError(t, link(url)), 'link-untrusted', /no TLS 1\.2/);
  });

  test('it hears nothing: neither name nor password leaves this machine', LIMIT, async (t) => {
    const other = await foreign.issue({ name: 'hub', file: 'listening-hub' });
    let heard = 0;
    const closed: Promise<unknown>[] = [];
    const { url } = await serve(t, { cert: other.certPem, key: other.keyPem }, 0, (socket) => {
      closed.push(once(socket, 'close'));
      socket.on('data', (bytes: Uint8Array) => {
        heard += bytes.length;
      });
    });
    for (let i = 0; i < 5; i++) await startError(t, link(url, { username: 'pi-1', password: 'swordfish' }));
    await Promise.all(closed);
    assert.equal(heard, 0);
  });
});

/** Brokers that refuse clients: aedes behind Node.js' TLS, and Mosquitto. */
interface Refusing {
  readonly name: string;
  readonly skip: string | false;
  /** Node.js accepts the handshake and hangs up when it dislikes the certificate; OpenSSL's own check sends an alert. */
  readonly saysWhy: boolean;
  open(t: TestContext, crl?: string): Promise<string>;
}

async function openAedesTls(t: TestContext, options: TlsOptions): Promise<string> {
  const aedes = await Aedes.createBroker();
  t.after(() => new Promise<void>((resolve) => aedes.close(resolve)));
  const asking = { ca: fleet.caPem, requestCert: true, rejectUnauthorized: true };
  return (await serve(t, { ...asking, ...options }, 0, (socket) => aedes.handle(socket))).url;
}

async function openMosquitto(t: TestContext, access: string): Promise<number> {
  const port = await freePort();
  const own = mkdtempSync(join(tmpdir(), 'mosquitto-tls-'));
  const config = join(own, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\n${access}\nuser root\n`);
  const child: ChildProcess = spawn(MOSQUITTO as string, ['-c', config], { stdio: 'ignore' });
  t.after(async () => {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    rmSync(own, { recursive: true });
  });
  await accepts(port);
  return port;
}

function crlOf(path: string | undefined): TlsOptions {
  if (path === undefined) return {};
  return { crl: readFileSync(path) };
}

const REFUSING: readonly Refusing[] = [
  {
    name: 'aedes, TLS 1.3',
    skip: false,
    saysWhy: false,
    open: async (t, crl) => openAedesTls(t, { minVersion: 'TLSv1.3', ...crlOf(crl) }),
  },
  {
    name: 'aedes, TLS 1.2',
    skip: false,
    saysWhy: false,
    open: async (t, crl) => openAedesTls(t, { maxVersion: 'TLSv1.2', ...crlOf(crl) }),
  },
  {
    name: 'mosquitto',
    skip: MOSQUITTO === undefined ? 'mosquitto not installed' : false,
    saysWhy: true,
    open: async (t, crl) => {
      const access = mosquittoTls({ ca: fleet.ca, cert: hub.cert, key: hub.key, ...(crl !== undefined && { crl }) });
      return `mqtts://127.0.0.1:${await openMosquitto(t, access)}`;
    },
  },
];

/** What the link says, which the doctor, who never speaks MQTT, has to say as well. */
async function refusalOf(t: TestContext, url: string, files: LinkFiles): Promise<AppError> {
  const error = await startError(t, link(url, { files }));
  await assert.rejects(reachBroker({ url, ...files }), ({ code, message }: AppError) => {
    assert.deepEqual([code, message], [error.code, error.message]);
    return true;
  });
  return error;
}

for (const { name, skip, saysWhy, open } of REFUSING) {
  describe(`a broker that refuses this program: ${name}`, { skip }, () => {
    test('no certificate', LIMIT, async (t) => {
      const error = await refusalOf(t, await open(t), { ca: fleet.ca });
      assertSays(error, 'link-untrusted', /wants a certificate/, /Set 'cert' and 'key'/);
    });

    test('a certificate of another CA', LIMIT, async (t) => {
      const { cert, key } = await foreign.issue({ name: 'pi-1', file: 'foreign-pi' });
      const error = await refusalOf(t, await open(t), { ca: fleet.ca, cert, key });
      if (saysWhy)
        assertSays(error, 'link-untrusted', /refuses .*foreign-pi\.crt \(pi-1\): it does not know/, /Foreign CA/);
      else assertSays(error, 'link-unavailable', /may refuse .*foreign-pi\.crt \(pi-1, signed by Foreign CA\)/);
    });

    test('an expired certificate', LIMIT, async (t) => {
      const { cert, key } = await fleet.issue({ name: 'pi-old', fromDays: -30, untilDays: -1 });
      const error = await refusalOf(t, await open(t), { ca: fleet.ca, cert, key });
      assertSays(error, 'link-untrusted', /pi-old\.crt/, /expired/, /Renew it/);
      if (saysWhy) assertSays(error, 'link-untrusted', /takes it for expired; it is valid until \d{4}-/);
    });

    test('a certificate that is not yet valid by its clock', LIMIT, async (t) => {
      const { cert, key } = await fleet.issue({ name: 'pi-early', fromDays: 2 });
      const error = await refusalOf(t, await open(t), { ca: fleet.ca, cert, key });
      if (saysWhy) assertSays(error, 'link-untrusted', /pi-early\.crt/, /valid from \d{4}-/, /the broker's clock/);
      else assertSays(error, 'link-unavailable', /may refuse .*pi-early\.crt/);
    });

    test('a revoked certificate', LIMIT, async (t) => {
      const lost = await fleet.issue({ name: 'pi-lost' });
      const url = await open(t, await fleet.revoke(lost));
      const error = await refusalOf(t, url, { ca: fleet.ca, cert: lost.cert, key: lost.key });
      if (saysWhy) assertSays(error, 'link-untrusted', /pi-lost\.crt/, /list of revoked/);
      else assertSays(error, 'link-unavailable', /may refuse .*pi-lost\.crt/);
      const good = link(url);
      t.after(() => good.stop());
      await good.start(new AbortController().signal);
    });
  });
}

describe('a port of the other kind', () => {
  const aedesOn = async (t: TestContext) => {
    const aedes = await Aedes.createBroker();
    t.after(() => new Promise<void>((resolve) => aedes.close(resolve)));
    return listen(t, (socket) => aedes.handle(socket));
  };

  test('TLS spoken to a plain broker', LIMIT, async (t) => {
    const ports = [await aedesOn(t)];
    if (MOSQUITTO !== undefined) ports.push(await openMosquitto(t, 'allow_anonymous true'));
    ports.push(
      await listen(t, (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))),
    );
    for (const port of ports) {
      const error = await startError(t, link(`mqtts://127.0.0.1:${port}`, { files: { ca: fleet.ca } }));
      assertSays(error, 'link-unavailable', /no TLS with the broker/, /port for plain MQTT/);
    }
  });

  test('MQTT spoken to a TLS port', LIMIT, async (t) => {
    const urls = [(await serve(t, {})).url];
    if (MOSQUITTO !== undefined) {
      const access = mosquittoTls({ ca: fleet.ca, cert: hub.cert, key: hub.key });
      urls.push(`mqtts://127.0.0.1:${await openMosquitto(t, access)}`);
    }
    for (const url of urls) {
      const error = await startError(t, link(url.replace('mqtts', 'mqtt'), { files: {} }));
      assertSays(error, 'link-unavailable', /closed the connection without an answer/, /mqtts:\/\/ for it/);
    }
    // OpenSSL just hangs up; other libraries send the alert protocol_version (RFC 8446 §6.2) before they do.
    const alert = Uint8Array.of(0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46);
    const port = await listen(t, (socket) => void socket.once('data', () => socket.end(alert)));
    const error = await startError(t, link(`mqtt://127.0.0.1:${port}`, { files: {} }));
    assertSays(error, 'link-unavailable', /what answers there speaks TLS/, /mqtts:\/\/ for it/);
  });

  test('nobody answers the first word of TLS: gives up after the time limit', LIMIT, async (t) => {
    const port = await listen(t, (socket) => socket.resume());
    const error = await startError(t, link(`mqtts://127.0.0.1:${port}`, { connectTimeoutMs: 50 }));
    assertSays(error, 'link-unavailable', /no answer within 50 ms/);
  });
});

describe('files that do not do', () => {
  /** A copy of the board's files that a test may spoil. */
  const copies = (name: string) => {
    const files = {
      ca: join(folder, `${name}-ca.crt`),
      cert: join(folder, `${name}.crt`),
      key: join(folder, `${name}.key`),
    };
    copyFileSync(fleet.ca, files.ca);
    copyFileSync(pi.cert, files.cert);
    copyFileSync(pi.key, files.key);
    chmodSync(files.key, 0o600);
    return files;
  };
  const failure = (t: TestContext, files: MqttOptions['files']) =>
    startError(t, link('mqtts://127.0.0.1:1', { files: files ?? {} }));

  test('one that is not there is named', LIMIT, async (t) => {
    for (const which of ['ca', 'cert', 'key'] as const) {
      const files = copies('absent');
      rmSync(files[which]);
      const error = await failure(t, files);
      assertSays(error, 'input-missing', /ENOENT/, /Check the path/);
      assert.equal(error.where, files[which]);
    }
    const passwordFile = join(folder, 'no-password');
    assert.equal((await failure(t, { passwordFile })).where, passwordFile);
  });

  test('one that holds something else is named', LIMIT, async (t) => {
    for (const which of ['ca', 'cert', 'key'] as const) {
      const files = copies('spoilt');
      writeFileSync(files[which], readFileSync(files[which]).subarray(0, 60));
      const error = await failure(t, files);
      assertSays(error, 'data-format', /in PEM form/, /-----BEGIN/);
      assert.equal(error.where, files[which]);
    }
  });

  test('a key of another certificate', LIMIT, async (t) => {
    const files = { ...known(), key: hub.key };
    const error = await failure(t, files);
    assertSays(error, 'link-untrusted', /do not belong together/);
    assert.equal(error.where, `${files.cert}, ${files.key}`);
  });

  test('a key with a passphrase', LIMIT, async (t) => {
    const files = copies('locked');
    const cipher = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'swordfish' } as const;
    const { privateKey } = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: cipher,
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeFileSync(files.key, privateKey);
    assertSays(await failure(t, files), 'data-format', /has a passphrase/, /openssl pkey/);
  });

  test('a key that others may read is used, and warned of once', LIMIT, async (t) => {
    const files = copies('open');
    chmodSync(files.key, 0o644);
    const warnings: unknown[] = [];
    const log: Log = { ...silentLog, warn: (fields, message) => void warnings.push([message, fields]) };
    const { url } = await serve(t, {});
    const transport = link(url, { files, log });
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    const back = up(transport);
    transport.reconnect();
    await back;
    const warning = `${files.key} can be read by others (mode 644): chmod 600 ${files.key}`;
    assert.deepEqual(warnings, [['a secret is open to others', { url, warning }]]);
  });
});

describe('certificates that are renewed while the link runs', () => {
  /** A server that tells the serial numbers of the certificates that it was shown. */
  const watching = async (t: TestContext, seen: string[], port = 0, heard: Uint8Array[] = []) => {
    const sockets = new Set<TLSSocket>();
    const asking = { ca: fleet.caPem, requestCert: true, rejectUnauthorized: true };
    const served = await serve(t, asking, port, (socket) => {
      sockets.add(socket);
      seen.push(socket.getPeerCertificate().serialNumber);
      socket.once('data', () => socket.write(CONNACK)).on('data', (bytes: Uint8Array) => void heard.push(bytes));
    });
    const close = async () => {
      const closed = once(served.server, 'close');
      served.server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    };
    t.after(() => sockets.forEach((socket) => void socket.destroy()));
    return { ...served, close };
  };
  const put = (issued: Issued, name: string) => {
    const files = { ca: fleet.ca, cert: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
    writeFileSync(files.cert, issued.certPem);
    writeFileSync(files.key, issued.keyPem, { mode: 0o600 });
    return files;
  };

  test('the broker restarts: the new connection shows the new one', LIMIT, async (t) => {
    const seen: string[] = [];
    const first = await watching(t, seen);
    const files = put(pi, 'restarted');
    const transport = link(first.url, { files });
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    const renewed = await fleet.issue({ name: 'pi-1', file: 'pi-renewed' });
    put(renewed, 'restarted');
    const back = up(transport);
    await first.close();
    await watching(t, seen, first.port);
    await back;
    assert.deepEqual(seen, [pi.serialNumber, renewed.serialNumber]);
  });

  test('reconnect: says goodbye, and shows the new one at once', LIMIT, async (t) => {
    const seen: string[] = [];
    const heard: Uint8Array[] = [];
    const { url } = await watching(t, seen, 0, heard);
    const files = put(pi, 'reconnected');
    const transport = link(url, { files, backoff: HOUR, random: () => 1 });
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    const renewed = await fleet.issue({ name: 'pi-1', file: 'pi-again' });
    put(renewed, 'reconnected');
    const back = up(transport);
    transport.reconnect();
    await back;
    assert.deepEqual(seen, [pi.serialNumber, renewed.serialNumber]);
    assert.ok(
      heard.some((bytes) => bytes.length === 2 && bytes[0] === 0xe0),
      'DISCONNECT, so that no will is published',
    );
  });

  test('reconnect wakes a link that waits for its next attempt, and starts the pauses anew', LIMIT, async (t) => {
    const seen: string[] = [];
    const { url } = await watching(t, seen);
    const files = put(pi, 'woken');
    rmSync(files.key);
    const downs: object[] = [];
    let failed: () => void = () => undefined;
    const log: Log = {
      ...silentLog,
      warn(fields) {
        downs.push(fields);
        failed();
      },
    };
    const isDown = new Promise<void>((resolve) => (failed = resolve));
    const transport = link(url, { files, startup: 'retry', log, backoff: HOUR, random: () => 1 });
    t.after(() => transport.stop());
    const back = up(transport);
    await transport.start(new AbortController().signal);
    await isDown;
    put(pi, 'woken');
    transport.reconnect();
    await back;
    assert.deepEqual(seen, [pi.serialNumber]);
    const [down] = downs as [Record<string, unknown>];
    assert.equal(down['code'], 'input-missing');
    assert.equal(down['where'], files.key);
    assert.equal(down['attempt'], 0);
  });

  test('a broker whose certificate is not yet valid: tried again until it is', LIMIT, async (t) => {
    const early = await fleet.issue({ name: 'hub-early', fromDays: 1 });
    const { server, url } = await serve(t, { cert: early.certPem, key: early.keyPem });
    let failures = 0;
    const log: Log = {
      ...silentLog,
      warn(fields) {
        assert.equal((fields as { code: string }).code, 'link-untrusted');
        if (++failures === 3)
          (server as ReturnType<typeof createTlsServer>).setSecureContext({ cert: hub.certPem, key: hub.keyPem });
      },
    };
    const transport = link(url, { startup: 'retry', log });
    t.after(() => transport.stop());
    const back = up(transport);
    await transport.start(new AbortController().signal);
    await back;
    assert.equal(failures, 3);
  });

  test('the password is read anew, too, without the end of its line', LIMIT, async (t) => {
    const passwords: string[] = [];
    const aedes = await Aedes.createBroker({
      authenticate(_client, _user, password, done) {
        passwords.push(String(password));
        done(null, true);
      },
    });
    t.after(() => new Promise<void>((resolve) => aedes.close(resolve)));
    const port = await listen(t, (socket) => aedes.handle(socket));
    const passwordFile = join(folder, 'password');
    writeFileSync(passwordFile, 'first\n', { mode: 0o600 });
    const transport = link(`mqtt://127.0.0.1:${port}`, {
      username: 'pi-1',
      password: 'unused',
      files: { passwordFile },
    });
    t.after(() => transport.stop());
    await transport.start(new AbortController().signal);
    writeFileSync(passwordFile, 'second\r\n');
    const back = up(transport);
    transport.reconnect();
    await back;
    assert.deepEqual(passwords, ['first', 'second']);
  });
});

/** Resolves at the next connection. */
function up(transport: ReturnType<typeof link>): Promise<void> {
  return new Promise((resolve) => transport.onState((isUp) => isUp && resolve()));
}

/** Returns the port. */
async function listen(t: TestContext, handle: (socket: Socket) => void): Promise<number> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined);
    handle(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}
