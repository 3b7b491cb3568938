/** A board that starts before its broker takes its stream in all the same, and learns as soon as an aggregator is there. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentStorePath } from '../../agent/main.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { fleetConfig } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { startServer } from '../../server/main.ts';
import { startBoard } from '../fixtures/qqr-process.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION } from '../fixtures/synthetic-motion.ts';
import { freePort } from '../fixtures/tcp-port.ts';

test('a board that starts before its broker buffers its stream and joins when the aggregator appears', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-later-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const options: ReplayOptions = { ...SMALL_FLEET, split: { kind: 'named', testSubjects: ['bo'] }, rounds: 3 };
  const plan = smallPlan(options, { ...SMALL_MOTION, subjects: ['ada', 'bo'] });
  const [board] = plan.boards;
  assert.ok(board !== undefined);
  const port = await freePort();
  const trace = join(folder, 'board.csv.gz');
  await writeRecording(board.recording(), trace);
  const state = join(folder, 'board');
  const url = `mqtt://127.0.0.1:${port}`;
  const agent = startBoard({ device: board.device, url, trace, state });
  t.after(() => agent.child.kill('SIGKILL'));
  await agent.logged('stream ended');
  const store = openAgentStore(agentStorePath(state), { owner: false });
  assert.equal(store.countWindows({ afterIndex: -1, classes: plan.classes }), board.windows.length);
  store.close();

  const config = fleetConfig(plan, options, 1, join(folder, 'server'));
  const server = await startServer({
    config: { ...config, broker: { ...config.broker, listen: `127.0.0.1:${port}` } },
    clock: systemClock,
    log: silentLog,
    evaluation: null,
  });
  t.after(() => server.stop());
  const { version } = await server.finished;
  assert.equal(version, options.rounds);
  const { code, errors } = await agent.ended;
  assert.equal(code, 0, errors);
});
