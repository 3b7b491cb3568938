/**
 * The outside judge of the HTTP API: Schemathesis reads /openapi.json, makes requests from it, good and bad ones, and holds every answer
 * to it: no 5xx but the described ones, no status, content type or body that is not described. Events are left out: their answer has no end.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BEARER, getJson, type HttpFleet, startHttpFleet } from '../fixtures/http-fleet.ts';

interface Judge {
  schemathesisProgram(): { command: string; args: string[]; env: Record<string, string> };
  hasSchemathesis(): boolean;
}
const SCRIPT = fileURLToPath(new URL('../../../scripts/schemathesis.mjs', import.meta.url));
const { schemathesisProgram, hasSchemathesis } = (await import(SCRIPT)) as Judge;

const SEED = process.env['QQR_TEST_SEED'] ?? '20261129';
const EXAMPLES = process.env['QQR_TEST_EXAMPLES'] ?? '10';
const IS_REQUIRED = process.env['QQR_REQUIRE_SERVICES'] === '1';
const SKIP = IS_REQUIRED || hasSchemathesis() ? false : 'schemathesis is not installed';
const LIMIT = { timeout: 300_000, skip: SKIP };

const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];

interface Verdict {
  readonly status: number | null;
  readonly output: string;
  /** `GET /api/v1/fleet 200`: what was answered, with how often. */
  readonly answers: ReadonlyMap<string, number>;
}

/** @param base where the API is @param only paths; all by default */
async function judge(t: TestContext, base: string, only: readonly string[] = []): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-judge-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { command, args, env } = schemathesisProgram();
  const options = {
    '--phases': 'examples,coverage,fuzzing',
    '--checks': CHECKS.join(','),
    '--seed': SEED,
    '--max-examples': EXAMPLES,
    '--request-timeout': '10',
    '--generation-database': 'none',
    '--header': `Authorization: ${BEARER.Authorization}`,
    '--report': 'har',
    '--report-har-path': join(folder, 'answers.har'),
    '--exclude-path': '/api/v1/events',
    '--warnings': 'off',
  };
  const words = Object.entries(options).flat();
  const chosen = only.flatMap((path) => ['--include-path', path]);
  const run = ['run', `${base}/openapi.json`, ...words, ...chosen, '--continue-on-failure', '--no-color'];
  const child = spawn(command, [...args, ...run], { cwd: folder, env: { ...process.env, ...env } });
  t.after(() => void child.kill());
  let output = '';
  const keep = (chunk: Buffer) => {
    output += chunk.toString();
  };
  for (const stream of [child.stdout, child.stderr]) stream.on('data', keep);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  return { status, output, answers: await answersIn(join(folder, 'answers.har')).catch(() => new Map()) };
}

async function answersIn(path: string): Promise<Map<string, number>> {
  const { log } = JSON.parse(await readFile(path, 'utf8')) as {
    log: { entries: { request: { method: string; url: string }; response: { status: number } }[] };
  };
  const counts = new Map<string, number>();
  for (const { request, response } of log.entries) {
    const line = `${request.method} ${new URL(request.url).pathname} ${response.status}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  return counts;
}

/** Three boards in a round that does not end by itself, five closed rounds, an update that was refused. */
async function ranFleet(t: TestContext): Promise<HttpFleet> {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 3, max: 1000, quorum: 1 } } });
  const isEnough = (round: number) => round > 4;
  for (const device of ['pi-1', 'pi-2']) {
    await fleet.board(device, (update, { round }) => (isEnough(round) ? null : update)).start();
  }
  await fleet
    .board('pi-3', (update, { round }) =>
      round === 2 ? { ...update, modelVersion: 99 } : isEnough(round) ? null : update,
    )
    .start();
  await fleet.closed(1);
  return fleet;
}

test('every route answers everything as it is described', LIMIT, async (t) => {
  const fleet = await ranFleet(t);
  const base = `${fleet.server.httpUrl}`;
  console.log(`seed ${SEED}, ${EXAMPLES} examples`);
  const { status, output, answers } = await judge(t, base);
  assert.equal(status, 0, output);
  const total = [...answers.values()].reduce((sum, count) => sum + count, 0);
  assert.ok(total > 300, `only ${total} requests\n${output}`);
  const document = await getJson<{ paths: Record<string, Record<string, unknown>> }>(`${base}/openapi.json`);
  const asked = new Set([...answers.keys()].map((line) => line.split(' ')[1]));
  for (const path of Object.keys(document.paths)) {
    if (path === '/api/v1/events') continue;
    const concrete = new RegExp(`^${path.replace(/\{\w+\}/g, '[^/]+')}$`);
    assert.ok(
      [...asked].some((one) => concrete.test(`${one}`)),
      `${path} was not asked`,
    );
  }
  for (const line of ['GET /api/v1/devices/pi-1 200', 'GET /api/v1/rounds/1 200', 'POST /api/v1/rounds/pause 200'])
    assert.ok(answers.has(line), `no ${line} among\n${[...answers.keys()].sort().join('\n')}`);
  assert.ok(!fleet.logged.some(({ level }) => level === 'error'), JSON.stringify(fleet.logged.at(-1)));
});

/** The API of `target`, but that a good answer of one route is replaced. Returns its address. */
async function startLiar(t: TestContext, target: string, path: string, lie: Lie): Promise<string> {
  const server = createServer((asked, answer) => {
    const { method, headers } = asked;
    const forwarded = request(target + asked.url, { method: `${method}`, headers }, async (real) => {
      const body = await text(real);
      const isLie = asked.url === path && real.statusCode === 200;
      const [status, said] = isLie ? lie(body) : [real.statusCode ?? 502, body];
      answer.writeHead(status, { 'Content-Type': real.headers['content-type'] ?? 'text/plain' }).end(said);
    });
    asked.pipe(forwarded);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Lie = (body: string) => [status: number, body: string];

for (const [what, lie, objection] of [
  ['a field that is not described', (body) => [200, body.replace('{', '{"more":1,')], /violates schema/],
  ['a number for a text', (body) => [200, body.replace(/"fleet":"\w+"/, '"fleet":7')], /violates schema/],
  ['a status that is not described', (body) => [418, body], /Undocumented status code/],
  ['a defect', () => [500, '{}'], /Server error/],
] as const satisfies [string, Lie, RegExp][]) {
  test(`the judge objects to ${what}`, LIMIT, async (t) => {
    const fleet = await startHttpFleet(t);
    const base = await startLiar(t, `${fleet.server.httpUrl}`, '/api/v1/fleet', lie);
    const { status, output } = await judge(t, base, ['/api/v1/fleet']);
    assert.equal(status, 1, output);
    assert.match(output, objection);
  });
}
