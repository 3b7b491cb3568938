/** Who may do what by HTTP: the token, headers against other pages, other hosts, and what lies beyond the loopback. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { test } from 'node:test';
import { readEvents } from '../fixtures/event-reader.ts';
import { BEARER, getJson, startHttpFleet } from '../fixtures/http-fleet.ts';

const LIMIT = { timeout: 30_000 };

test('changing needs the token, and each deed is done and logged', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 2, quorum: 1, deadlineS: 0 } } });
  let isHolding = false;
  const slow = fleet.board('slow', (update, { round }) => (round >= 1 && isHolding ? null : update));
  const quick = fleet.board('quick');
  const act = (path: string, headers: Record<string, string> = BEARER, method = 'POST') =>
    fetch(fleet.api + path, { method, headers });
  for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: 'Basic Zm9vOmJhcg==' }]) {
    const refused = await act('/rounds/pause', headers as Record<string, string>);
    assert.equal(refused.status, 401);
    assert.equal(refused.headers.get('www-authenticate'), 'Bearer');
    assert.equal(((await refused.json()) as { code: string }).code, 'token-missing');
  }
  assert.equal((await act('/rounds/current/close')).status, 409, 'no round is open');
  isHolding = true;
  const reader = await readEvents(`${fleet.api}/events`);
  t.after(() => reader.stop());
  await slow.start();
  await quick.start();
  await reader.until(({ type, data }) => type === 'update-counted' && data['round'] === 1);
  assert.equal((await act('/rounds/pause')).status, 200);
  const open = async () => (await getJson<{ round: object | null }>(`${fleet.api}/fleet`)).round;
  assert.equal((await act('/rounds/current/close')).status, 200);
  const record = await fleet.closed(1);
  assert.deepEqual(record.devices, ['quick'], 'closed with whoever had answered');
  assert.equal(await open(), null);
  assert.equal((await getJson(`${fleet.api}/fleet`))['isPaused'], true);
  assert.equal((await act('/rounds/resume')).status, 200);
  await reader.until(({ type, data }) => type === 'round-opened' && data['round'] === 2);

  assert.equal((await act('/devices/slow', BEARER, 'DELETE')).status, 409, 'it is online');
  assert.equal((await act('/devices/nobody', BEARER, 'DELETE')).status, 404);
  await slow.say('offline');
  await reader.until(({ type, data }) => type === 'board' && data['state'] === 'offline');
  assert.equal((await act('/devices/slow', BEARER, 'DELETE')).status, 200);
  const { devices } = await getJson<{ devices: { device: string }[] }>(`${fleet.api}/devices`);
  assert.deepEqual(
    devices.map(({ device }) => device),
    ['quick'],
  );
  const deeds = fleet.logged.map(({ message }) => message).filter((message) => message.endsWith('by the operator'));
  assert.deepEqual(deeds, [
    ...['rounds paused by the operator', 'round closed by the operator', 'rounds resumed by the operator'],
    'board forgotten by the operator',
  ]);
});

test('without a token nothing can be changed', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { http: { token: undefined } } });
  const refused = await fetch(`${fleet.api}/rounds/pause`, { method: 'POST', headers: BEARER });
  assert.equal(refused.status, 403);
  assert.equal(((await refused.json()) as { code: string }).code, 'read-only');
  assert.equal((await getJson(`${fleet.api}/fleet`))['canChange'], false);
});

test('every answer carries the headers that keep other pages out', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  for (const path of [
    '/api/v1/fleet',
    '/api/v1/rounds/7',
    '/',
    '/openapi.json',
    '/metrics',
    '/api/v1/devices?limit=x',
  ]) {
    const { headers } = await fetch(fleet.server.httpUrl + path);
    const policy = headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'.*script-src 'self'.*frame-ancestors 'none'/, path);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/, path);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', path);
    assert.equal(headers.get('referrer-policy'), 'no-referrer', path);
    assert.equal(headers.get('access-control-allow-origin'), null, path);
  }
});

/** A request with headers that `fetch` does not let through. */
function raw(
  url: string,
  options: { headers?: Record<string, string>; method?: string; path?: string; body?: string },
): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const { body, ...rest } = options;
    const sent = request({ hostname, port, path: '/api/v1/fleet', ...rest }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    sent.once('error', reject);
    sent.end(body);
  });
}

test('a request for another host, a path that leads out and a large body are refused', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const url = `${fleet.server.httpUrl}`;
  for (const Host of ['evil.example', 'evil.example:8080', 'localhost.evil.example', '127.0.0.1.evil.example:80']) {
    assert.equal(await raw(url, { headers: { Host } }), 421, Host);
  }
  for (const Host of ['localhost', 'LOCALHOST:1234', '127.0.0.1', '[::1]:80'])
    assert.equal(await raw(url, { headers: { Host } }), 200, Host);
  for (const path of [
    '/../package.json',
    '/..%2f..%2fpackage.json',
    '/%2e%2e/main.js',
    '//etc/passwd',
    '/dashboard/../main.js',
  ])
    assert.equal(await raw(url, { path }), 404, path);
  const post = { method: 'POST', path: '/api/v1/rounds/pause', headers: BEARER };
  assert.equal(
    await raw(url, { ...post, body: 'x'.repeat(5000), headers: { ...BEARER, 'Content-Length': '5000' } }),
    413,
  );
  assert.equal(await raw(url, { headers: { 'X-Long': 'x'.repeat(20_000) } }), 431);
});

test('beyond the loopback, reading needs the token too', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { http: { listen: '0.0.0.0:0' } } });
  const url = `${fleet.server.httpUrl}`.replace('0.0.0.0', '127.0.0.1');
  assert.equal((await fetch(`${url}/api/v1/fleet`)).status, 401);
  assert.equal((await fetch(`${url}/api/v1/events`)).status, 401);
  assert.equal((await fetch(`${url}/metrics`)).status, 401);
  assert.equal((await fetch(`${url}/api/v1/fleet`, { headers: BEARER })).status, 200);
  assert.equal((await fetch(`${url}/healthz`)).status, 200);
  const open = await startHttpFleet(t, { config: { http: { listen: '0.0.0.0:0', publicReading: true } } });
  assert.equal((await fetch(`${open.server.httpUrl}/api/v1/fleet`.replace('0.0.0.0', '127.0.0.1'))).status, 200);
});
