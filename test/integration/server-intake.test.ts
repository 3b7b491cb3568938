/** What the aggregator does with updates that it cannot count: refused with a reason, counted, told to the board, never thrown. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { quantize } from '../../core/quant/affine.ts';
import type { Receipt, RoundPlan } from '../../core/wire/downlink.ts';
import { DEFAULT_LIMITS } from '../../core/wire/limits.ts';
import { encodeUpdate } from '../../core/wire/messages.ts';
import type { RejectReason, Update } from '../../core/wire/update.ts';
import { readBoards } from '../../server/store/archive.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { answerTo, type ScriptedBoard } from '../fixtures/scripted-board.ts';
import { createFleet, FLEET, type Fleet } from '../fixtures/scripted-fleet.ts';

/** A fleet in training round 1 in which board `b` has answered nothing yet. */
async function inRoundOne(
  t: TestContext,
): Promise<{ fleet: Fleet; a: ScriptedBoard; b: ScriptedBoard; plan: RoundPlan }> {
  const fleet = createFleet(t, {
    config: { minBoards: 2, maxRounds: 1, limits: { ...DEFAULT_LIMITS, maxPayloadBytes: 4096 } },
  });
  await fleet.startAggregator();
  const a = fleet.board('a');
  const b = fleet.board('b', { answer: (plan) => (plan.round === 0 ? encodeUpdate(answerTo(plan, 'b')) : null) });
  await a.start();
  await b.start();
  await b.until(({ plans }) => plans.at(-1)?.round === 1);
  await a.until(({ receipts }) => receipts.length === 2);
  const plan = b.plans.at(-1);
  assert.ok(plan !== undefined);
  return { fleet, a, b, plan };
}

async function receiptFor(board: ScriptedBoard, payload: Uint8Array): Promise<Receipt> {
  const before = board.receipts.length;
  await board.send(payload);
  await board.until(({ receipts }) => receipts.length > before);
  return board.receipts[before] as Receipt;
}

test('each fault of an update has its reason, a receipt, a counter, and does not stop the round', async (t) => {
  const { fleet, b, plan } = await inRoundOne(t);
  const good = answerTo(plan, 'b');
  const [acc, ...others] = good.modalities;
  assert.ok(acc !== undefined);
  const withReport = (change: object): Update => ({ ...good, modalities: [{ ...acc, ...change }, ...others] });
  const long = good.model.map(({ group, tensors }) => ({
    group,
    tensors: tensors.map(({ length }) => quantize(new Float32Array(length).fill(8), 2)),
  }));
  const faults: [RejectReason, Update][] = [
    ['wrong-device', { ...good, device: 'a' }],
    ['wrong-epoch', { ...good, epoch: '0123456789abcdef' }],
    ['wrong-shape', { ...good, shapeHash: good.shapeHash ^ 1 }],
    ['wrong-round', { ...good, round: 2 }],
    ['wrong-version', { ...good, modelVersion: 7 }],
    ['malformed', { ...good, model: good.model.concat(good.model) }],
    ['not-finite', withReport({ meanQuality: Number.NaN })],
    ['not-finite', { ...good, online: { ...good.online, lossSum: Number.POSITIVE_INFINITY } }],
    ['out-of-range', withReport({ meanQuality: 1.5 })],
    ['norm-too-large', { ...good, model: long }],
  ];
  const counters: Record<string, number> = {};
  for (const [reason, update] of faults) {
    const receipt = await receiptFor(b, encodeUpdate(update));
    const { round, seq } = update;
    assert.deepEqual(receipt, { round, seq, verdict: 'rejected', reason, final: true, epoch: plan.epoch });
    counters[reason] = (counters[reason] ?? 0) + 1;
  }
  // What cannot be read names no key, so that there is nothing to send a receipt for.
  await b.send(Uint8Array.of(0xff, 0xff, 0xff));
  await b.send(new Uint8Array(5000));
  counters['malformed'] = (counters['malformed'] ?? 0) + 1;
  counters['too-large'] = 1;

  assert.equal((await receiptFor(b, encodeUpdate(good))).verdict, 'accepted');
  await fleet.aggregator().finished;
  assert.deepEqual(fleet.records[1]?.rejected, Object.fromEntries(Object.entries(counters).sort()));
  assert.deepEqual(fleet.records[1]?.devices, ['a', 'b']);
});

test('an update is counted once however often it comes, and a second one of the same round not at all', async (t) => {
  const { fleet, a, b, plan } = await inRoundOne(t);
  const mine = answerTo(plan, 'a');
  const again = await receiptFor(a, encodeUpdate(mine));
  assert.deepEqual(again, {
    round: 1,
    seq: mine.seq,
    verdict: 'duplicate',
    reason: null,
    final: false,
    epoch: plan.epoch,
  });
  const other = await receiptFor(a, encodeUpdate({ ...mine, seq: 99 }));
  assert.deepEqual(other, {
    round: 1,
    seq: 99,
    verdict: 'rejected',
    reason: 'wrong-round',
    final: true,
    epoch: plan.epoch,
  });
  await receiptFor(b, encodeUpdate(answerTo(plan, 'b')));
  await fleet.aggregator().finished;
  assert.deepEqual(
    fleet
      .store()
      .counted(1)
      .map(({ device, seq }) => [device, seq]),
    [
      ['a', mine.seq],
      ['b', 2],
    ],
  );
});

test('after its round has closed a counted update is a final duplicate and any other is late', async (t) => {
  const { fleet, a, b, plan } = await inRoundOne(t);
  await receiptFor(b, encodeUpdate(answerTo(plan, 'b')));
  await fleet.aggregator().finished;
  const counted = answerTo(plan, 'a');
  const again = await receiptFor(a, encodeUpdate(counted));
  assert.deepEqual(again, {
    round: 1,
    seq: counted.seq,
    verdict: 'duplicate',
    reason: null,
    final: true,
    epoch: plan.epoch,
  });
  const late = await receiptFor(a, encodeUpdate({ ...counted, seq: 50 }));
  assert.deepEqual(late, { round: 1, seq: 50, verdict: 'rejected', reason: 'late', final: true, epoch: plan.epoch });
  assert.equal(fleet.store().rejections(1)['late'], 1);
  assert.equal(fleet.records[1]?.rejected['late'], undefined);
});

test('a device name that cannot be one is ignored', async (t) => {
  const { fleet, a, b, plan } = await inRoundOne(t);
  const stranger = fleet.broker.transport({ clientId: 'stranger', clean: true });
  await stranger.start(new AbortController().signal);
  await stranger.publish(`${FLEET.upFilter.slice(0, -1)}a b`, encodeUpdate(answerTo(plan, 'b')), { qos: 1 });
  await receiptFor(b, encodeUpdate(answerTo(plan, 'b')));
  await fleet.aggregator().finished;
  assert.deepEqual(fleet.records[1]?.rejected, {});
  await stranger.stop();
  assert.equal(a.receipts.length, 2);
});

test('a board that floods is cut off without an answer, the others are counted, and it is seen who it was', async (t) => {
  const clock = createManualClock();
  const fleet = createFleet(t, { config: { minBoards: 2, maxRounds: 1, updatesPerMinute: 5, maxBoards: 8 }, clock });
  await fleet.startAggregator();
  const loud = fleet.board('loud', {
    answer: (plan) => (plan.round === 0 ? encodeUpdate(answerTo(plan, 'loud')) : null),
  });
  const quiet = fleet.board('quiet');
  await loud.start();
  await quiet.start();
  await loud.until(({ plans }) => plans.at(-1)?.round === 1);
  const plan = loud.plans.at(-1) as RoundPlan;
  const bad = encodeUpdate({ ...answerTo(plan, 'loud'), modelVersion: 99 });
  for (let i = 0; i < 50; i++) await loud.send(bad);
  const strangers = fleet.broker.transport({ clientId: 'strangers', clean: true });
  await strangers.start(new AbortController().signal);
  for (let i = 0; i < 50; i++)
    await strangers.publish(`${FLEET.upFilter.slice(0, -1)}name-${i}`, Uint8Array.of(0xff, 0xff), { qos: 1 });
  await loud.until(({ receipts }) => receipts.length >= 5);
  await clock.advance(12_000); // one more
  assert.equal((await receiptFor(loud, encodeUpdate(answerTo(plan, 'loud')))).verdict, 'accepted');
  await fleet.aggregator().finished;
  assert.equal(loud.receipts.length, 6, 'round 0, four refusals, and the one that counted');
  assert.deepEqual(fleet.records[1]?.devices, ['loud', 'quiet']);
  assert.deepEqual(fleet.store().rejections(1), { 'malformed': 50, 'rate-limited': 46, 'wrong-version': 4 });
  const boards = readBoards(fleet.path);
  assert.deepEqual(boards.find(({ device }) => device === 'loud')?.refused, { 'rate-limited': 46, 'wrong-version': 4 });
  assert.equal(boards.find(({ device }) => device === 'quiet')?.counted, 2);
  assert.ok((boards.find(({ device }) => device === 'quiet')?.lastNorm ?? 0) > 0);
  await strangers.stop();
});
