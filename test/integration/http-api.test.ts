/** The HTTP API over a running fleet: what each route says, and that it says it as described. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { getJson, ranFleet, startHttpFleet } from '../fixtures/http-fleet.ts';

const LIMIT = { timeout: 30_000 };

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
  interface Answer {
    readonly rounds: number[];
    readonly columns: Record<string, (number | null)[]>;
    readonly regretExponent: number | null;
  }
  const { columns, rounds, regretExponent } = await getJson<Answer>(`${fleet.api}/series`);
  assert.deepEqual(rounds, [0, 1, 2, 3, 4]);
  assert.deepEqual(columns['onlineAccuracy'], [null, 0.8, 0.8, 0.8, 0.8]);
  assert.deepEqual(
    columns['payloadBytes'],
    fleet.records.map(({ bytes }) => bytes.payload),
  );
  const quality = fleet.records.map(({ modalities }) => modalities['gyr']?.meanQuality);
  assert.deepEqual(columns['quality/gyr'], quality);
  const losses = fleet.records.slice(1).map(({ online }) => online?.loss ?? Number.NaN);
  const total = (of: number[]) => of.reduce((sum, loss) => sum + loss, 0);
  const regretOf = (of: number[]) => total(of) - of.length * Math.min(...of); // one round is the stretch, up to the eighth
  const near = (actual: (number | null)[] | undefined, wanted: (number | null)[]) =>
    assert.deepEqual(
      actual?.map((value) => value?.toFixed(9)),
      wanted.map((value) => value?.toFixed(9)),
    );
  assert.ok(regretOf(losses) > 0.01, 'boards do differ');
  near(columns['regret'], [null, ...losses.map((_, i) => regretOf(losses.slice(0, i + 1)))]);
  assert.equal(regretExponent, null, 'four rounds have none');
  const later = await getJson<Answer>(`${fleet.api}/series?from=2&points=2`);
  near(later.columns['regret'], [regretOf(losses.slice(1, 3)), regretOf(losses.slice(1))]);
  const means = await getJson<{ step: number; columns: Record<string, number[]> }>(
    `${fleet.api}/series?points=2&from=1`,
  );
  assert.equal(means.step, 2);
  assert.equal(means.columns['quality/gyr']?.length, 2);
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

test('probes say whether it lives and whether an update could be counted', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  for (const path of ['/healthz', '/readyz'])
    assert.equal((await fetch(fleet.server.httpUrl + path)).status, 200, path);
});

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
