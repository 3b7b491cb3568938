/** Updates that come after their round: counted once in the round that is open, for less, whatever is sent again and whoever restarts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createRng } from '../../core/math/rng.ts';
import { shapeHash } from '../../core/model/spec.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { Update } from '../../core/wire/update.ts';
import { firstGlobal, nextGlobal } from '../../server/next-global.ts';
import { readArchivedRound } from '../../server/store/archive.ts';
import { openHistory } from '../../server/store/history.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';
import { answerTo, type ScriptedBoard } from '../fixtures/scripted-board.ts';
import { bitsOf, createFleet } from '../fixtures/scripted-fleet.ts';

const SEED = Number(process.env['QQR_TEST_SEED'] ?? 44);

function planIn(board: ScriptedBoard, round: number): RoundPlan {
  const plan = board.plans.find((one) => one.round === round);
  assert.ok(plan !== undefined, `no plan of round ${round}`);
  return plan;
}

async function receiptFor(board: ScriptedBoard, update: Update) {
  const before = board.receipts.length;
  await board.send(encodeUpdate(update));
  await board.until(({ receipts }) => receipts.length > before);
  const { verdict, reason, final } = board.receipts[before] ?? {};
  return { verdict, reason, final };
}

test('a late update is counted in the open round at its reduced weight, and its key is told with that round', async (t) => {
  const config = { minBoards: 2, maxRounds: 4, quorum: 0.5, lateRounds: 2 };
  const fleet = createFleet(t, { config });
  await fleet.startAggregator();
  const prompt = fleet.board('prompt', {
    answer: (plan) => (plan.round < 2 ? encodeUpdate(answerTo(plan, 'prompt')) : null),
  });
  const slow = fleet.board('slow', { answer: () => null });
  await slow.start();
  await prompt.start();
  await slow.until(({ plans }) => plans.at(-1)?.round === 2);
  assert.equal(planIn(slow, 2).lateRounds, 2);
  const late = answerTo(planIn(slow, 1), 'slow');
  assert.deepEqual(await receiptFor(slow, late), { verdict: 'accepted', reason: null, final: false });
  const answered = () => [...(fleet.aggregator().view().round()?.arrivals.keys() ?? [])];
  assert.deepEqual(answered(), []);
  await fleet.restartAggregator();
  assert.deepEqual(answered(), []);
  assert.deepEqual(await receiptFor(slow, late), { verdict: 'duplicate', reason: null, final: false });
  assert.equal((await receiptFor(slow, { ...late, seq: 77 })).reason, 'wrong-round');
  assert.equal((await receiptFor(slow, answerTo(planIn(slow, 0), 'slow'))).reason, 'late', 'statistics do not wait');
  assert.equal((await receiptFor(slow, { ...late, seq: 78, modelVersion: 1 })).reason, 'wrong-version');
  assert.equal(fleet.records.length, 2, 'a late answer is no answer to this round');

  const own = answerTo(planIn(prompt, 2), 'prompt');
  await prompt.send(encodeUpdate(own));
  await slow.until(({ closed }) => closed.at(-1)?.round === 2);
  assert.deepEqual(slow.closed.at(-1)?.accepted, [
    { device: 'prompt', seq: 3 },
    { device: 'slow', seq: 2, lateBy: 1 },
  ]);
  assert.deepEqual(fleet.records[2]?.devices, ['prompt']);
  assert.deepEqual(fleet.records[2]?.late, [{ device: 'slow', round: 1 }]);
  assert.deepEqual(await receiptFor(slow, late), { verdict: 'duplicate', reason: null, final: true });
  assert.deepEqual(
    readArchivedRound(fleet.path, 2).updates.map(({ round, device }) => [round, device]),
    [
      [2, 'prompt'],
      [1, 'slow'],
    ],
  );

  const history = openHistory(fleet.path);
  t.after(() => history.dispose());
  const counted = [1, 2].map((round) => history.updates(round).map((update) => [update.round, update.device]));
  assert.deepEqual(counted, [
    [[1, 'prompt']],
    [
      [2, 'prompt'],
      [1, 'slow'],
    ],
  ]);

  const strategy = createStrategy('qqr');
  const states = [firstGlobal(TINY_SPEC, 1)];
  const step = (kind: 'statistics' | 'training', updates: Update[]) =>
    states.push(nextGlobal(kind, states.at(-1) as (typeof states)[number], updates, TINY_SPEC, strategy).global);
  step('statistics', [answerTo(planIn(prompt, 0), 'prompt')]);
  step('training', [answerTo(planIn(prompt, 1), 'prompt')]);
  step('training', [own, late]);
  assert.equal(
    bitsOf(fleet.store().global() as (typeof states)[number]),
    bitsOf(states.at(-1) as (typeof states)[number]),
  );
  const asIfFresh = nextGlobal(
    'training',
    states[2] as (typeof states)[number],
    [own, { ...late, modelVersion: 1 }],
    TINY_SPEC,
    strategy,
  ).global;
  assert.notEqual(bitsOf(states.at(-1) as (typeof states)[number]), bitsOf(asIfFresh));
});

test('an update that is too many rounds late is refused, and so is every late one unless asked for', async (t) => {
  for (const lateRounds of [0, 1]) {
    const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 4, quorum: 0.5, lateRounds } });
    await fleet.startAggregator();
    const prompt = fleet.board('prompt', {
      answer: (plan) => (plan.round < 3 ? encodeUpdate(answerTo(plan, 'prompt')) : null),
    });
    const slow = fleet.board('slow', { answer: () => null });
    await slow.start();
    await prompt.start();
    await slow.until(({ plans }) => plans.at(-1)?.round === 3);
    assert.equal((await receiptFor(slow, answerTo(planIn(slow, 1), 'slow'))).reason, 'late');
    const next = await receiptFor(slow, answerTo(planIn(slow, 2), 'slow'));
    assert.equal(next.verdict, lateRounds === 0 ? 'rejected' : 'accepted');
    await fleet.stopAggregator();
  }
});

test('a board that has ended is not asked again for what it sent before', async (t) => {
  const fleet = createFleet(t, { config: { minBoards: 3, maxRounds: 5, quorum: 0.6, lateRounds: 2 } });
  await fleet.startAggregator();
  const slow = fleet.board('slow', { answer: () => null });
  const others = ['a', 'b'].map((name) =>
    fleet.board(name, { answer: (plan) => (plan.round < 2 ? encodeUpdate(answerTo(plan, name)) : null) }),
  );
  const othersAnswer = async (round: number) => {
    for (const [i, board] of others.entries()) {
      await board.until(({ plans }) => plans.at(-1)?.round === round);
      await board.send(encodeUpdate(answerTo(planIn(board, round), 'ab'[i] as string)));
    }
    await slow.until(({ plans }) => plans.at(-1)?.round === round + 1);
  };
  await slow.start();
  for (const board of others) await board.start();
  await slow.until(({ plans }) => plans.at(-1)?.round === 2);
  assert.equal((await receiptFor(slow, answerTo(planIn(slow, 2), 'slow', true))).verdict, 'accepted');
  await othersAnswer(2);
  assert.deepEqual(fleet.store().openRound()?.asked, ['a', 'b']);
  assert.equal((await receiptFor(slow, answerTo(planIn(slow, 1), 'slow'))).verdict, 'accepted');
  await othersAnswer(3);
  assert.deepEqual(fleet.records[3]?.late, [{ device: 'slow', round: 1 }]);
  assert.deepEqual(fleet.store().openRound()?.asked, ['a', 'b']);
});

test('late, doubled, out of order, and an aggregator that restarts: every key is counted once or refused', async (t) => {
  const rounds = 12;
  const names = ['a', 'b', 'c', 'd', 'e'];
  const rng = createRng(`late ${SEED}`);
  const fleet = createFleet(t, { config: { minBoards: 5, maxRounds: rounds, quorum: 0.4, lateRounds: 2 } });
  await fleet.startAggregator();
  const boards = names.map((name) => fleet.board(name, { answer: () => null }));
  for (const board of boards) await board.start();
  const isOver = () => boards[0]?.plans.at(-1)?.kind === 'finished';
  const sent = new Set<string>();
  for (let i = 0; !isOver(); i++) {
    assert.ok(i < 5000, `seed ${SEED}: it does not end`);
    const board = boards[rng.int(boards.length)] as ScriptedBoard;
    const newest = board.plans.at(-1);
    if (newest !== undefined && newest.kind !== 'finished') {
      const plan = board.plans.find(({ round }) => round === Math.max(0, newest.round - rng.int(4))) ?? newest;
      const update = answerTo(plan, names[boards.indexOf(board)] as string);
      assert.equal(update.shapeHash, shapeHash(TINY_SPEC));
      sent.add(`${update.device}/${update.seq}`);
      for (let copy = 0; copy <= rng.int(2); copy++) await board.send(encodeUpdate(update));
    }
    if (rng.int(60) === 0) await fleet.restartAggregator();
    await setImmediate();
  }
  const store = fleet.store();
  const counted = Array.from({ length: rounds + 1 }, (_, round) =>
    store.counted(round).map((key) => ({ ...key, by: round })),
  );
  const keys = counted.flat().map(({ device, round, seq }) => `${device}/${round}/${seq}`);
  assert.equal(new Set(keys).size, keys.length, `seed ${SEED}: counted twice`);
  const late = counted.flat().filter(({ round, by }) => round < by);
  assert.ok(
    late.length > 0 && late.every(({ round, by }) => by - round <= 2 && round > 0),
    `seed ${SEED}: ${late.length} late`,
  );
  for (const [i, board] of boards.entries()) {
    const device = names[i] as string;
    for (const { verdict, round, seq } of board.receipts) {
      const isCounted = keys.includes(`${device}/${round}/${seq}`);
      if (verdict !== 'rejected')
        assert.ok(isCounted, `seed ${SEED}: ${verdict} ${device}/${round}/${seq} is not counted`);
      else assert.ok(!isCounted, `seed ${SEED}: refused ${device}/${round}/${seq} is counted`);
    }
    const told = board.closed.flatMap(({ round, accepted }) =>
      accepted
        .filter((key) => key.device === device)
        .map(({ seq, lateBy = 0 }) => `${device}/${round - lateBy}/${seq}`),
    );
    assert.deepEqual(
      [...new Set(told)].sort(),
      keys.filter((key) => key.startsWith(`${device}/`)).sort(),
      `seed ${SEED}`,
    );
  }
});
