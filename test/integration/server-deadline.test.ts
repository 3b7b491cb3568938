/** Rounds that close without everyone, on a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { encodeUpdate } from '../../core/wire/messages.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { answerTo } from '../fixtures/scripted-board.ts';
import { createFleet } from '../fixtures/scripted-fleet.ts';

test('a quorum closes the round without the slow board, whose answer is late', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 3, maxRounds: 1, quorum: 0.6 } });
  await fleet.startAggregator();
  const slow = fleet.board('slow', { answer: () => null });
  for (const board of [slow, fleet.board('a'), fleet.board('b')]) await board.start();
  await fleet.aggregator().finished;
  for (const { devices } of fleet.records) assert.deepEqual(devices, ['a', 'b']);
  await slow.until(({ plans }) => plans.at(-1)?.kind === 'finished');
  const plan = slow.plans.find(({ round }) => round === 1);
  assert.ok(plan !== undefined);
  await slow.send(encodeUpdate(answerTo(plan, 'slow')));
  await slow.until(({ receipts }) => receipts.length > 0);
  assert.equal(slow.receipts[0]?.reason, 'late');
});

test('the deadline closes the round without the dead board, a deadline without anyone is set again', async (t) => {
  const clock = createManualClock();
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 1, deadlineMs: 60_000 }, clock });
  await fleet.startAggregator();
  let isMute = true;
  const dead = fleet.board('dead', { answer: () => null });
  const alive = fleet.board('alive', { answer: (plan) => (isMute ? null : encodeUpdate(answerTo(plan, 'alive'))) });
  await dead.start();
  await alive.start();
  await alive.until(({ plans }) => plans.length === 1);

  await clock.advance(60_000);
  assert.equal(fleet.records.length, 0);
  isMute = false;
  const [first] = alive.plans;
  assert.ok(first !== undefined);
  assert.equal(first.deadlineMs, 60_000);
  await alive.send(encodeUpdate(answerTo(first, 'alive')));
  await alive.until(({ receipts }) => receipts.length === 1);
  assert.equal(fleet.records.length, 0);
  await clock.advance(60_000);
  await alive.until(({ closed }) => closed.length === 1);
  assert.deepEqual(fleet.records[0]?.devices, ['alive']);
  assert.equal(fleet.records[0]?.durationMs, 120_000);

  await alive.until(({ receipts }) => receipts.length === 2);
  await clock.advance(60_000);
  assert.deepEqual(await fleet.aggregator().finished, { version: 1, rounds: 2, complete: true });
});

test('a board that comes while a round is open is counted, but does not close it for those who were asked', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 1, maxRounds: 1 } });
  await fleet.startAggregator();
  const asked = fleet.board('asked', { answer: () => null });
  await asked.start();
  await asked.until(({ plans }) => plans.length === 1);
  const newcomer = fleet.board('newcomer');
  await newcomer.start();
  await newcomer.until(({ receipts }) => receipts.length === 1);
  assert.equal(fleet.records.length, 0);
  const [plan] = asked.plans;
  assert.ok(plan !== undefined);
  await asked.send(encodeUpdate(answerTo(plan, 'asked')));
  await newcomer.until(({ closed }) => closed.length === 1);
  assert.deepEqual(fleet.records[0]?.devices, ['asked', 'newcomer']);
});

test('a board that goes offline between rounds holds the others up for one deadline, not for ever', async (t) => {
  const clock = createManualClock();
  const config = { minBoards: 2, maxRounds: 2, quorum: 0.5, deadlineMs: 60_000 };
  const fleet = createFleet(t, { config, clock });
  await fleet.startAggregator();
  const dying = fleet.board('dying', { answer: () => null });
  const alive = fleet.board('alive', {
    answer: (plan) => (plan.round === 0 ? null : encodeUpdate(answerTo(plan, 'alive'))),
  });
  await dying.start();
  await alive.start();
  await alive.until(({ plans }) => plans.length === 1);
  await dying.say('offline');
  const [first] = alive.plans;
  assert.ok(first !== undefined);
  await alive.send(encodeUpdate(answerTo(first, 'alive')));
  await alive.until(({ closed }) => closed.length === 1);
  while (alive.closed.length < 3) {
    await clock.advance(60_000); // of no effect until the aggregator has begun to wait
    await setImmediate();
  }
  assert.deepEqual(await fleet.aggregator().finished, { version: 2, rounds: 3, complete: true });
});
