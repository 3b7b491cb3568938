/** What reaches the store when samples do not come, and when a board is stopped. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPipeline } from '../../agent/pipeline.ts';
import { createEventQueue } from '../../agent/sensors/event-queue.ts';
import type { AgentStore, IngestBatch } from '../../agent/store/agent-store.ts';
import { createRecorder } from '../../agent/stream/recorder.ts';
import { windowModalities } from '../../agent/stream/window-modalities.ts';
import { silentLog } from '../../core/base/log.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const HEADER = { modalities: [{ name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50 }] };
const UNPLUGGED = {
  tUs: 1e6,
  chip: 'adxl345@1:0x53',
  fault: 'unplugged',
  phase: 'raised',
  modalities: ['acc'],
  detail: 'no answer for a second',
} as const;

async function board(finite: boolean, ingest: (batch: IngestBatch) => void = () => undefined) {
  const clock = createManualClock();
  const queue = createEventQueue(100);
  const stored: IngestBatch[] = [];
  const recorder = createRecorder({
    header: HEADER,
    modalities: windowModalities(HEADER, 2.56),
    windowSeconds: 2.56,
    overlap: 0.5,
    flushSeconds: 1,
    position: null,
    qualityState: null,
  });
  const store: Pick<AgentStore, 'ingest' | 'ingestPosition'> = {
    ingest(batch) {
      ingest(batch);
      stored.push(batch);
      return 'stored';
    },
    ingestPosition: () => null,
  };
  const never = new Promise<void>(() => undefined);
  const pipeline = createPipeline({
    sensor: { header: HEADER, finite, events: (_, signal) => queue.take(signal) },
    recorder,
    store: store as AgentStore,
    session: {
      finished: never,
      classes: () => null,
      usableWindows: () => null,
      reconnects: () => 0,
      start: async () => undefined,
      stop: async () => undefined,
    },
    arrived: () => undefined,
    clock,
    log: silentLog,
  });
  await pipeline.start(new AbortController().signal);
  return { clock, queue, recorder, stored, pipeline };
}

const samples = (n: number) =>
  ({
    kind: 'samples',
    modality: 0,
    tUs: Float64Array.from({ length: n }, (_, i) => 20_000 * i),
    values: new Float32Array(3 * n),
  }) as const;

test('all sensors unplugged: the fault is stored within seconds, once, and nothing more', async () => {
  const { clock, recorder, stored, pipeline } = await board(false);
  await clock.advance(60_000);
  assert.equal(stored.length, 0);
  recorder.pushFault(UNPLUGGED);
  await clock.advance(5000);
  assert.deepEqual(
    stored.map(({ faults }) => faults),
    [[UNPLUGGED]],
  );
  await clock.advance(60_000);
  assert.equal(stored.length, 1);
  await pipeline.stop();
});

test('a label that is said while no samples come is stored', async () => {
  const { clock, queue, stored, pipeline } = await board(false);
  queue.push({ kind: 'label', tUs: 5, label: 'walking' });
  await clock.advance(6000);
  assert.deepEqual(stored[0]?.labels, [{ kind: 'label', tUs: 5, label: 'walking' }]);
  await pipeline.stop();
});

test('a board that is stopped keeps the samples of its last second; a recording will give them again', async () => {
  for (const finite of [false, true]) {
    const { clock, queue, stored, pipeline } = await board(finite);
    queue.push(samples(10));
    await clock.advance(100);
    assert.equal(stored.length, 0);
    await pipeline.stop();
    assert.deepEqual(
      stored.flatMap(({ blocks }) => blocks.map(({ tUs }) => tUs.length)),
      finite ? [] : [10],
    );
    assert.ok(stored.every(({ position }) => !position.streamEnded));
  }
});

test('a store that fails ends the agent with its reason, also when no samples come', async () => {
  const { clock, recorder, pipeline } = await board(false, () => {
    throw new Error('the disk is gone');
  });
  recorder.pushFault(UNPLUGGED);
  const finished = assert.rejects(pipeline.finished, /the disk is gone/);
  await clock.advance(5000);
  await finished;
});
