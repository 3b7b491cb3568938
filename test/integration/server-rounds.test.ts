/** The aggregator leads scripted boards through rounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { encodeStatus, encodeUpdate } from '../../core/wire/messages.ts';
import { answerTo } from '../fixtures/scripted-board.ts';
import { bitsOf, createFleet, FLEET } from '../fixtures/scripted-fleet.ts';

const DEVICES = ['board-1', 'board-2', 'board-3', 'board-4'];

test('statistics, then training, until the stream of every board has ended', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 4 } });
  await fleet.startAggregator();
  const boards = DEVICES.map((device, i) => fleet.board(device, { rounds: 2 + (i % 2) }));
  for (const board of boards) await board.start();

  const outcome = await fleet.aggregator().finished;
  assert.deepEqual(outcome, { version: 3, rounds: 4, complete: true });
  assert.deepEqual(
    fleet.records.map(({ round, kind, version, devices }) => ({ round, kind, version, devices })),
    [
      { round: 0, kind: 'statistics', version: 0, devices: DEVICES },
      { round: 1, kind: 'training', version: 1, devices: DEVICES },
      { round: 2, kind: 'training', version: 2, devices: DEVICES },
      { round: 3, kind: 'training', version: 3, devices: ['board-2', 'board-4'] },
    ],
  );
  assert.equal(fleet.records[0]?.online, null);
  assert.ok((fleet.records[1]?.bytes.model ?? 0) > 0);
  for (const board of boards) await board.until(({ plans }) => plans.at(-1)?.kind === 'finished');
  for (const board of boards) {
    assert.ok(board.receipts.every(({ verdict }) => verdict === 'accepted'));
    assert.equal(board.receipts.length, board === boards[1] || board === boards[3] ? 4 : 3);
  }
  assert.deepEqual(
    boards[0]?.closed.map(({ round, accepted }) => [round, accepted.length]),
    [
      [0, 4],
      [1, 4],
      [2, 4],
      [3, 2],
    ],
  );
});

test('the number of training rounds ends the run', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 3 } });
  await fleet.startAggregator();
  for (const device of ['a', 'b']) await fleet.board(device).start();
  assert.deepEqual(await fleet.aggregator().finished, { version: 3, rounds: 4, complete: true });
});

test('the same bits whatever the order of arrival, with duplicates on the way', async (t) => {
  const results = new Set<string>();
  const losses = new Set<number | undefined>();
  for (const seed of [1, 2, 3, 4, 5]) {
    const fleet = createFleet(t, {
      config: { minBoards: 4, maxRounds: 3 },
      broker: seed === 1 ? {} : { seed, duplicate: 0.3, delayMs: 3 },
    });
    await fleet.startAggregator();
    const order = [...DEVICES.slice(seed % 4), ...DEVICES.slice(0, seed % 4)];
    for (const device of order) await fleet.board(device).start();
    await fleet.aggregator().finished;
    results.add(bitsOf(fleet.aggregator().currentGlobal()));
    losses.add(fleet.records.at(-1)?.online?.loss);
    for (const record of fleet.records) assert.deepEqual(record.devices, DEVICES);
  }
  assert.equal(results.size, 1);
  assert.equal(losses.size, 1);
});

test('an aggregator stopped in the middle of a round goes on with what it had counted', async (t) => {
  const reference = createFleet(t, { config: { minBoards: 4, maxRounds: 3 } });
  await reference.startAggregator();
  for (const device of DEVICES) await reference.board(device).start();
  await reference.aggregator().finished;

  const fleet = createFleet(t, { config: { minBoards: 4, maxRounds: 3 } });
  await fleet.startAggregator();
  let isHeldBack = true;
  const slow = fleet.board('board-4', {
    ...(await slowAnswer(() => isHeldBack)),
  });
  const boards = ['board-1', 'board-2', 'board-3'].map((device) => fleet.board(device));
  for (const board of [...boards, slow]) await board.start();
  for (const board of boards) await board.until(({ receipts }) => receipts.some(({ round }) => round === 2));

  isHeldBack = false;
  await fleet.restartAggregator();
  await fleet.aggregator().finished;
  assert.equal(bitsOf(fleet.aggregator().currentGlobal()), bitsOf(reference.aggregator().currentGlobal()));
  assert.deepEqual(
    fleet.records.map(({ round }) => round),
    [0, 1, 2, 3],
  );
  const verdicts = new Set(boards.flatMap(({ receipts }) => receipts.map(({ verdict }) => verdict)));
  assert.deepEqual(verdicts, new Set(['accepted', 'duplicate']));
});

/** Answers everything but round 2 while held back. */
async function slowAnswer(isHeldBack: () => boolean) {
  const { answerTo } = await import('../fixtures/scripted-board.ts');
  const { encodeUpdate } = await import('../../core/wire/messages.ts');
  return {
    answer: (plan: Parameters<typeof answerTo>[0]) =>
      plan.round === 2 && isHeldBack() ? null : encodeUpdate(answerTo(plan, 'board-4')),
  };
}

test('a board that comes back after its broker was away is served', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 4 } });
  await fleet.startAggregator();
  const boards = ['a', 'b'].map((device) => fleet.board(device));
  for (const board of boards) await board.start();
  await boards[0]?.until(({ closed }) => closed.length >= 2);
  fleet.broker.down();
  fleet.broker.up();
  assert.equal((await fleet.aggregator().finished).version, 4);
});

test('a board that finishes without a last update is not waited for', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2 } });
  await fleet.startAggregator();
  const silent = fleet.board('silent', { answer: () => null });
  const busy = fleet.board('busy', { rounds: 2 });
  await silent.start();
  await busy.start();
  await busy.until(({ receipts }) => receipts.length === 1);
  await silent.say('finished');
  assert.deepEqual(await fleet.aggregator().finished, { version: 2, rounds: 3, complete: true });
  assert.deepEqual(fleet.records[0]?.devices, ['busy']);
});

test('a run whose boards all finish without an update ends', async (t) => {
  const fleet = createFleet(t);
  await fleet.startAggregator();
  const board = fleet.board('a', { answer: () => null });
  await board.start();
  await board.until(({ plans }) => plans.length === 1);
  await board.say('finished');
  assert.deepEqual(await fleet.aggregator().finished, { version: 0, rounds: 0, complete: true });
});

test('stop ends a round that waits for boards', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2 } });
  await fleet.startAggregator();
  await fleet.board('a').start();
  const { finished } = fleet.aggregator();
  await fleet.stopAggregator();
  assert.deepEqual(await finished, { version: 0, rounds: 0, complete: false });
  assert.equal(FLEET.deviceOf(FLEET.up('a')), 'a');
});

test('a stream that ended before a restart has ended after it', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2 } });
  await fleet.startAggregator();
  const slow = fleet.board('slow', {
    answer: (plan) => (plan.round === 0 ? encodeUpdate(answerTo(plan, 'slow')) : null),
  });
  const short = fleet.board('short', { rounds: 1 });
  for (const board of [slow, short]) await board.start();
  await short.until(({ receipts }) => receipts.some(({ round }) => round === 1));
  await fleet.restartAggregator();
  await slow.send(encodeUpdate(answerTo(slow.plans.at(-1) as RoundPlan, 'slow')));
  await slow.until(({ plans }) => plans.at(-1)?.round === 2);
  assert.deepEqual(fleet.store().openRound()?.asked, ['slow']);
});

test('a run does not end before a board that was counted is back, when the broker has forgotten that there is one', async (t) => {
  const fleet = createFleet(t);
  await fleet.startAggregator();
  const long = fleet.board('long', { rounds: 3 });
  const short = fleet.board('short', { rounds: 1 });
  for (const board of [short, long]) await board.start();
  await short.until(({ closed }) => closed.some(({ round }) => round === 1));
  await long.stop();
  await fleet.stopAggregator();
  const broker = fleet.broker.transport({ clientId: 'broker', clean: true });
  await broker.start(new AbortController().signal);
  await broker.publish(FLEET.status('long'), new Uint8Array(0), { qos: 1, retain: true });
  await broker.stop();
  await fleet.startAggregator();
  const over = fleet.aggregator().finished;
  const back = fleet.board('long', { rounds: 3 });
  const first = await Promise.race([over, back.start().then(() => 'back')]);
  assert.equal(first, 'back');
  await over;
  assert.equal(fleet.records.at(-1)?.round, 3);
});

test('a run that waits for one board alone ends when that is forgotten', async (t) => {
  const fleet = createFleet(t);
  await fleet.startAggregator();
  const gone = fleet.board('gone');
  const short = fleet.board('short', {
    answer: (plan) => (plan.round === 0 ? encodeUpdate(answerTo(plan, 'short')) : null),
  });
  for (const board of [short, gone]) await board.start();
  await gone.until(({ receipts }) => receipts.some(({ round }) => round === 1));
  await gone.say('offline');
  await gone.stop();
  await short.send(encodeUpdate(answerTo(short.plans.at(-1) as RoundPlan, 'short', true)));
  await short.until(({ closed }) => closed.at(-1)?.round === 1);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  while (fleet.aggregator().view().boards().get('gone')?.state !== 'offline') await settle();
  for (let i = 0; i < 10; i++) await settle(); // the rounds wait
  assert.equal(fleet.aggregator().operator().forget('gone'), 'forgotten');
  assert.equal((await fleet.aggregator().finished).rounds, 2);
});

test('a flood of made-up names hides no board that comes later', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 3, maxBoards: 8 } });
  await fleet.startAggregator();
  const stranger = fleet.broker.transport({ clientId: 'stranger', clean: true });
  await stranger.start(new AbortController().signal);
  t.after(() => stranger.stop());
  for (let i = 0; i < 20_000; i++) {
    const payload = encodeStatus({ device: `name-${i}`, state: 'offline', modalities: [] });
    await stranger.publish(FLEET.status(`name-${i}`), payload, { qos: 1 });
  }
  const board = fleet.board('late-comer');
  await board.start();
  const boards = () => fleet.aggregator().view().boards();
  while (!boards().has('late-comer') && boards().size < 16_384) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(boards().size <= 8, `${boards().size} boards`);
});

test('a pause holds although the boards that were waited for have come', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 1 } });
  await fleet.startAggregator();
  const [first, second] = ['a', 'b'].map((device) => fleet.board(device));
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  await first?.start();
  for (let i = 0; i < 20; i++) await settle(); // the rounds wait for the other board
  const operator = fleet.aggregator().operator();
  operator.pause();
  await second?.start();
  while (fleet.aggregator().view().boards().size < 2) await settle();
  for (let i = 0; i < 20; i++) await settle();
  assert.deepEqual([fleet.store().openRound(), fleet.records.length], [null, 0]);
  operator.resume();
  assert.equal((await fleet.aggregator().finished).rounds, 2);
});
