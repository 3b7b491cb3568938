/** The HTTP API over a running fleet: what each route says, that it says it as described, live events, and what an operator can do. */
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { type TestContext, test } from 'node:test';
import { z } from 'zod';
import { systemClock } from '../../core/base/clock.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { createRng } from '../../core/math/rng.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { type BoardState, encodeBoardState } from '../../core/wire/board-state.ts';
import { topics } from '../../core/wire/topics.ts';
import type { Update } from '../../core/wire/update.ts';
import { readEvents } from '../fixtures/event-reader.ts';
import { BEARER, getJson, type HttpFleet, SMALL_MODEL, startHttpFleet } from '../fixtures/http-fleet.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';

const LIMIT = { timeout: 30_000 };

/** The second modality is stuck from this round on. */
function stuckFrom(round: number) {
  return (update: Update): Update => ({
    ...update,
    modalities: update.modalities.map((report, m) =>
      m === 1 && update.round >= round ? { ...report, meanQuality: 0.03, why: 'held' as const } : report,
    ),
  });
}

/** Three boards, one of which is in trouble, and five closed rounds. */
async function ranFleet(t: TestContext): Promise<HttpFleet> {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 3, max: 4, quorum: 1 } } });
  const healthy = ['pi-1', 'pi-3'].map((device) => fleet.board(device));
  const stuck = fleet.board('pi-2', stuckFrom(2));
  for (const board of [...healthy, stuck]) await board.start();
  await fleet.closed(4);
  await fleet.server.finished;
  return fleet;
}

interface Line {
  device: string;
  state: string;
  lastRound: number;
  modalities: {
    modality: string;
    quality: number;
    why: string | null;
    badRounds: number;
    history: (number | null)[];
  }[];
  refused: Record<string, number>;
  missing: string[];
  counted: number;
  bytes: number;
}

test('the board in trouble is named with modality, reason and since when', LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const { devices, rounds } = await getJson<{ devices: Line[]; rounds: number[] }>(`${fleet.api}/devices?history=4`);
  assert.deepEqual(rounds, [1, 2, 3, 4]);
  assert.deepEqual(
    devices.map(({ device, state, lastRound, missing }) => [device, state, lastRound, missing]),
    ['pi-1', 'pi-2', 'pi-3'].map((device) => [device, 'online', 4, []]),
  );
  const troubled = devices.flatMap(({ device, modalities }) =>
    modalities.filter(({ quality }) => quality < 0.5).map(({ history, ...line }) => ({ device, ...line, history })),
  );
  assert.deepEqual(troubled, [
    {
      ...{ device: 'pi-2', modality: 'gyr', windowsPresent: 9, quality: 0.03, why: 'held', badRounds: 3 },
      history: [0.875, 0.03, 0.03, 0.03],
    },
  ]);
  const own = await getJson<{
    device: Line;
    updates: { round: number; bytes: number; report: object }[];
    next: number;
  }>(`${fleet.api}/devices/pi-2?limit=2`);
  assert.deepEqual(
    own.updates.map(({ round }) => round),
    [4, 3],
  );
  assert.equal(own.next, 3);
  const sizes = fleet.records.map(({ bytes }) => bytes.payload);
  const sum = devices.reduce((total, { bytes }) => total + bytes, 0);
  assert.equal(
    sum,
    sizes.reduce((total, bytes) => total + bytes, 0),
    'every byte belongs to a board',
  );
  assert.deepEqual(
    devices.map(({ counted }) => counted),
    [5, 5, 5],
  );
});

test('what boards say of themselves is shown as it is now, and told when it changes', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const transport = createMqttTransport({
    ...{ url: fleet.server.url, clientId: 'pi-1', clean: true, startup: 'require' },
    ...{ clock: systemClock, random: () => 0.5 },
  });
  await transport.start(new AbortController().signal);
  t.after(() => transport.stop());
  const reader = await readEvents(`${fleet.api}/events`);
  t.after(() => reader.stop());
  const walking: BoardState = {
    ...{ online: true, activity: 'walk', confidence: 0.9, modelVersion: 3 },
    ...{ quality: { acc: 0.98, gyr: null }, faults: ['l3gd20h@1:0x6b: unplugged'] },
  };
  const topic = topics('default').state('pi-1');
  const say = (state: BoardState) => transport.publish(topic, encodeBoardState(state), { qos: 1 });
  await transport.publish(topic, new TextEncoder().encode('{"online": "yes"}'), { qos: 1 });
  await say(walking);
  await say({ ...walking, confidence: 0.8 });
  await say({ ...walking, activity: 'rest' });
  await reader.until(({ type, data }) => type === 'state' && data['activity'] === 'rest');
  const told = reader.events
    .filter(({ type }) => type === 'state')
    .map(({ data }) => [data['device'], data['activity']]);
  assert.deepEqual(told, [
    ['pi-1', 'walk'],
    ['pi-1', 'rest'],
  ]);
  const { states } = await getJson<{ states: Record<string, BoardState & { atMs: number }> }>(`${fleet.api}/states`);
  const { atMs, ...said } = states['pi-1'] as BoardState & { atMs: number };
  assert.deepEqual(said, { ...walking, activity: 'rest' });
  assert.ok(Math.abs(Date.now() - atMs) < 30_000);
});

test('rounds come in pages, newest first, and one in full', LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const first = await getJson<{ rounds: { round: number }[]; next: number }>(`${fleet.api}/rounds?limit=3`);
  const second = await getJson<{ rounds: { round: number }[]; next: null }>(
    `${fleet.api}/rounds?limit=3&before=${first.next}`,
  );
  assert.deepEqual(
    [...first.rounds, ...second.rounds].map(({ round }) => round),
    [4, 3, 2, 1, 0],
  );
  assert.equal(second.next, null);
  const round = await getJson<{
    updates: { device: string; seq: number; report: { arrivedMs: number; modalities: object[] } }[];
    online: { accuracy: number };
    durationMs: number;
    closedMs: number;
  }>(`${fleet.api}/rounds/3`);
  assert.deepEqual(
    round.updates.map(({ device, seq }) => [device, seq]),
    [
      ['pi-1', 4],
      ['pi-2', 4],
      ['pi-3', 4],
    ],
  );
  for (const { report } of round.updates) assert.ok(report.arrivedMs >= 0 && report.arrivedMs <= round.durationMs);
  assert.equal(round.online.accuracy, 0.8);
  assert.ok(Math.abs(round.closedMs - Date.now()) < 60_000);
  const { columns, rounds } = await getJson<{ rounds: number[]; columns: Record<string, (number | null)[]> }>(
    `${fleet.api}/series`,
  );
  assert.deepEqual(rounds, [0, 1, 2, 3, 4]);
  assert.deepEqual(columns['onlineAccuracy'], [null, 0.8, 0.8, 0.8, 0.8]);
  assert.deepEqual(
    columns['payloadBytes'],
    fleet.records.map(({ bytes }) => bytes.payload),
  );
  const quality = fleet.records.map(({ modalities }) => modalities['gyr']?.meanQuality);
  assert.deepEqual(columns['quality/gyr'], quality);
  const means = await getJson<{ step: number; columns: Record<string, number[]> }>(
    `${fleet.api}/series?points=2&from=1`,
  );
  assert.equal(means.step, 2);
  assert.equal(means.columns['quality/gyr']?.length, 2);
});

test("the model's numbers are the aggregator's, and are sent once", LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const global = fleet.server.currentGlobal();
  for (const [kind, expected] of [
    ['averaged', global.averaged],
    ['last', global.params],
  ] as const) {
    const response = await fetch(`${fleet.api}/model/parameters?kind=${kind}`);
    assert.deepEqual(new Float32Array(await response.arrayBuffer()), expected);
    const tag = response.headers.get('etag') ?? '';
    const again = await fetch(`${fleet.api}/model/parameters?kind=${kind}`, { headers: { 'If-None-Match': tag } });
    assert.equal(again.status, 304);
    assert.equal((await again.arrayBuffer()).byteLength, 0);
  }
  const model = await getJson<{ parameters: number; groups: { name: string; size: number }[]; version: number }>(
    `${fleet.api}/model`,
  );
  assert.deepEqual(
    model.groups.map(({ name }) => name),
    ['acc', 'gyr', 'head'],
  );
  assert.equal(
    model.groups.reduce((sum, { size }) => sum + size, 0),
    model.parameters,
  );
  assert.equal(model.version, 4);
  const { prototypes, dim } = await getJson<{
    prototypes: { modality: string; class: string; values: number[] }[];
    dim: number;
  }>(`${fleet.api}/prototypes`);
  assert.equal(prototypes.length, 6);
  const values = new Float32Array(await (await fetch(`${fleet.api}/prototypes/values`)).arrayBuffer());
  assert.deepEqual([...values], [...global.prototypes.values]);
  assert.ok(
    prototypes.every((one, i) =>
      one.values.every((value, d) => Math.abs(value - (values[i * dim + d] as number)) < 1e-6),
    ),
  );
});

test('every route of the description exists, and answers as it is described', LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const base = `${fleet.server.httpUrl}`;
  const document = await getJson<OpenApi>(`${base}/openapi.json`);
  const paths = Object.keys(document.paths);
  assert.ok(paths.length >= 20, `only ${paths.length} routes`);
  let validated = 0;
  for (const path of paths) {
    const { get } = document.paths[path] as { get?: Operation };
    if (get === undefined || path === '/api/v1/events') continue;
    const response = await fetch(base + path.replace('{device}', 'pi-2').replace('{round}', '2'));
    const described = get.responses[String(response.status)];
    assert.ok(described, `${path}: ${response.status} is not described`);
    const type = response.headers.get('content-type')?.split(';')[0] ?? '';
    const schema = described.content[type]?.schema;
    assert.ok(schema, `${path}: ${type} is not described`);
    if (!type.endsWith('json')) continue;
    const result = schemaOf(schema, document).safeParse(await response.json());
    assert.ok(result.success, `${path}: ${result.error}`);
    validated++;
  }
  assert.ok(validated >= 13, `only ${validated} answers were looked at`);
  const strict = schemaOf({ $ref: '#/components/schemas/Fleet' }, document);
  const body = await getJson(`${fleet.api}/fleet`);
  assert.ok(!strict.safeParse({ ...body, more: 1 }).success, 'a field that is not described is objected to');
  assert.ok(!strict.safeParse({ ...body, isPaused: 'no' }).success, 'so is a wrong type');
});

interface Operation {
  parameters?: { name: string; in: string; schema: object }[];
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}
interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object> };
}

/** The schema with everything that it refers to. */
function schemaOf(schema: object, { components }: OpenApi): z.ZodType {
  const whole = JSON.stringify({ ...schema, $defs: components.schemas }).replaceAll(
    '#/components/schemas/',
    '#/$defs/',
  );
  return z.fromJSONSchema(JSON.parse(whole));
}

test('no parameter brings the server down', LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const base = `${fleet.server.httpUrl}`;
  const document = await getJson<OpenApi>(`${base}/openapi.json`);
  const odd = [
    '',
    '0',
    '1',
    '-1',
    '4294967295',
    '4294967296',
    '99999999999999999999',
    '1e3',
    '0x10',
    'NaN',
    '1.5',
    ' 1',
    'null',
    'a',
    '%00',
    '%F0%9F%98%80',
    "1' OR 1=1--",
    '../../etc/passwd',
    'x'.repeat(3000),
    'online',
  ];
  const seen = new Map<number, number>();
  for (const [path, { get }] of Object.entries(document.paths)) {
    if (get === undefined || path === '/api/v1/events') continue;
    const parameters = get.parameters ?? [];
    for (const { name, in: place } of parameters) {
      for (const value of odd) {
        const filled = path.replace(`{${name}}`, place === 'path' ? encodeURI(value).replaceAll('/', '%2F') : '');
        const query = place === 'query' ? `?${name}=${encodeURIComponent(value)}&other=1` : '';
        const response = await fetch(base + filled.replace(/\{\w+\}/, '1') + query);
        assert.ok(response.status < 500, `${filled}${query}: ${response.status}`);
        if (response.status >= 400)
          assert.equal(response.headers.get('content-type'), 'application/problem+json', filled);
        await response.arrayBuffer();
        seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      }
    }
  }
  assert.equal((await fetch(`${fleet.api}/rounds?limit=1&limit=2`)).status, 400, 'which of the two?');
  t.diagnostic(`answers by status: ${JSON.stringify([...seen])}`);
  assert.ok((seen.get(200) ?? 0) > 20 && (seen.get(400) ?? 0) > 100);
  assert.deepEqual(
    fleet.logged.filter(({ level }) => level === 'error'),
    [],
  );
});

test('refused updates are told with board and reason', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 2, max: 1, quorum: 0.5 } } });
  const reader = await readEvents(`${fleet.api}/events`);
  t.after(() => reader.stop());
  const [good, bad] = [fleet.board('good'), fleet.board('bad', () => null)];
  await bad.start();
  await bad.send(Uint8Array.of(255, 255, 255));
  await bad.send(new Uint8Array(0));
  await good.start();
  await fleet.closed(1);
  await bad.say('offline');
  await reader.until(({ type, data }) => type === 'board' && data['state'] === 'offline');
  const { sinceStart, newest } = await getJson<{ sinceStart: object; newest: { device: string; reason: string }[] }>(
    `${fleet.api}/rejections`,
  );
  assert.deepEqual(sinceStart, { 'malformed': 1, 'wrong-protocol': 1 });
  assert.deepEqual(
    newest.map(({ device, reason }) => [device, reason]),
    [
      ['bad', 'wrong-protocol'],
      ['bad', 'malformed'],
    ],
  );
  const { device } = await getJson<{ device: Line }>(`${fleet.api}/devices/bad`);
  assert.deepEqual(
    [device.state, device.counted, device.refused],
    ['offline', 0, { 'malformed': 1, 'wrong-protocol': 1 }],
  );
});

test('a listener hears of everything in order, and goes on where it was', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 2, max: 3, quorum: 1 } } });
  const { lastEventId } = await getJson<{ lastEventId: string }>(`${fleet.api}/fleet`);
  const reader = await readEvents(`${fleet.api}/events?after=${lastEventId}`);
  t.after(() => reader.stop());
  for (const device of ['a', 'b']) await fleet.board(device).start();
  const middle = await reader.until(({ type, data }) => type === 'round-closed' && data['round'] === 1);
  await reader.until(({ type, data }) => type === 'round-closed' && data['round'] === 3);
  const numbers = reader.events.map(({ id }) => Number(id.split('-')[1]));
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => (numbers[0] as number) + i),
    'no number is left out',
  );
  const ofRound = (round: number) =>
    reader.events.filter(({ data }) => data['round'] === round).map(({ type }) => type);
  assert.deepEqual(ofRound(2), ['round-opened', 'update-counted', 'update-counted', 'round-closed']);
  const counted = reader.events.find(({ type }) => type === 'update-counted')?.data;
  assert.deepEqual(Object.keys(counted ?? {}).sort(), [
    ...['accuracy', 'arrivedMs', 'atMs', 'backlog', 'bytes', 'device', 'modalities', 'round', 'windows'],
  ]);

  const back = await readEvents(`${fleet.api}/events`, { 'Last-Event-ID': middle.id });
  t.after(() => back.stop());
  await back.until(({ type, data }) => type === 'round-closed' && data['round'] === 3);
  const missed = reader.events.slice(reader.events.indexOf(middle) + 1);
  assert.deepEqual(back.events, missed);

  for (const unknown of ['0-1', `${lastEventId.split('-')[0]}-999999`, 'nonsense']) {
    const lost = await readEvents(`${fleet.api}/events?after=${unknown}`);
    assert.equal((await lost.until(() => true)).type, 'reset', unknown);
    lost.stop();
  }
});

test('the server ends its listeners when it stops', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const reader = await readEvents(`${fleet.api}/events`);
  await fleet.server.stop();
  await reader.ended;
  await assert.rejects(fetch(`${fleet.api}/fleet`));
});

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
  const { devices } = await getJson<{ devices: Line[] }>(`${fleet.api}/devices`);
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

test('predictions on held-out windows, with what is confused with what', LIMIT, async (t) => {
  const spec = TINY_SPEC;
  const rng = createRng('predictions');
  const clean = Array.from({ length: 40 }, (_, i) => {
    const values = spec.modalities.map(() => Float32Array.from({ length: 128 * 3 }, () => rng.next() + (i % 3)));
    return { values: i === 7 ? [null, null] : values, quality: i === 7 ? [0, 0] : [1, 1], label: i % 3 };
  });
  const evaluation = { network: await createNetworkCache()(spec), windows: { clean, degraded: {} } };
  const config = { rounds: { boards: 1, max: 1, quorum: 1 }, model: { ...SMALL_MODEL, windowStatistics: false } };
  const fleet = await startHttpFleet(t, { evaluation, config });
  assert.equal((await fetch(`${fleet.api}/predictions`)).status, 409, 'no scale yet');
  await fleet.board('a').start();
  const record = await fleet.closed(1);
  await fleet.server.finished;
  const said = await getJson<{
    confusion: number[][];
    unsure: number;
    accuracy: number;
    examples: { predicted: string | null; confidence: number; window: number }[];
  }>(`${fleet.api}/predictions?limit=40`);
  assert.equal(said.unsure, 1);
  assert.equal(
    said.confusion.flat().reduce((sum, count) => sum + count, 0),
    39,
  );
  assert.deepEqual(
    said.confusion.map((row) => row.reduce((sum, count) => sum + count, 0)),
    [14, 12, 13],
  );
  const right = said.confusion.reduce((sum, row, label) => sum + (row[label] as number), 0);
  assert.equal(said.accuracy, right / 40);
  assert.equal(said.accuracy, record.evaluation?.clean, 'as the round was evaluated');
  assert.equal(said.examples.length, 40);
  assert.equal(said.examples[7]?.predicted, null);
});

test('probes say whether it lives and whether an update could be counted', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  for (const path of ['/healthz', '/readyz'])
    assert.equal((await fetch(fleet.server.httpUrl + path)).status, 200, path);
});
