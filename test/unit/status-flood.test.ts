/** Status messages that nobody asked for, by the hundred: the log stays readable, and says how many there were. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../../core/base/log.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createFleet, FLEET } from '../fixtures/scripted-fleet.ts';

test('a flood of status messages is a line for each cause at once, and one a minute with their number', async (t) => {
  const clock = createManualClock();
  const lines: Record<string, unknown>[] = [];
  const log = { ...silentLog, warn: (fields: object, message: string) => void lines.push({ message, ...fields }) };
  const fleet = createFleet(t, { clock, log });
  await fleet.startAggregator();
  const intruder = fleet.broker.transport({ clientId: 'intruder', clean: true });
  await intruder.start(new AbortController().signal);
  t.after(() => intruder.stop());
  const flood = async (count: number) => {
    for (let i = 0; i < count; i++) await intruder.publish(FLEET.status(`x-${i}`), Uint8Array.of(255, i), { qos: 1 });
    await clock.advance(0);
  };
  await flood(200);
  assert.deepEqual(
    lines.map(({ message, topic, times }) => [message, topic, times]),
    [['status not understood', FLEET.status('x-0'), undefined]],
  );
  await clock.advance(60_000);
  assert.deepEqual([lines.length, lines[1]?.['times'], lines[1]?.['topic']], [2, 199, FLEET.status('x-199')]);
  await clock.advance(600_000);
  assert.equal(lines.length, 2, 'nothing came: nothing is said');
  await flood(1);
  assert.equal(lines.length, 3);
  await flood(5);
  await fleet.stopAggregator();
  assert.deepEqual([lines.length, lines[3]?.['times']], [4, 5], 'what has gathered is said at the stop');
});
