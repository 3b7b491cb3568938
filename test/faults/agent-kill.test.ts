/**
 * kill -9 of a board's agent and of its learner at random points, under load: the stream goes on while the learner is busy. Every
 * window is kept and trained on exactly once, every update counts exactly once, the database opens after every kill, and a learner
 * does not outlive its agent. Judged from the two databases and from /proc, not from what either side says.
 * QQR_TEST_KILLS sets how many kills there are, QQR_TEST_SEED when and whom they hit.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { agentStorePath } from '../../agent/main.ts';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { fleetConfig } from '../../scripts/replay/fleet.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { specFrom } from '../../server/config.ts';
import { startServer, storePath } from '../../server/main.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { type QqrProcess, startBoard } from '../fixtures/qqr-process.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION } from '../fixtures/synthetic-motion.ts';

const KILLS = Number(process.env['QQR_TEST_KILLS'] ?? 20);
const SEED = Number(process.env['QQR_TEST_SEED'] ?? 20261124);
const B = 2;
/** From one kill to the next: before the database is open, while the stream is taken in, in the middle of rounds. */
const LONGEST_LIFE_MS = 2500;
/** Recorded seconds per second: about three windows a second, more than are trained on while learners die. */
const SPEED = 10;
/** For what must happen soon: the stream goes on, a learner that was left behind is gone. */
const PATIENCE_MS = 15_000;
/** Above the longest pause of a learner that was killed again and again before it had answered. */
const LEARNER_PATIENCE_MS = 75_000;
const POLL_MS = 10;

test(`an agent and its learner killed at ${KILLS} random points use every window once and are counted once per round (seed ${SEED})`, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'qqr-kill-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const options: ReplayOptions = {
    ...SMALL_FLEET,
    split: { kind: 'named', testSubjects: ['bo'] },
    settings: { windowsPerRound: B },
    rounds: 100_000,
  };
  const streamSeconds = 1.5 * SPEED * KILLS * (LONGEST_LIFE_MS / 1000);
  const secondsPerClass = Math.max(300, streamSeconds / SMALL_MOTION.classes.length);
  const plan = smallPlan(options, { ...SMALL_MOTION, subjects: ['ada', 'bo'], secondsPerClass });
  const [board] = plan.boards;
  assert.ok(board !== undefined);
  const config = fleetConfig(plan, options, SEED, join(folder, 'server'));
  const server = await startServer({ config, clock: systemClock, log: silentLog, evaluation: null });
  t.after(() => server.stop());
  const trace = join(folder, 'board.csv.gz');
  await writeRecording(board.recording(), trace);
  const state = join(folder, 'board');
  const path = agentStorePath(state);
  const start = (speed?: number) =>
    startBoard({ device: board.device, url: server.url, trace, state, ...(speed !== undefined && { speed }) });

  const rng = createRng(SEED);
  const kills = { agent: 0, learner: 0 };
  const orphansMs: number[] = [];
  let agent = start(SPEED);
  t.after(() => agent.child.kill('SIGKILL'));
  while (kills.agent + kills.learner < KILLS) {
    const target = rng.next() < 0.5 ? 'agent' : 'learner';
    if (target === 'learner') await learnerOf(agent);
    await systemClock.sleep(rng.next() * LONGEST_LIFE_MS);
    assert.equal(
      agent.child.exitCode,
      null,
      `the agent ended by itself after ${kills.agent} and ${kills.learner} kills`,
    );
    const learner = childOf(agent);
    if (target === 'agent') {
      const killedMs = systemClock.nowMs();
      agent.child.kill('SIGKILL');
      await once(agent.child, 'exit');
      kills.agent++;
      opens(path);
      agent = start(SPEED);
      if (learner !== null) orphansMs.push((await untilGone(learner)) - killedMs);
    } else if (learner !== null) {
      assert.ok(!readFileSync(`/proc/${agent.child.pid}/maps`, 'utf8').includes('libtensorflow'));
      process.kill(learner, 'SIGKILL');
      kills.learner++;
      await ingestGoesOn(path);
    }
  }
  agent.child.kill('SIGKILL');
  await once(agent.child, 'exit');
  agent = start();
  const { code, errors } = await agent.ended;
  assert.equal(code, 0, errors);
  const { version } = await server.finished;
  await server.stop();

  const agentStore = openAgentStore(path);
  t.after(() => agentStore.close());
  const uses = agentStore.windowUses();
  const rounds = Math.floor(board.windows.length / B);
  const slowest = Math.max(0, ...orphansMs).toFixed(0);
  t.diagnostic(
    `killed: agent ${kills.agent + 1}, learner ${kills.learner}; opened after each; ${board.windows.length} windows kept, ` +
      `${uses.length} used once in ${rounds} rounds; a learner was gone at most ${slowest} ms after its agent`,
  );
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

/** The agent's learner, as soon as there is one. */
async function learnerOf(agent: QqrProcess): Promise<number> {
  for (let waitedMs = 0; waitedMs < LEARNER_PATIENCE_MS; waitedMs += POLL_MS) {
    const pid = childOf(agent);
    if (pid !== null) return pid;
    await systemClock.sleep(POLL_MS);
  }
  agent.child.kill('SIGKILL');
  throw new Error(`no learner is started:\n${(await agent.ended).errors}`);
}

/** The agent's only child, if it has one now. */
function childOf({ child }: QqrProcess): number | null {
  const pids = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(isRunning);
  return pids.length === 0 ? null : Number(pids[0]);
}

/** Neither gone nor a zombie that waits to be counted. */
function isRunning(pid: number | string): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid || 'none'}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** The time at which the process was gone. */
async function untilGone(pid: number): Promise<number> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += POLL_MS) {
    if (!isRunning(pid)) return systemClock.nowMs();
    await systemClock.sleep(POLL_MS);
  }
  throw new Error(`learner ${pid} outlives its agent`);
}

/** The database opens, is sound and was never moved aside. Nothing to open before the first start has made it. */
function opens(path: string): void {
  if (existsSync(path)) openAgentStore(path).close();
  const aside = existsSync(path) ? readdirSync(join(path, '..')).filter((name) => name.includes('corrupt')) : [];
  assert.deepEqual(aside, [], 'the database was damaged');
}

/** Resolves when the agent has taken in more of the stream, which it must though its learner is dead, unless there is no more. */
async function ingestGoesOn(path: string): Promise<void> {
  const store = openAgentStore(path, { owner: false });
  try {
    const before = position(store);
    for (let waitedMs = 0; position(store) === before && !hasEnded(store); waitedMs += POLL_MS) {
      assert.ok(waitedMs < PATIENCE_MS, 'nothing is taken in while the learner is dead');
      await systemClock.sleep(POLL_MS);
    }
  } finally {
    store.close();
  }
}

function position(store: AgentStore): string {
  return JSON.stringify(store.ingestPosition());
}

function hasEnded(store: AgentStore): boolean {
  return store.ingestPosition()?.streamEnded ?? false;
}
