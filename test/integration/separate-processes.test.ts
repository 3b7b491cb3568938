/**
 * Agents and aggregator as processes of their own over TCP come to the same bits as the replay in one process:
 * neither the order in which updates arrive nor where a board runs may change the model.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { digestOf } from '../../core/model/global-state.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { fleetConfig, runFleet } from '../../scripts/replay/fleet.ts';
import { specFrom } from '../../server/config.ts';
import { storePath } from '../../server/main.ts';
import type { BoardHistory } from '../../server/store/archive.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { startBoard, startQqr } from '../fixtures/qqr-process.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';

const COMMAND = fileURLToPath(new URL('../../scripts/qqr.js', import.meta.url));

test('separate processes over TCP reach the same global model bits as the replay in one process', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-processes-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const plan = smallPlan();
  const seed = SMALL_FLEET.seeds[0] as number;
  const inProcess = await runFleet(plan, SMALL_FLEET, seed, createNetworkCache(), () => undefined);

  const config = fleetConfig(plan, SMALL_FLEET, seed, join(folder, 'server'));
  const configFile = join(folder, 'server.toml');
  await writeFile(configFile, stringify(withoutUndefined(config)));
  const server = startQqr(['server', 'run', '--config', configFile]);
  t.after(() => server.child.kill('SIGKILL'));
  const { url } = await server.logged('aggregator ready');
  const agents = await Promise.all(
    plan.boards.map(async ({ device, recording }) => {
      const trace = join(folder, `${device}.csv.gz`);
      await writeRecording(recording(), trace);
      const state = join(folder, device);
      return startBoard({ device, url: String(url), trace, state });
    }),
  );
  t.after(() => {
    for (const { child } of agents) child.kill('SIGKILL');
  });
  for (const { ended } of [server, ...agents]) {
    const { code, errors } = await ended;
    assert.equal(code, 0, errors);
  }

  const store = openSqliteStore(storePath(config.stateDir), specFrom(config));
  t.after(() => store.dispose());
  const global = store.global();
  assert.ok(global !== null);
  assert.equal(global.version, SMALL_FLEET.rounds);
  assert.equal(digestOf(global), digestOf(inProcess.global));

  const shown = (...options: string[]) =>
    execFileSync(process.execPath, [COMMAND, 'server', 'devices', '--state', config.stateDir, ...options], {
      encoding: 'utf8',
    });
  const boards: BoardHistory[] = shown('--json')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    boards.map(({ device, clipped, refused }) => ({ device, clipped, refused })),
    plan.boards.map(({ device }) => ({ device, clipped: 0, refused: {} })),
  );
  for (const { counted, lastRound, lastNorm } of boards) {
    assert.equal(counted, (lastRound ?? 0) + 1);
    assert.ok((lastNorm ?? 0) > 0);
  }
  assert.match(shown(), /^board +last round +counted +clipped +last norm +refused/);
});

function withoutUndefined<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
