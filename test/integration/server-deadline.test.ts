/** Rounds that close without everyone, on a clock that the test moves. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { RoundPlan } from '../../core/wire/downlink.ts';
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

test('a board that let a deadline pass is not waited for until it is heard of again', async (t) => {
  const clock = createManualClock();
  const fleet = createFleet(t, { config: { minBoards: 3, maxRounds: 4, deadlineMs: 60_000 }, clock });
  await fleet.startAggregator();
  const silent = fleet.board('silent', { answer: () => null });
  const held = fleet.board('held', {
    answer: (plan) => (plan.round === 2 ? null : encodeUpdate(answerTo(plan, 'held'))),
  });
  const alive = fleet.board('alive');
  for (const board of [silent, held, alive]) await board.start();
  const untilRound = async (round: number) => {
    await alive.until(({ plans }) => plans.at(-1)?.round === round);
    await held.until(({ plans }) => plans.at(-1)?.round === round);
  };
  await alive.until(({ receipts }) => receipts.length === 1);
  await held.until(({ receipts }) => receipts.length === 1);
  assert.equal(fleet.records.length, 0, 'round 0 waits for all three');
  await clock.advance(60_000);
  // Nothing moves the clock from here on: round 1 neither waits for the silent board to come nor for its answer.
  await untilRound(2);
  assert.deepEqual(fleet.records[1]?.devices, ['alive', 'held']);
  assert.equal(fleet.records[1]?.durationMs, 0);

  // A sign of life is enough to be asked again: an update that cannot be counted, while round 2 waits for another.
  await alive.until(({ receipts }) => receipts.length === 3);
  const [first] = silent.plans;
  assert.ok(first !== undefined);
  await silent.send(encodeUpdate(answerTo(first, 'silent')));
  await silent.until(({ receipts }) => receipts.length === 1);
  assert.equal(silent.receipts[0]?.reason, 'late');
  const [plan] = held.plans.slice(-1);
  assert.ok(plan?.round === 2);
  await held.send(encodeUpdate(answerTo(plan, 'held')));
  await untilRound(3);
  await alive.until(({ receipts }) => receipts.length === 4);
  await held.until(({ receipts }) => receipts.length === 4);
  assert.equal(fleet.records.length, 3, 'round 3 waits for the board that was heard of');
  await clock.advance(60_000);
  await fleet.aggregator().finished;
  assert.deepEqual(
    fleet.records.map(({ durationMs }) => durationMs),
    [60_000, 0, 0, 60_000, 0],
  );
});

test('where only boards are left that let a deadline pass, they are asked all the same', async (t) => {
  const clock = createManualClock();
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 1, deadlineMs: 60_000 }, clock });
  await fleet.startAggregator();
  const slow = fleet.board('slow', {
    answer: (plan) => (plan.round === 0 ? null : encodeUpdate(answerTo(plan, 'slow'))),
  });
  const ending = fleet.board('ending', { answer: (plan) => encodeUpdate(answerTo(plan, 'ending', true)) });
  await slow.start();
  await ending.start();
  await ending.until(({ receipts }) => receipts.length === 1);
  await clock.advance(60_000);
  await fleet.aggregator().finished;
  assert.deepEqual(fleet.records[0]?.devices, ['ending']);
  assert.ok(fleet.records[1]?.devices.includes('slow'));
});

test('a board that was asked only after a deadline had passed in vain is not waited for either when it lets the next one pass', async (t) => {
  const clock = createManualClock();
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 1, deadlineMs: 60_000 }, clock });
  await fleet.startAggregator();
  let isMute = true;
  const alive = fleet.board('alive', { answer: (plan) => (isMute ? null : encodeUpdate(answerTo(plan, 'alive'))) });
  const [dead, newcomer] = ['dead', 'newcomer'].map((name) => fleet.board(name, { answer: () => null }));
  for (const board of [alive, dead]) await board?.start();
  await alive.until(({ plans }) => plans.length === 1);
  await newcomer?.start();
  await clock.advance(60_000);
  assert.deepEqual(fleet.store().openRound()?.asked, ['alive', 'dead', 'newcomer']);
  isMute = false;
  await alive.send(encodeUpdate(answerTo(alive.plans[0] as RoundPlan, 'alive')));
  await alive.until(({ receipts }) => receipts.length === 1);
  await clock.advance(60_000);
  await fleet.aggregator().finished; // nothing moves the clock from here on
  assert.deepEqual(fleet.records[1]?.devices, ['alive']);
  assert.equal(fleet.records[1]?.durationMs, 0);
});
