/** docs/http-api.md lists the routes, problems and events that there are. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createApp } from '../../server/http/app.ts';
import { PROBLEMS } from '../../server/http/problem.ts';
import { manualFleetWindow } from '../fixtures/manual-fleet-window.ts';
import { projectFile } from '../fixtures/sample-file.ts';

const PAGE = projectFile('docs/http-api.md');
const rows = (pattern: RegExp) => [...PAGE.matchAll(pattern)].map(([, ...cells]) => cells);

test('every route is told of, with every parameter of its own, and no other', async () => {
  const settings = { host: '127.0.0.1', port: 0, token: null, needsTokenToRead: false, hosts: null };
  const parts = { window: manualFleetWindow(1), settings, clock: systemClock, log: silentLog };
  const app = createApp({ ...parts, staticFiles: (_, next) => next() });
  const answer = await app.fetch(new Request('http://localhost/openapi.json'));
  const { paths } = (await answer.json()) as {
    paths: Record<string, Record<string, { parameters?: { name: string; in: string }[] }>>;
  };
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [] }]) => ({
      route: `${method.toUpperCase()} ${path}`,
      parameters,
    })),
  );
  const documented = new Map(
    rows(/^\| `((?:GET|POST|DELETE) [^`]+)` \| (.*) \|$/gm).map(([route, what]) => [route, what]),
  );
  assert.deepEqual([...documented.keys()].sort(), routes.map(({ route }) => route).sort());
  for (const { route, parameters } of routes)
    for (const { name } of parameters.filter((one) => one.in === 'query'))
      assert.match(`${documented.get(route)}`, new RegExp(`\`${name}\``), `${route} takes ${name}`);
});

test('every problem is told of with its status and meaning', () => {
  const documented = rows(/^\| `([\w-]+)` \| (\d{3}) \| ([^|]+) \|$/gm);
  assert.deepEqual(
    documented,
    Object.entries(PROBLEMS).map(([code, { status, means }]) => [code, String(status), means]),
  );
});
