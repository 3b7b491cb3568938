/**
 * The learner as a process of its own, the real one on a real database: what the agent sees when it is killed, hangs, needs too much
 * memory, cannot agree with the aggregator, or finds the database broken. Kills under load are in agent-kill.test.ts.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants, getPriority } from 'node:os';
import { type TestContext, test } from 'node:test';
import { createLearnerProcess, type LearnerProcessOptions } from '../../agent/learn/learner-process.ts';
import type { LearnerSettings } from '../../agent/learn/learner-protocol.ts';
import type { WindowPrediction } from '../../agent/learn/predictor.ts';
import { type AgentStore, openAgentStore } from '../../agent/store/agent-store.ts';
import { createArrivals } from '../../agent/stream/arrivals.ts';
import { type Clock, systemClock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import { measuredWindow, secondOfMotion, temporaryPath } from '../fixtures/stored-motion.ts';
import { B, GLOBAL, MODALITIES, PLAN } from '../fixtures/training-round.ts';

/** Whoever waits for a learner that never answers fails, and does not hang. */
const LIMIT = { timeout: 60_000 };
const NICE = 7;
/** Between two looks at the learner's memory. */
const WATCH_MS = 1000;
const never = () => new AbortController().signal;
const SETTINGS: Omit<LearnerSettings, 'storePath'> = {
  device: 'pi-1',
  durability: 'normal',
  modalities: MODALITIES,
  finite: false,
  predicts: false,
  nice: NICE,
};

/** A log that keeps its lines and wakes those who wait for one. */
function recordingLog() {
  const lines: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[] = [];
  const listeners = new Set<() => void>();
  const add = (fields: object, message: string) => {
    lines.push({ message, fields: { ...fields } });
    for (const listener of listeners) listener();
  };
  const log: Log = { debug: add, info: add, warn: add, error: add };
  const said = (message: string) => lines.filter((line) => line.message === message).map(({ fields }) => fields);
  return {
    log,
    said,
    /** Called at each line of this message from now on. */
    at(message: string, react: (fields: Readonly<Record<string, unknown>>) => void) {
      listeners.add(() => {
        const last = lines.at(-1);
        if (last?.message === message) react(last.fields);
      });
    },
    /** Resolves when there have been `count` lines of this message. */
    until(message: string, count = 1): Promise<void> {
      return new Promise((resolve) => {
        const look = () => void (said(message).length >= count && resolve());
        listeners.add(look);
        look();
      });
    },
  };
}

function learnerOn(t: TestContext, path: string, options: Partial<LearnerProcessOptions> = {}) {
  const recorded = recordingLog();
  const learner = createLearnerProcess({
    settings: { ...SETTINGS, storePath: path },
    memoryMb: 5000,
    clock: systemClock,
    random: () => 0.999,
    log: recorded.log,
    restart: { baseMs: 1, capMs: 4 },
    ...options,
  });
  t.after(() => learner.stop());
  const { said, at, until } = recorded;
  return { learner, said, at, until };
}

function storeWith(t: TestContext, path: string, windows: number): AgentStore {
  const store = openAgentStore(path);
  t.after(() => store.close());
  ingest(store, 0, windows);
  return store;
}

function ingest(store: AgentStore, from: number, to: number): void {
  const windows = Array.from({ length: to - from }, (_, i) => measuredWindow(from + i));
  store.ingest(secondOfMotion(from, windows));
}

function used(store: AgentStore): number[] {
  return store.windowUses().map(({ windowIndex }) => windowIndex);
}

/** The five seconds that a learner has to obey pass in fifty milliseconds. */
const HASTY: Clock = {
  ...systemClock,
  sleep: (ms, signal) => systemClock.sleep(ms === 5000 ? 50 : ms, signal),
};

test(
  'a learner trains in a process of its own, with less priority and as the first choice when memory runs out',
  LIMIT,
  async (t) => {
    const path = temporaryPath(t);
    const store = storeWith(t, path, B);
    const { learner, said } = learnerOn(t, path);
    assert.equal(await learner.runRound(PLAN, GLOBAL, never()), 'committed');
    assert.deepEqual(used(store), [0, 1, 2, 3]);
    assert.equal(said('update committed').length, 1, "the learner's lines are in the agent's log");
    assert.equal(await learner.runRound(PLAN, GLOBAL, never()), 'already-done');
    const { pid } = learner.stats();
    assert.ok(pid !== null && pid !== process.pid);
    const priority = Math.min(constants.priority.PRIORITY_LOW, getPriority() + NICE);
    const threads = readdirSync(`/proc/${pid}/task`).map(Number);
    assert.ok(threads.length > 1);
    for (const thread of threads) assert.equal(getPriority(thread), priority, `thread ${thread} of ${pid}`);
    assert.equal(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim(), '1000');
    assert.ok(readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libtensorflow'));
    assert.ok(!readFileSync('/proc/self/maps', 'utf8').includes('libtensorflow'));
    await learner.stop();
    assert.deepEqual(learner.stats(), { pid: null, died: 0, overMemory: 0 });
  },
);

test('the newest window is predicted as it comes, also while a round waits for more', LIMIT, async (t) => {
  const path = temporaryPath(t);
  const store = storeWith(t, path, B - 2);
  const predictions: WindowPrediction[] = [];
  let told: () => void = () => undefined;
  const { learner, until, at } = learnerOn(t, path, {
    settings: { ...SETTINGS, storePath: path, predicts: true },
    onPrediction(prediction) {
      predictions.push(prediction);
      told();
    },
  });
  const round = learner.runRound(PLAN, GLOBAL, never());
  await until('waiting for windows');
  for (const index of [B - 2, B - 1]) {
    const predicted = new Promise<void>((resolve) => {
      told = resolve;
    });
    ingest(store, index, index + 1);
    learner.arrived();
    await predicted;
    learner.arrived(); // nothing new: nothing is said
  }
  assert.equal(await round, 'committed');
  assert.deepEqual(
    predictions.map(({ windowIndex, modelVersion }) => [windowIndex, modelVersion]),
    [
      [B - 2, 1],
      [B - 1, 1],
    ],
  );
  const waitsAgain = new Promise<void>((resolve) => {
    at('waiting for windows', ({ round }) => void (round === PLAN.round + 1 && resolve()));
  });
  const next = learner.runRound(
    { ...PLAN, round: PLAN.round + 1, modelVersion: 2 },
    { ...GLOBAL, version: 2 },
    never(),
  );
  await waitsAgain;
  const predicted = new Promise<void>((resolve) => {
    told = resolve;
  });
  ingest(store, B, B + 1);
  learner.arrived();
  await predicted;
  assert.equal(predictions.at(-1)?.modelVersion, 2, 'by the newest model');
  await learner.stop();
  await assert.rejects(next);
  for (const { activity, confidence } of predictions) {
    assert.ok(activity === 'walk' || activity === 'sit');
    assert.ok(confidence >= 0.5 && confidence <= 1, `the better of two classes, at ${confidence}`);
  }
});

test('a round that waits for windows is answered when they have come', LIMIT, async (t) => {
  const path = temporaryPath(t);
  const store = storeWith(t, path, B - 1);
  const { learner, until } = learnerOn(t, path);
  const round = learner.runRound(PLAN, GLOBAL, never());
  await until('waiting for windows');
  ingest(store, B - 1, B);
  learner.arrived();
  assert.equal(await round, 'committed');
});

test('a round that is given up ends with the reason, and the learner lives on', LIMIT, async (t) => {
  const path = temporaryPath(t);
  const store = storeWith(t, path, B - 1);
  const { learner, until } = learnerOn(t, path);
  const givenUp = new AbortController();
  const round = learner.runRound(PLAN, GLOBAL, givenUp.signal);
  const { pid } = learner.stats();
  assert.ok(pid !== null);
  await until('waiting for windows');
  givenUp.abort(new Error('round 4 has begun'));
  await assert.rejects(round, /round 4 has begun/);
  process.kill(pid, 'SIGINT');
  await until('interrupt left to the agent');
  ingest(store, B - 1, B);
  assert.equal(await learner.runRound({ ...PLAN, round: 4 }, GLOBAL, never()), 'committed');
  assert.deepEqual(learner.stats(), { pid, died: 0, overMemory: 0 });
});

test(
  'a learner that is killed at every start is started again after ever longer pauses, and the round is trained once',
  LIMIT,
  async (t) => {
    const kills = 5;
    const path = temporaryPath(t);
    const store = storeWith(t, path, 2 * B);
    const { learner, at, said } = learnerOn(t, path);
    let killed = 0;
    at('learner started', ({ pid }) => {
      if (killed++ < kills) process.kill(Number(pid), 'SIGKILL');
    });
    assert.equal(await learner.runRound(PLAN, GLOBAL, never()), 'committed');
    assert.equal(learner.stats().died, kills);
    const pauses = () => said('round will be asked for again').map(({ pauseMs }) => pauseMs);
    assert.deepEqual(pauses(), [1, 2, 4, 4, 4], 'doubled up to the cap');
    assert.deepEqual(used(store), [0, 1, 2, 3]);

    process.kill(Number(learner.stats().pid), 'SIGKILL');
    assert.equal(await learner.runRound({ ...PLAN, round: 4 }, GLOBAL, never()), 'committed');
    assert.equal(pauses().length <= kills + 1, true);
    assert.ok(pauses().length === kills || pauses().at(-1) === 1, 'an answered round begins the pauses anew');
    assert.deepEqual(used(store), [0, 1, 2, 3, 4, 5, 6, 7]);
  },
);

test('a learner above its memory is ended, counted and replaced', LIMIT, async (t) => {
  const path = temporaryPath(t);
  const store = storeWith(t, path, B);
  const looks = createArrivals();
  const clock: Clock = {
    ...systemClock,
    sleep: (ms, signal = never()) => (ms === WATCH_MS ? looks.next(signal) : systemClock.sleep(ms, signal)),
  };
  const { learner, until, said } = learnerOn(t, path, { memoryMb: 120, clock });
  assert.equal(await learner.runRound(PLAN, GLOBAL, never()), 'committed');
  looks.announce();
  await until('learner ended');
  assert.ok(Number(said('learner needs too much memory: killed')[0]?.['rssMb']) > 120);
  assert.deepEqual(learner.stats(), { pid: null, died: 1, overMemory: 1 });
  ingest(store, B, 2 * B);
  assert.equal(await learner.runRound({ ...PLAN, round: 4 }, GLOBAL, never()), 'committed');
  assert.deepEqual(used(store), [0, 1, 2, 3, 4, 5, 6, 7]);
});

test('a learner that does not obey is killed: when a round is given up, and when the agent stops', LIMIT, async (t) => {
  const path = temporaryPath(t);
  storeWith(t, path, B - 1);
  const { learner, said } = learnerOn(t, path, { clock: HASTY });
  const givenUp = new AbortController();
  const round = learner.runRound(PLAN, GLOBAL, givenUp.signal);
  process.kill(Number(learner.stats().pid), 'SIGSTOP');
  givenUp.abort(new Error('enough'));
  await assert.rejects(round, /enough/);
  assert.equal(learner.stats().died, 1);

  const second = learner.runRound(PLAN, GLOBAL, never());
  process.kill(Number(learner.stats().pid), 'SIGSTOP');
  await Promise.all([learner.stop(), assert.rejects(second, /learner stopped/)]);
  assert.equal(learner.stats().pid, null);
  assert.ok(said('learner does not obey: killed').length >= 2);
});

test(
  'what board and aggregator do not agree on reaches the agent as it was said, and is not tried again',
  LIMIT,
  async (t) => {
    const path = temporaryPath(t);
    storeWith(t, path, B);
    const modalities = MODALITIES.map((modality) => ({ ...modality, samples: 64 }));
    const { learner } = learnerOn(t, path, {
      settings: { ...SETTINGS, storePath: path, modalities },
    });
    await assert.rejects(learner.runRound(PLAN, GLOBAL, never()), {
      name: 'AppError',
      code: 'shape-mismatch',
      message: /64 samples here and 128/,
      where: 'acc',
      hint: /window\.seconds/,
    });
    assert.equal(learner.stats().died, 0);
  },
);

test(
  'a database that cannot be read is an error with a place and a hint, not a crash loop, and stays where it is',
  LIMIT,
  async (t) => {
    const path = temporaryPath(t);
    writeFileSync(path, 'this is no database, whatever its name says. '.repeat(100));
    const { learner } = learnerOn(t, path);
    await assert.rejects(learner.runRound(PLAN, GLOBAL, never()), {
      name: 'AppError',
      code: 'storage-failed',
      where: path,
      hint: /Restart the agent/,
    });
    assert.equal(learner.stats().died, 0);
    assert.match(readFileSync(path, 'utf8'), /this is no database/);
  },
);
