/** `/metrics` of a running aggregator: what its embedded broker has counted, and when the certificate ends that it shows. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { connectAsync } from 'mqtt';
import { createTestAuthority } from '../fixtures/certificates.ts';
import { BEARER, startHttpFleet } from '../fixtures/http-fleet.ts';

const LIMIT = { timeout: 30_000 };
const LISTENER = 'qqr_certificate_expiry_timestamp_seconds{certificate="listener"}';

async function startGuarded(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-http-metrics-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { issue, caPem } = await createTestAuthority(folder);
  const { cert, key } = await issue({ name: 'hub', untilDays: 20 });
  const usersFile = join(folder, 'users');
  writeFileSync(usersFile, '', { mode: 0o600 });
  const broker = { listen: '127.0.0.1:0', usersFile, tls: { cert, key } };
  const fleet = await startHttpFleet(t, { config: { broker } });
  const scrape = async () => {
    const text = await (await fetch(`${fleet.server.httpUrl}/metrics`, { headers: BEARER })).text();
    return new Map(text.split('\n').map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
  };
  return { fleet, issue, cert, key, caPem, scrape };
}

test("a wrong password, a failed handshake and the broker's certificate can be read", LIMIT, async (t) => {
  const { fleet, issue, cert, key, caPem, scrape } = await startGuarded(t);
  const daysLeft = (atS = Number.NaN) => (atS - Date.now() / 1000) / 86_400;
  const before = await scrape();
  assert.equal(before.get('qqr_broker_refused_logins_total'), 0);
  assert.equal(before.get('qqr_broker_failed_handshakes_total'), 0);
  assert.ok(Math.abs(daysLeft(before.get(LISTENER)) - 20) < 0.1);
  assert.ok(!before.has('qqr_certificate_expiry_timestamp_seconds{certificate="client"}'), 'it has none of its own');

  const stranger = { username: 'pi-1', password: 'guessed', clientId: 'pi-1', reconnectPeriod: 0, ca: caPem };
  await assert.rejects(connectAsync(fleet.server.url, stranger));
  const { hostname, port } = new URL(fleet.server.url);
  const plain = connect(Number(port), hostname).on('error', () => undefined);
  plain.write('no TLS at all\r\n');
  await once(plain.resume(), 'close');
  const after = await scrape();
  assert.equal(after.get('qqr_broker_refused_logins_total'), 1);
  assert.equal(after.get('qqr_broker_failed_handshakes_total'), 1);

  const renewed = await issue({ name: 'hub', untilDays: 400, file: 'renewed' });
  copyFileSync(renewed.cert, cert);
  copyFileSync(renewed.key, key);
  assert.ok(Math.abs(daysLeft((await scrape()).get(LISTENER)) - 20) < 0.1, 'what is shown is still the old one');
  await fleet.server.reload();
  assert.ok(Math.abs(daysLeft((await scrape()).get(LISTENER)) - 400) < 0.1);
});

test('without TLS and with a broker elsewhere these series are absent', LIMIT, async (t) => {
  const inside = await startHttpFleet(t);
  const outside = await startHttpFleet(t, { config: { fleet: 'other', broker: { url: inside.server.url } } });
  const [own, foreign] = await Promise.all(
    [inside, outside].map(async ({ server }) => (await fetch(`${server.httpUrl}/metrics`)).text()),
  );
  assert.match(`${own}`, /^qqr_broker_sessions \d+$/m);
  assert.doesNotMatch(`${own}`, /^qqr_certificate_expiry/m);
  assert.doesNotMatch(`${foreign}`, /^qqr_(?:broker|certificate)_/m);
});
