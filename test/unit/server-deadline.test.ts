/** When a round closes, on a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Progress, quorumOf, waitForClose } from '../../server/deadline.ts';
import { createPulse } from '../../server/pulse.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

function scene(options: { quorum?: number; deadlineMs?: number; capacity?: number; expected: number }) {
  const { quorum = 1, deadlineMs = 1000, capacity = 100 } = options;
  const clock = createManualClock();
  const pulse = createPulse();
  const state: { -readonly [K in keyof Progress]: number } = { counted: 0, answered: 0, expected: options.expected };
  const running = new AbortController();
  let vain = 0;
  let cause: string | null = null;
  const onVain = () => void vain++;
  const progress = () => state;
  let isAskedToClose = false;
  const isClosing = () => isAskedToClose;
  const parts = { clock, quorum, capacity, deadlineMs, progress, isClosing, pulse, onVain };
  const closing = waitForClose(parts, running.signal);
  const closed = closing.then(
    (result) => {
      cause = result;
    },
    (error) => {
      cause = String(error);
    },
  );
  return {
    clock,
    running,
    closed,
    vain: () => vain,
    cause: () => cause,
    async askToClose() {
      isAskedToClose = true;
      pulse.beat();
      await new Promise((resolve) => setImmediate(resolve));
    },
    async change(change: Partial<Progress>) {
      Object.assign(state, change);
      pulse.beat();
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}

test('a quorum of those asked closes the round before its deadline', async () => {
  const { change, cause } = scene({ quorum: 0.5, expected: 5 });
  await change({ counted: 2, answered: 2 });
  assert.equal(cause(), null);
  await change({ counted: 3, answered: 3 });
  assert.equal(cause(), 'quorum');
});

test('boards that were not asked are counted but make no quorum', async () => {
  const { change, cause } = scene({ expected: 2 });
  await change({ counted: 5, answered: 1 });
  assert.equal(cause(), null);
  await change({ counted: 6, answered: 2 });
  assert.equal(cause(), 'quorum');
});

test('the deadline closes with whoever has answered', async () => {
  const { change, cause, clock } = scene({ expected: 3 });
  await change({ counted: 1, answered: 1 });
  await clock.advance(999);
  assert.equal(cause(), null);
  await clock.advance(1);
  assert.equal(cause(), 'deadline');
});

test('a deadline without an answer is set again, as often as it takes', async () => {
  const { change, cause, clock, vain } = scene({ expected: 3 });
  await clock.advance(1000);
  await clock.advance(1000);
  assert.equal(cause(), null);
  assert.equal(vain(), 2);
  await change({ counted: 1, answered: 1 });
  assert.equal(cause(), null);
  await clock.advance(1000);
  assert.equal(cause(), 'deadline');
});

test('without a deadline only the quorum closes', async () => {
  const { change, cause, clock } = scene({ deadlineMs: 0, expected: 2 });
  await change({ counted: 1, answered: 1 });
  await clock.advance(1e9);
  assert.equal(cause(), null);
  await change({ expected: 1 });
  assert.equal(cause(), 'quorum');
});

test('nobody is left', async () => {
  const { change, cause } = scene({ expected: 1 });
  await change({ expected: 0 });
  assert.equal(cause(), 'nobody');
});

test('a full round closes', async () => {
  const { change, cause } = scene({ expected: 500, capacity: 100 });
  await change({ counted: 100, answered: 100 });
  assert.equal(cause(), 'quorum');
});

test('an abort ends the wait with its reason', async () => {
  const { running, closed, cause } = scene({ expected: 1 });
  running.abort(new Error('stopped'));
  await closed;
  assert.equal(cause(), 'Error: stopped');
});

test('quorums are not off by one for want of decimal fractions', () => {
  assert.equal(quorumOf(10, 0.7), 7);
  assert.equal(quorumOf(100, 0.07), 7);
  assert.equal(quorumOf(3, 0.5), 2);
  assert.equal(quorumOf(21, 1), 21);
  assert.equal(quorumOf(5, 0.01), 1);
});
