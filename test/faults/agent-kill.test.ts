/**
 * kill -9 of a replaying agent at random points: it resumes, every window trains exactly once, every update counts exactly once.
 * Judged from the two databases, not from what either side says.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentStorePath } from '../../agent/main.ts';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { fleetConfig } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { specFrom } from '../../server/config.ts';
import { startServer, storePath } from '../../server/main.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { startBoard } from '../fixtures/qqr-process.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION } from '../fixtures/synthetic-motion.ts';

const KILLS = 20;
const SEED = Number(process.env['QQR_TEST_SEED'] ?? 20261124);
const B = 2;
/** From the start of a process: before the database is open, while the stream is taken in, in the middle of rounds. */
const LONGEST_LIFE_MS = 2500;

test(`an agent killed at ${KILLS} random points uses every window once and is counted once per round (seed ${SEED})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-kill-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const options: ReplayOptions = {
    ...SMALL_FLEET,
    split: { kind: 'named', testSubjects: ['bo'] },
    settings: { windowsPerRound: B },
    rounds: 5000,
  };
  const plan = smallPlan(options, { ...SMALL_MOTION, subjects: ['ada', 'bo'], secondsPerClass: 600 });
  const [board] = plan.boards;
  assert.ok(board !== undefined);
  const config = fleetConfig(plan, options, SEED, join(folder, 'server'));
  const server = await startServer({ config, clock: systemClock, log: silentLog, evaluation: null });
  t.after(() => server.stop());
  const trace = join(folder, 'board.csv.gz');
  await writeRecording(board.recording(), trace);
  const state = join(folder, 'board');
  const start = () => startBoard({ device: board.device, url: server.url, trace, state });

  const rng = createRng(SEED);
  let killed = 0;
  while (killed < KILLS) {
    const agent = start();
    await systemClock.sleep(rng.next() * LONGEST_LIFE_MS);
    if (agent.child.kill('SIGKILL')) killed++;
    const { signal } = await agent.ended;
    assert.equal(signal, 'SIGKILL', `the recording was over before kill ${killed}: make it longer`);
  }
  const last = start();
  t.after(() => last.child.kill('SIGKILL'));
  const { code, errors } = await last.ended;
  assert.equal(code, 0, errors);
  const { version } = await server.finished;
  await server.stop();

  const agentStore = openAgentStore(agentStorePath(state));
  t.after(() => agentStore.close());
  const uses = agentStore.windowUses();
  const rounds = Math.floor(board.windows.length / B);
  assert.equal(version, rounds, 'every round was closed once');
  assert.deepEqual(
    uses.map(({ windowIndex }) => windowIndex),
    Array.from({ length: rounds * B }, (_, i) => i),
    'every window was used once, in order',
  );
  assert.equal(
    agentStore.countWindows({ afterIndex: -1, classes: plan.classes }),
    board.windows.length,
    'no window was lost or cut twice',
  );
  assert.equal(agentStore.pending().length, 0);

  const serverStore = openSqliteStore(storePath(config.stateDir), specFrom(config));
  t.after(() => serverStore.dispose());
  for (let round = 1; round <= rounds; round++) {
    const counted = serverStore.counted(round);
    const used = uses.filter((use) => use.round === round);
    assert.equal(counted.length, 1, `round ${round} counted one update`);
    assert.equal(used.length, B, `round ${round} used ${B} windows`);
    assert.ok(
      used.every(({ seq }) => seq === counted[0]?.seq),
      `round ${round}: the update that was counted is the one that was committed`,
    );
  }
});
