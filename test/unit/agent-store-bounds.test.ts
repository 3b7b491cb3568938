/** The board's database within bounds: flat at the cap, what is missed least goes first, everything that goes is counted. */
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import {
  type AgentStore,
  type IngestBatch,
  type IngestOutcome,
  type MeasuredWindow,
  openAgentStore,
  type StoreBounds,
} from '../../agent/store/agent-store.ts';
import { AppError } from '../../core/base/errors.ts';
import { type Log, silentLog } from '../../core/base/log.ts';
import type { SampleBlock } from '../../core/stream/event.ts';
import { temporaryPath } from '../fixtures/stored-motion.ts';

const DAY_US = 86_400e6;
const CAP: StoreBounds = { capBytes: 8e6, maxAgeUs: 365 * DAY_US, policy: 'drop-oldest' };
const ALL = { afterIndex: -1, classes: ['walk'] };
/** Seconds of stream in a batch: some 50 kB of stream and as much of windows. */
const STEP = 20;

function block(modality: number, fromSecond: number): SampleBlock {
  const tUs = Float64Array.from({ length: STEP * 100 }, (_, i) => fromSecond * 1e6 + i * 10_000);
  return { kind: 'samples', modality, tUs, values: new Float32Array(3 * tUs.length).fill(fromSecond) };
}

function window(index: number, tStartUs: number): MeasuredWindow {
  const values = [0, 1].map(() => new Float32Array(768).fill(index));
  return { index, tStartUs, label: 'walk', values, completeness: [1, 1], quality: [1, 1], measures: [null, null] };
}

/** The n-th batch: `STEP` seconds of both modalities and eight windows that begin in them. */
function batch(n: number, more: Partial<IngestBatch> = {}): IngestBatch {
  const windows = Array.from({ length: 8 }, (_, i) => window(8 * n + i, (n * STEP + 2.5 * i) * 1e6));
  const position = { nextIndex: 8 * (n + 1), resumeAtUs: (n + 1) * STEP * 1e6, streamEnded: false };
  return { blocks: [block(0, n * STEP), block(1, n * STEP)], windows, position, ...more };
}

function open(t: TestContext, bounds: StoreBounds, log: Log = silentLog) {
  const path = temporaryPath(t);
  const store = openAgentStore(path, { bounds, log });
  t.after(() => store.close());
  return { path, store };
}

function fill(store: AgentStore, from: number, to: number, more?: Partial<IngestBatch>): Set<IngestOutcome> {
  return new Set(Array.from({ length: to - from }, (_, i) => store.ingest(batch(from + i, more))));
}

function commit(store: AgentStore, round: number, used: readonly number[]): void {
  const key = { round, seq: round };
  const params = Float32Array.of(round);
  const checkpoint = { ...key, cursor: used.at(-1) ?? -1, modelVersion: round, params, residual: params };
  store.commitTraining(checkpoint, { ...key, payload: new Uint8Array(10) }, used);
}

function losses(store: AgentStore): Record<string, number> {
  return Object.fromEntries(store.losses().map(({ cause, kind, count }) => [`${cause} ${kind}`, count]));
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function firstSecond(store: AgentStore): number {
  const [oldest] = store.readStream(0);
  return Number(oldest?.tUs[0]) / 1e6;
}

function messages(): { log: Log; told: string[] } {
  const told: string[] = [];
  const tell = (_: object, message: string) => void told.push(message);
  return { log: { debug: tell, info: tell, warn: tell, error: tell }, told };
}

const isStorageError = (error: unknown) => error instanceof AppError && error.code === 'storage-failed';

test('at the cap the file stays as large as it is, the newest is kept, and the change is told once', (t) => {
  const { log, told } = messages();
  const { path, store } = open(t, CAP, log);
  const sizes = range(0, 120).map((n) => {
    assert.equal(store.ingest(batch(n)), 'stored');
    return { file: statSync(path).size, all: statSync(path).size + statSync(`${path}-wal`).size };
  });
  assert.ok(Math.max(...sizes.map(({ all }) => all)) <= CAP.capBytes, 'file and log are below the cap');
  assert.ok(Number(sizes.at(-1)?.file) > 2.5e6, 'the cap is made use of');
  assert.ok(Number(sizes.at(-1)?.file) < 1.01 * Number(sizes.at(-60)?.file), 'flat');
  const samples = [...store.readStream(0)].reduce((sum, { tUs }) => sum + tUs.length, 0);
  const { 'cap samples': dropped = 0, 'cap unused-windows': windows = 0 } = losses(store);
  assert.equal(samples + dropped, 120 * STEP * 200, 'every sample is there or counted');
  assert.equal(store.countWindows(ALL) + windows, 120 * 8, 'every window is there or counted');
  assert.equal([...store.readStream(0)].at(-1)?.tUs.at(-1), 120 * STEP * 1e6 - 10_000, 'the newest sample is there');
  assert.deepEqual(told, ['buffer nearly full: the oldest makes room']);
});

test('windows that the learner is done with go first, then the stream beyond its newest hour, then the oldest', (t) => {
  const { store } = open(t, CAP);
  const hoursApart = (n: number) => ({ blocks: [block(0, n * 1000), block(1, n * 1000)] });
  let n = 0;
  for (; n < 10; n++) store.ingest(batch(n, hoursApart(n)));
  commit(store, 1, range(0, 80));
  while (store.losses().length === 0) store.ingest(batch(n, hoursApart(n++)));
  assert.deepEqual(Object.keys(losses(store)), ['cap used-windows']);
  assert.equal(firstSecond(store), 0, 'not a sample yet');
  while (losses(store)['cap samples'] === undefined) store.ingest(batch(n, hoursApart(n++)));
  assert.equal(losses(store)['cap used-windows'], 80, 'all that were used are gone before the first sample goes');
  assert.equal(losses(store)['cap unused-windows'], undefined);
  while (losses(store)['cap unused-windows'] === undefined) store.ingest(batch(n, hoursApart(n++)));
  const newestSecond = (n - 1) * 1000 + STEP;
  const oldest = firstSecond(store);
  assert.ok(
    oldest >= newestSecond - 3600 - 1000,
    `stream of the newest hour is left: from ${oldest} of ${newestSecond}`,
  );
  assert.ok(oldest <= newestSecond - 2000, 'an hour of stream was spared while windows went');
});

test('age takes stream and windows, used or not, whatever room there is', (t) => {
  const { path, store } = open(t, { ...CAP, capBytes: 1e9, maxAgeUs: 600e6 });
  fill(store, 0, 20);
  commit(store, 1, range(0, 16));
  fill(store, 20, 60);
  const oldest = firstSecond(store);
  assert.ok(oldest >= 1200 - 600 - 61 - STEP && oldest <= 1200 - 600, `kept from second ${oldest} of 1200 on`);
  const kept = store.nextWindows({ ...ALL, limit: 1 })[0];
  assert.ok(Math.abs(Number(kept?.tStartUs) / 1e6 - oldest) < 10, 'windows and stream begin together');
  const lost = losses(store);
  assert.equal(lost['age used-windows'], 16);
  assert.equal(lost['age unused-windows'], Number(kept?.index) - 16);
  store.ingest(batch(60));
  const reopened = openAgentStore(path, { owner: false });
  assert.equal(reopened.losses().length, 3, 'the counts are in the file');
  reopened.close();
});

test('with the policy stop nothing new is stored at the cap; sampling goes on, labels and faults are kept, the rest is counted', (t) => {
  const { log, told } = messages();
  const { path, store } = open(t, { ...CAP, policy: 'stop' }, log);
  let n = 0;
  while (store.ingest(batch(n)) === 'stored') n++;
  const kept = store.countWindows(ALL);
  const size = statSync(path).size;
  const label = { kind: 'label', tUs: n * STEP * 1e6, label: 'sit' } as const;
  assert.deepEqual(fill(store, n + 1, n + 5, { labels: [label] }), new Set(['stop']));
  assert.equal(store.countWindows(ALL), kept);
  assert.equal(firstSecond(store), 0);
  assert.equal(statSync(path).size, size);
  assert.deepEqual(losses(store), { 'stop samples': 5 * STEP * 200, 'stop unused-windows': 40 });
  assert.equal(store.ingestPosition()?.nextIndex, 8 * (n + 5), 'the index of a window is not given twice');
  assert.deepEqual(told, ['buffer full: nothing new is stored']);
});

test('with the policy stop, age makes room: storing goes on, and each change is told once', (t) => {
  const { log, told } = messages();
  const { store } = open(t, { capBytes: 20e6, policy: 'stop', maxAgeUs: 3500e6 }, log);
  const outcomes = range(0, 300).map((n) => store.ingest(batch(n)));
  const changes = outcomes.filter((outcome, i) => outcome !== (outcomes[i - 1] ?? 'stored'));
  assert.deepEqual(changes.slice(0, 2), ['stop', 'stored']);
  assert.ok(changes.length < 6, `${changes.length} changes`);
  const texts = { stop: 'buffer full: nothing new is stored', stored: 'buffer has room again' };
  assert.deepEqual(
    told,
    changes.map((change) => texts[change as keyof typeof texts]),
  );
});

test('the log of uses is shortened with its windows, and yet no window is used twice', (t) => {
  const { store } = open(t, CAP);
  fill(store, 0, 10);
  commit(store, 1, range(0, 40));
  commit(store, 2, range(40, 80));
  fill(store, 10, 60);
  assert.equal(store.windowUses().length, 0);
  commit(store, 3, range(480, 484));
  assert.throws(() => commit(store, 4, [483]), isStorageError);
  assert.throws(() => commit(store, 4, [3]), isStorageError, 'a use that the log has forgotten');
  assert.equal(store.checkpoint()?.round, 3);
});

test('a window that is dropped between being taken and being committed is used all the same', (t) => {
  const { path, store } = open(t, CAP);
  const learner = openAgentStore(path, { owner: false });
  fill(store, 0, 10);
  const taken = learner.nextWindows({ ...ALL, limit: 8 }).map(({ index }) => index);
  fill(store, 10, 100);
  assert.ok(Number(store.nextWindows({ ...ALL, limit: 1 })[0]?.index) > 8);
  commit(learner, 1, taken);
  assert.equal(store.checkpoint()?.cursor, 7);
  assert.deepEqual(
    store.pending().map(({ round }) => round),
    [1],
  );
  fill(store, 100, 110);
  assert.throws(() => commit(learner, 2, taken), isStorageError);
  learner.close();
});

test('a cap that was lowered is reached at the next start, and the disk gets its room back', (t) => {
  const { path, store } = open(t, { ...CAP, capBytes: 20e6 });
  fill(store, 0, 110);
  assert.ok(statSync(path).size + statSync(`${path}-wal`).size > 12e6);
  store.close();
  const { log, told } = messages();
  const lowered = openAgentStore(path, { bounds: CAP, log });
  assert.ok(statSync(path).size + statSync(`${path}-wal`).size < CAP.capBytes);
  assert.deepEqual(told, ['database compacted']);
  assert.equal([...lowered.readStream(0)].at(-1)?.tUs.at(-1), 110 * STEP * 1e6 - 10_000);
  assert.equal(lowered.ingest(batch(110)), 'stored');
  lowered.close();
});

test('an ingest removes a bounded number of rows, so that a cap lowered by much stalls nothing', (t) => {
  const { path, store } = open(t, { ...CAP, capBytes: 20e6 });
  fill(store, 0, 110);
  const tighter = openAgentStore(path, { owner: false, bounds: CAP }); // not its owner: nothing is done at the start
  const before = store.countWindows(ALL);
  tighter.ingest(batch(110));
  const dropped = tighter
    .losses()
    .reduce((sum, { kind, count }) => sum + (kind === 'samples' ? count / 100 : count), 0);
  assert.ok(dropped > 100 && dropped <= 256 + 2 * 56 + 16, `${dropped} rows`);
  fill(tighter, 111, 140);
  assert.ok(store.countWindows(ALL) < before / 2, 'over many ingests the cap is reached');
  tighter.close();
});

test('without bounds everything is kept', (t) => {
  const store = openAgentStore(temporaryPath(t));
  fill(store, 0, 110);
  assert.equal(store.countWindows(ALL), 880);
  assert.deepEqual(store.losses(), []);
  store.close();
});

test('faults come back in order; of very many the newest are kept', (t) => {
  const { store } = open(t, CAP);
  const fault = (tUs: number) =>
    ({ tUs, chip: 'mpu6050', fault: 'no-answer', phase: 'raised', modalities: ['acc', 'gyr'], detail: '' }) as const;
  for (let n = 0; n < 12; n++) store.ingest(batch(0, { faults: range(n * 1000, (n + 1) * 1000).map(fault) }));
  assert.deepEqual(store.faults(2), [fault(11_998), fault(11_999)]);
  assert.equal(store.faults(1e6).length, 10_000);
});
