import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createEventQueue } from '../../agent/sensors/event-queue.ts';
import type { StreamEvent } from '../../core/stream/event.ts';

const block = (tUs: number): StreamEvent => ({
  kind: 'samples',
  modality: 0,
  tUs: Float64Array.of(tUs, tUs + 1),
  values: new Float32Array(2),
});
const label = (tUs: number, name: string): StreamEvent => ({ kind: 'label', tUs, label: name });
const say = (event: StreamEvent) => (event.kind === 'label' ? `${event.label}` : Number(event.tUs[0]));

async function taken(queue: ReturnType<typeof createEventQueue>, count: number): Promise<(string | number)[]> {
  const stopping = new AbortController();
  const said: (string | number)[] = [];
  for await (const event of queue.take(stopping.signal)) {
    said.push(say(event));
    if (said.length === count) stopping.abort();
  }
  return said;
}

test('hands on what comes before and while it is taken, in order', async () => {
  const queue = createEventQueue(10);
  queue.push(block(1));
  const all = taken(queue, 3);
  await new Promise(setImmediate);
  queue.push(label(2, 'walking'));
  queue.push(block(3));
  assert.deepEqual(await all, [1, 'walking', 3]);
});

test('nobody takes: the oldest samples go and are counted, the label that holds stays', async () => {
  const queue = createEventQueue(3);
  queue.push(label(0, 'sitting'));
  queue.push(block(1));
  queue.push(label(2, 'walking'));
  for (const tUs of [3, 5, 7, 9]) queue.push(block(tUs));
  assert.equal(queue.overrun(), 4);
  assert.deepEqual(await taken(queue, 4), ['walking', 5, 7, 9]);
});

test('labels alone do not pile up', async () => {
  const queue = createEventQueue(3);
  for (let i = 0; i < 1000; i++) queue.push(label(i, `label ${i}`));
  queue.push(block(2000));
  assert.deepEqual(await taken(queue, 2), ['label 999', 2000]);
});

test('a failure reaches the taker after what was queued', async () => {
  const queue = createEventQueue(3);
  queue.push(block(1));
  queue.fail(new Error('defect'));
  const said: unknown[] = [];
  await assert.rejects(async () => {
    for await (const event of queue.take(new AbortController().signal)) said.push(say(event));
  }, /defect/);
  assert.deepEqual(said, [1]);
});

test('an abort ends a taker that waits', async () => {
  const queue = createEventQueue(3);
  const stopping = new AbortController();
  const ended = (async () => {
    for await (const event of queue.take(stopping.signal)) assert.fail(`${say(event)}`);
  })();
  await new Promise(setImmediate);
  stopping.abort();
  await ended;
});
