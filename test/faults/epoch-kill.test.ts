/**
 * The aggregator's database begins a new epoch, and the board's agent is killed (SIGKILL) as it enters it: before the transaction and right
 * after. Real processes, learner included. It resumes in one epoch or the other, and every window is used, every update settled, once.
 */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import Database from 'better-sqlite3';
import { agentStorePath } from '../../agent/main.ts';
import { openAgentReader } from '../../agent/store/agent-store.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { writeRecording } from '../../core/trace/csv-writer.ts';
import { fleetConfig } from '../../scripts/replay/fleet.ts';
import { parseServerConfig, type ServerConfig } from '../../server/config.ts';
import { type RunningServer, startServer, storePath } from '../../server/main.ts';
import { beginNewEpoch } from '../../server/store/new-epoch.ts';
import { startBoard } from '../fixtures/qqr-process.ts';
import { SMALL_FLEET, smallPlan } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION } from '../fixtures/synthetic-motion.ts';
import { freePort } from '../fixtures/tcp-port.ts';

const WINDOWS_A_ROUND = 2;
const SPEED = 8;
const PATIENCE_MS = 60_000;
const PRELOAD = pathToFileURL(join(import.meta.dirname, '../fixtures/crash-point.js')).href;

test('an agent killed as it enters another epoch resumes before or after, with every window used once', {
  timeout: 180_000,
}, async (t) => {
  const { board, path, config, arm, start } = await stage(t);
  let server: RunningServer | null = await startServer({
    config,
    clock: systemClock,
    log: silentLog,
    evaluation: null,
  });
  t.after(() => server?.stop());
  const lastRound = () => {
    const db = new Database(storePath(config.stateDir), { readonly: true });
    const last = db.prepare<[], number | null>('SELECT max(round) FROM records').pluck().get() ?? -1;
    db.close();
    return last;
  };
  let agent = start();
  t.after(() => agent.child.kill('SIGKILL'));
  await until('two rounds', () => lastRound() >= 2);
  let epoch = epochOf(path);
  for (const phase of ['epoch-before-commit', 'epoch-committed']) {
    await server.stop();
    server = null;
    const begun = beginNewEpoch(storePath(config.stateDir));
    assert.equal(begun.from, epoch);
    arm(phase);
    server = await startServer({ config, clock: systemClock, log: silentLog, evaluation: null });
    const { signal, errors } = await agent.ended;
    assert.equal(signal, 'SIGKILL', errors);
    assert.equal(epochOf(path), phase === 'epoch-committed' ? begun.epoch : epoch, phase);
    agent = start();
    await until(`rounds after ${phase}`, () => lastRound() >= begun.round + 1);
    epoch = epochOf(path);
    assert.equal(epoch, begun.epoch);
  }
  agent.child.kill('SIGKILL');
  await agent.ended;
  const store = openAgentReader(path);
  const db = new Database(path, { readonly: true });
  const uses = db.prepare<[], number>('SELECT count(*) FROM training_log GROUP BY seq').pluck().all();
  db.close();
  assert.ok(uses.length >= 4 && uses.every((count) => count === WINDOWS_A_ROUND), `windows of each update: ${uses}`);
  const settled = store.settled().reduce((sum, { count }) => sum + count, 0);
  const { seq } = store.checkpoint() ?? assert.fail();
  assert.equal(settled + store.pending().length, seq, 'every update is settled once, or waits');
  const why = store.settled().flatMap(({ outcome, reason }) => (outcome === 'counted' ? [] : `${outcome} ${reason}`));
  assert.ok(
    why.every((reason) => reason === 'set-aside other-epoch'),
    `${why}`,
  );
  store.close();
  await server.stop();
  const rounds = new Database(storePath(config.stateDir), { readonly: true });
  const counted = rounds.prepare<[], number>('SELECT seq FROM updates ORDER BY round').pluck().all();
  rounds.close();
  assert.equal(new Set(counted).size, counted.length, `${board}: no update is counted twice`);
});

/** Of a board's file, whether an agent runs on it or not. */
function epochOf(path: string): string | undefined {
  const db = new Database(path, { readonly: true });
  const value = db.prepare<[], Buffer>("SELECT value FROM state WHERE key = 'epoch'").pluck().get();
  db.close();
  return value === undefined ? undefined : JSON.parse(value.toString()).now;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let waitedMs = 0; waitedMs < PATIENCE_MS; waitedMs += 20) {
    if (condition()) return;
    await systemClock.sleep(20);
  }
  assert.fail(`waited in vain: ${what}`);
}

async function stage(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-epoch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const options = {
    ...SMALL_FLEET,
    split: { kind: 'named', testSubjects: ['bo'] },
    settings: { windowsPerRound: WINDOWS_A_ROUND, localSteps: 1 },
    rounds: 100_000,
  } as const;
  const plan = smallPlan(options, { ...SMALL_MOTION, subjects: ['ada', 'bo'], secondsPerClass: 600 });
  const [board] = plan.boards;
  assert.ok(board !== undefined);
  const plain = JSON.parse(JSON.stringify(fleetConfig(plan, options, 1, join(folder, 'server')))) as ServerConfig;
  const config = parseServerConfig({ ...plain, broker: { listen: `127.0.0.1:${await freePort()}` } }, 'test');
  const trace = join(folder, 'board.csv.gz');
  await writeRecording(board.recording(), trace);
  const state = join(folder, 'board');
  const orders = join(folder, 'orders');
  mkdirSync(orders);
  return {
    board: board.device,
    path: agentStorePath(state),
    config,
    arm(phase: string) {
      writeFileSync(join(orders, 'agent.new'), JSON.stringify({ phase, pass: 1 }));
      renameSync(join(orders, 'agent.new'), join(orders, 'agent.armed'));
    },
    start: () =>
      startBoard({
        ...{ device: board.device, url: `mqtt://${config.broker.listen}`, trace, state, speed: SPEED },
        env: { NODE_OPTIONS: `--import=${PRELOAD}`, QQR_CRASH_POINTS: orders },
      }),
  };
}
