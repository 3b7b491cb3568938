/** The aggregator's voice over a link that comes and goes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import type { Transport } from '../../core/link/transport.ts';
import { shapeHash } from '../../core/model/spec.ts';
import { decodeRoundPlan } from '../../core/wire/decode-downlink.ts';
import type { RoundPlan } from '../../core/wire/downlink.ts';
import { topics } from '../../core/wire/topics.ts';
import { createBroadcast } from '../../server/broadcast.ts';
import { firstGlobal } from '../../server/next-global.ts';
import { qqr } from '../../server/strategies/qqr.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { TINY_SPEC } from '../fixtures/sample-update.ts';

const TOPICS = topics('test');

function scene() {
  const link = { isUp: true, isSilent: false };
  const sent: { readonly topic: string; readonly payload: Uint8Array; readonly retain: boolean }[] = [];
  const transport: Transport = {
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    subscribe: () => Promise.resolve(),
    onState: () => undefined,
    reconnect: () => undefined,
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    publish(topic, payload, { retain = false }) {
      if (link.isSilent) return new Promise(() => undefined);
      if (!link.isUp) return Promise.reject(new AppError('link-unavailable', 'down'));
      sent.push({ topic, payload, retain });
      return Promise.resolve();
    },
  };
  const clock = createManualClock();
  const warned: Record<string, unknown>[] = [];
  const random = () => 0.5;
  const broadcast = createBroadcast({
    transport,
    topics: TOPICS,
    shapeHash: shapeHash(TINY_SPEC),
    epoch: 'e0c4'.repeat(4),
    clock,
    random,
    log: { ...silentLog, warn: (fields, message) => void warned.push({ message, ...fields }) },
  });
  const stopping = new AbortController();
  return {
    link,
    sent,
    warned,
    clock,
    broadcast,
    stopping,
    signal: stopping.signal,
    told: () => sent.map(({ topic }) => topic),
  };
}

function planOf(round: number): RoundPlan {
  return { round, kind: 'training', modelVersion: round, deadlineMs: 0, spec: TINY_SPEC, settings: qqr.settings };
}

test('what is retained is told again in order, and only its newest', async () => {
  const { broadcast, sent, told, signal } = scene();
  await broadcast.global(firstGlobal(TINY_SPEC, 1), 0, signal);
  await broadcast.plan(planOf(1), signal);
  await broadcast.closed({ round: 1, accepted: [] }, signal);
  await broadcast.plan(planOf(2), signal);
  assert.deepEqual(
    sent.map(({ retain }) => retain),
    [true, true, true, false, true],
  );
  sent.length = 0;
  await broadcast.again(signal);
  assert.deepEqual(told(), [TOPICS.globalModel, TOPICS.globalPrototypes, TOPICS.roundCurrent]);
  const plan = decodeRoundPlan(sent.at(-1)?.payload ?? new Uint8Array());
  assert.ok(plan.ok && plan.value.round === 2);
});

test('a publish is tried again until the link is back, and nothing overtakes it', async () => {
  const { broadcast, told, signal, link, clock } = scene();
  link.isUp = false;
  const first = broadcast.plan(planOf(1), signal);
  const second = broadcast.closed({ round: 0, accepted: [] }, signal);
  await clock.advance(30_000);
  assert.deepEqual(told(), []);
  link.isUp = true;
  await clock.advance(10_000);
  await Promise.all([first, second]);
  assert.deepEqual(told(), [TOPICS.roundCurrent, TOPICS.roundClosed]);
});

test('a minute without a word to the fleet is said once, and once that it is over', async () => {
  const { broadcast, warned, signal, link, clock } = scene();
  link.isUp = false;
  const first = broadcast.plan(planOf(1), signal);
  await clock.advance(50_000);
  link.isUp = true;
  await clock.advance(10_000);
  await first;
  assert.deepEqual(warned, [], 'a broker was restarted');
  link.isUp = false;
  const waiting = [broadcast.plan(planOf(2), signal), broadcast.closed({ round: 1, accepted: [] }, signal)];
  await clock.advance(600_000);
  assert.deepEqual(
    warned.map(({ message, topic, code }) => [message, topic, code]),
    [['boards cannot be told anything', TOPICS.roundCurrent, 'link-unavailable']],
  );
  assert.ok(Number(warned[0]?.['seconds']) >= 60 && Number(warned[0]?.['seconds']) <= 70, `${warned[0]?.['seconds']}`);
  link.isUp = true;
  await clock.advance(10_000);
  await Promise.all(waiting);
  assert.deepEqual(
    warned.map(({ message }) => message),
    ['boards cannot be told anything', 'boards can be told again'],
  );
  assert.ok(Number(warned[1]?.['seconds']) >= 600, `${warned[1]?.['seconds']}`);
});

test('a stop ends what waits, also for a broker that does not answer', async () => {
  const { broadcast, signal, link, stopping, clock } = scene();
  link.isSilent = true;
  const silent = broadcast.plan(planOf(1), signal);
  await clock.advance(0);
  stopping.abort(new Error('stopped'));
  await assert.rejects(silent, /stopped/);
  link.isUp = false;
  await assert.rejects(broadcast.again(signal), /stopped/);
});

test('a receipt is told once and never fails', async () => {
  const { broadcast, told, link, clock } = scene();
  const receipt = { round: 1, seq: 1, verdict: 'accepted', reason: null, final: false } as const;
  link.isUp = false;
  broadcast.receipt('a', receipt);
  await clock.advance(60_000);
  link.isUp = true;
  await clock.advance(60_000);
  assert.deepEqual(told(), []);
  broadcast.receipt('a', receipt);
  assert.deepEqual(told(), [TOPICS.receipt('a')]);
});

test('a link that came and went a hundred times is told once', async () => {
  const { broadcast, told, signal, link, clock } = scene();
  link.isUp = false;
  const plan = broadcast.plan(planOf(1), signal);
  const turns = Array.from({ length: 100 }, () => broadcast.again(signal));
  await clock.advance(30_000);
  link.isUp = true;
  await clock.advance(10_000);
  await Promise.all([plan, ...turns]);
  assert.deepEqual(told(), [TOPICS.roundCurrent, TOPICS.roundCurrent]);
});
