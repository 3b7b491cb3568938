/** Messages from the aggregator in any order and any number: the plan goes forward only, the halves of a version find each other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openAgentStore } from '../../agent/store/agent-store.ts';
import { createEpochFollower } from '../../agent/sync/epoch-follower.ts';
import { createReceiver, type Receiver } from '../../agent/sync/receiver.ts';
import { silentLog } from '../../core/base/log.ts';
import type { MessageHandler, Transport } from '../../core/link/transport.ts';
import { initParams } from '../../core/model/params.ts';
import { shapeHash } from '../../core/model/spec.ts';
import type { Normalization } from '../../core/qqr/normalization.ts';
import { emptyPrototypes } from '../../core/qqr/prototype.ts';
import { encodeGlobal, encodeReceipt, encodeRoundClosed, encodeRoundPlan } from '../../core/wire/messages.ts';
import { planFor, TINY_SPEC, TOPICS, UNIT_SCALE } from '../fixtures/fake-fleet.ts';

async function receiver(): Promise<{
  receiver: Receiver;
  deliver: (topic: string, payload: Uint8Array) => void;
  subscriptions: string[];
  /** Verdicts on updates. */
  heard: string[];
}> {
  const handlers = new Map<string, MessageHandler>();
  const subscriptions: string[] = [];
  const transport: Transport = {
    start: async () => undefined,
    stop: async () => undefined,
    publish: async () => undefined,
    onState: () => undefined,
    reconnect: () => undefined,
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    async subscribe(filter, handler) {
      handlers.set(filter, handler);
      subscriptions.push(filter);
    },
  };
  const ignore = () => undefined;
  const heard: string[] = [];
  const made = createReceiver({
    transport,
    topics: TOPICS,
    device: 'board',
    epochs: createEpochFollower({ store: openAgentStore(':memory:'), onNew: ignore, log: silentLog }),
    log: silentLog,
    onNews: () => undefined,
    onReceipt: ({ seq }) => void heard.push(`receipt ${seq}`),
    onClosed: ({ round }) => void heard.push(`closed ${round}`),
    onChange: ignore,
  });
  await made.subscribe();
  subscriptions.length = 0;
  return {
    receiver: made,
    deliver: (topic, payload) => void handlers.get(topic)?.({ topic, payload, retained: true }),
    subscriptions,
    heard,
  };
}

function globalOf(
  version: number,
  normalization: Normalization | null = UNIT_SCALE,
): { model: Uint8Array; prototypes: Uint8Array } {
  const params = initParams(TINY_SPEC, version);
  const state = { version, params, prototypes: emptyPrototypes(2, 2, 2), temperature: 1, normalization };
  return encodeGlobal(state, { round: version, shapeHash: shapeHash(TINY_SPEC) });
}

test('an older plan that comes late is ignored, the same round again is taken', async () => {
  const { receiver: r, deliver } = await receiver();
  for (const round of [3, 2]) deliver(TOPICS.roundCurrent, encodeRoundPlan(planFor(round)));
  assert.equal(r.plan()?.round, 3);
  deliver(TOPICS.roundCurrent, encodeRoundPlan(planFor(3, 'finished')));
  assert.equal(r.plan()?.kind, 'finished');
});

test('a global state needs both halves of its version, in whatever order versions and halves come', async () => {
  const { receiver: r, deliver } = await receiver();
  deliver(TOPICS.globalModel, globalOf(4).model);
  deliver(TOPICS.globalPrototypes, globalOf(5).prototypes);
  assert.equal(r.globalFor(planFor(4)), null);
  deliver(TOPICS.globalModel, globalOf(5).model);
  deliver(TOPICS.globalPrototypes, globalOf(4).prototypes);
  assert.deepEqual(r.globalFor(planFor(4))?.params, initParams(TINY_SPEC, 4));
  assert.deepEqual(r.globalFor(planFor(5))?.params, initParams(TINY_SPEC, 5));
  assert.equal(r.globalFor(planFor(6)), null);
});

test('version 0 as it was before the statistics round starts no training round; with its scale it does', async () => {
  const { receiver: r, deliver } = await receiver();
  const first = { ...planFor(1), modelVersion: 0 };
  const before = globalOf(0, null);
  deliver(TOPICS.globalModel, before.model);
  deliver(TOPICS.globalPrototypes, before.prototypes);
  assert.equal(r.globalFor(planFor(0, 'statistics'))?.normalization, null);
  assert.equal(r.globalFor(first), null);
  deliver(TOPICS.globalModel, globalOf(0).model);
  assert.deepEqual(r.globalFor(first)?.normalization, UNIT_SCALE);
});

test('old versions are forgotten', async () => {
  const { receiver: r, deliver } = await receiver();
  for (let version = 0; version < 10; version++) {
    const { model, prototypes } = globalOf(version);
    deliver(TOPICS.globalModel, model);
    deliver(TOPICS.globalPrototypes, prototypes);
  }
  assert.equal(r.globalFor(planFor(0)), null);
  assert.equal(r.globalFor(planFor(9))?.version, 9);
});

test('a refresh asks for the plan again, and for the global state only when the plan lacks it', async () => {
  const { receiver: r, deliver, subscriptions } = await receiver();
  deliver(TOPICS.roundCurrent, encodeRoundPlan(planFor(1)));
  await r.refresh();
  assert.deepEqual(subscriptions.splice(0), [TOPICS.roundCurrent, TOPICS.globalModel, TOPICS.globalPrototypes]);
  const { model, prototypes } = globalOf(1);
  deliver(TOPICS.globalModel, model);
  deliver(TOPICS.globalPrototypes, prototypes);
  await r.refresh();
  assert.deepEqual(subscriptions, [TOPICS.roundCurrent]);
});

test('a plan of another epoch is taken whatever its round, with the global state of that epoch, and none of one that was left', async () => {
  const { receiver: r, deliver } = await receiver();
  const [a, b] = ['a'.repeat(16), 'b'.repeat(16)] as const;
  const say = (round: number, epoch: string) => {
    const prototypes = emptyPrototypes(TINY_SPEC.modalities.length, TINY_SPEC.classes.length, TINY_SPEC.embedding);
    const params = initParams(TINY_SPEC, epoch === a ? 1 : 2);
    const state = { version: round, params, prototypes, temperature: 1, normalization: UNIT_SCALE };
    const bytes = encodeGlobal(state, { round, shapeHash: shapeHash(TINY_SPEC), epoch });
    deliver(TOPICS.globalModel, bytes.model);
    deliver(TOPICS.globalPrototypes, bytes.prototypes);
    return params;
  };
  const plan = (round: number, epoch: string) => {
    deliver(TOPICS.roundCurrent, encodeRoundPlan({ ...planFor(round), epoch }));
    const now = r.plan() ?? assert.fail();
    return { at: [now.round, now.epoch], params: r.globalFor(now)?.params };
  };
  const ofA = say(1, a);
  assert.deepEqual(plan(1, a), { at: [1, a], params: ofA });
  assert.deepEqual(plan(0, a).at, [1, a], 'within an epoch never back');
  const ofB = say(1, b);
  assert.deepEqual(plan(1, a).params, ofA, 'the same version of another epoch is another model');
  assert.deepEqual(plan(0, b), { at: [0, b], params: undefined });
  assert.deepEqual(plan(1, b), { at: [1, b], params: ofB });
  assert.deepEqual(plan(7, a).at, [1, b], 'what a broker kept of the one of before');
});

test('what is said of updates in another epoch is passed over, and what says no epoch is heard', async () => {
  const { deliver, heard } = await receiver();
  const [a, b] = ['a'.repeat(16), 'b'.repeat(16)];
  const say = (n: number, epoch?: string) => {
    const of = epoch === undefined ? {} : { epoch };
    const receipt = { round: n, seq: n, verdict: 'accepted', reason: null, final: true } as const;
    deliver(TOPICS.receipt('board'), encodeReceipt({ ...receipt, ...of }));
    deliver(TOPICS.roundClosed, encodeRoundClosed({ round: n, accepted: [], ...of }));
  };
  say(1, b); // before the board is in any
  deliver(TOPICS.roundCurrent, encodeRoundPlan({ ...planFor(1), epoch: a as string }));
  say(2, b);
  say(3, a);
  say(4);
  assert.deepEqual(
    heard,
    [1, 3, 4].flatMap((n) => [`receipt ${n}`, `closed ${n}`]),
  );
});
