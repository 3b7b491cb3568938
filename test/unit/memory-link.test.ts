/** The faults of the link in memory: each does what it says, and the same seed does the same again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { AppError } from '../../core/base/errors.ts';
import { createMemoryBroker, type MemoryBrokerOptions } from '../../core/link/memory.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

/** What a subscriber gets of twenty messages, and how many publishes were acknowledged. */
async function exchange(options: MemoryBrokerOptions) {
  const broker = createMemoryBroker(options);
  const [from, to] = ['from', 'to'].map((clientId) => broker.transport({ clientId, clean: true }));
  assert.ok(from !== undefined && to !== undefined);
  for (const link of [from, to]) await link.start(new AbortController().signal);
  const got: number[] = [];
  await to.subscribe('t', ({ payload }) => void got.push(Number(payload[0])));
  const sent = Array.from({ length: 20 }, (_, i) =>
    from.publish('t', Uint8Array.of(i), { qos: 1 }).then(
      () => true,
      (error: unknown) => !(error instanceof AppError && error.code === 'link-unavailable'),
    ),
  );
  const acknowledged = (await Promise.all(sent)).filter((isThere) => isThere).length;
  for (let i = 0; i < 20; i++) await turn();
  return { got, acknowledged };
}

const ALL = Array.from({ length: 20 }, (_, i) => i);

test('without faults all come, once, in order', async () => {
  assert.deepEqual(await exchange({}), { got: ALL, acknowledged: 20 });
});

test('loss: some do not come, and some that came are not acknowledged', async () => {
  const { got, acknowledged } = await exchange({ seed: 3, loss: 0.3 });
  assert.ok(got.length > 0 && got.length < 20 && acknowledged > 0 && acknowledged < 20);
  assert.deepEqual(await exchange({ loss: 1 }), { got: [], acknowledged: 0 });
});

test('duplicates: every hop doubles', async () => {
  const { got } = await exchange({ duplicate: 1 });
  assert.equal(got.length, 80);
});

test('reordering: all come, in another order', async () => {
  const { got } = await exchange({ seed: 1, reorder: 1 });
  assert.notDeepEqual(got, ALL);
  assert.deepEqual(
    [...got].sort((a, b) => a - b),
    ALL,
  );
});

test('delay: nothing comes before the clock moves, all after two hops', async () => {
  const clock = createManualClock();
  let isOver = false;
  const running = exchange({ seed: 1, delayMs: 1000, clock }).finally(() => (isOver = true));
  for (let i = 0; i < 100; i++) await turn();
  assert.equal(isOver, false);
  await clock.advance(5000);
  const { got } = await running;
  assert.deepEqual(
    [...got].sort((a, b) => a - b),
    ALL,
  );
});

test('the same seed and the same calls: the same faults', async () => {
  const faults = { loss: 0.2, duplicate: 0.2, reorder: 0.3 };
  assert.deepEqual(await exchange({ seed: 9, ...faults }), await exchange({ seed: 9, ...faults }));
  assert.notDeepEqual(await exchange({ seed: 9, ...faults }), await exchange({ seed: 10, ...faults }));
});
