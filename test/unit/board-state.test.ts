/** What a board says of itself: written, read back, refused when it is something else, told to the fleet and to Home Assistant. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { discoveryPayload, discoveryTopic } from '../../agent/ops/home-assistant.ts';
import { createStateDoors, type StateDoorsParts } from '../../agent/state-doors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createMemoryBroker } from '../../core/link/memory.ts';
import { type BoardState, decodeBoardState, encodeBoardState } from '../../core/wire/board-state.ts';
import { topics } from '../../core/wire/topics.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { measuredWindow } from '../fixtures/stored-motion.ts';

const STATE: BoardState = {
  online: true,
  activity: 'walk',
  confidence: 0.875,
  modelVersion: 7,
  quality: { acc: 0.5, gyr: null },
  faults: ['mpu6050@1:0x68: unplugged'],
};
const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

test('a state is read back as it was written, to three digits, and no more of it than belongs to it', () => {
  const written = encodeBoardState({ ...STATE, confidence: 0.87512, quality: { acc: 0.50004, gyr: null } });
  assert.deepEqual(decodeBoardState(written), { ok: true, value: STATE });
  assert.deepEqual(decodeBoardState(text({ ...STATE, more: 1 })), { ok: true, value: STATE });
  const many = encodeBoardState({ ...STATE, faults: Array.from({ length: 40 }, (_, i) => `${i} ${'x'.repeat(500)}`) });
  const decoded = decodeBoardState(many);
  assert.ok(decoded.ok && decoded.value.faults.length === 16, 'what a board may write can be read');
});

for (const [what, payload, reason] of [
  ['no JSON', new TextEncoder().encode('{'), 'malformed'],
  ['no UTF-8', Uint8Array.of(0x22, 0xff, 0x22), 'malformed'],
  ['null', text(null), 'malformed'],
  ['a list', text([STATE]), 'malformed'],
  ['too large', text({ ...STATE, activity: 'x'.repeat(5000) }), 'too-large'],
  ['a long activity', text({ ...STATE, activity: 'x'.repeat(65) }), 'malformed'],
  ['a confidence above 1', text({ ...STATE, confidence: 1.5 }), 'malformed'],
  ['a negative version', text({ ...STATE, modelVersion: -1 }), 'malformed'],
  ['a quality that is text', text({ ...STATE, quality: { acc: 'good' } }), 'malformed'],
  [
    'many modalities',
    text({ ...STATE, quality: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [i, 1])) }),
    'malformed',
  ],
  ['a fault that is a number', text({ ...STATE, faults: [1] }), 'malformed'],
  ['many faults', text({ ...STATE, faults: new Array(17).fill('x') }), 'malformed'],
  ['no online', text({ ...STATE, online: undefined }), 'malformed'],
] as const) {
  test(`not a state: ${what}`, () => {
    const decoded = decodeBoardState(payload);
    assert.ok(!decoded.ok && decoded.reason === reason, JSON.stringify(decoded));
  });
}

const DEVICE = { device: 'pi-1', fleet: 'home', state: { everyS: 10 }, homeAssistant: { enabled: true, prefix: 'ha' } };

async function doorsOn(t: TestContext, parts: Partial<StateDoorsParts> = {}) {
  const broker = createMemoryBroker();
  const link = async (clientId: string) => {
    const transport = broker.transport({ clientId, clean: true });
    await transport.start(new AbortController().signal);
    t.after(() => transport.stop());
    return transport;
  };
  const listener = await link('listener');
  const states: BoardState[] = [];
  const descriptions: { readonly topic: string; readonly payload: unknown; readonly retained: boolean }[] = [];
  await listener.subscribe(topics('home').stateFilter, ({ payload }) => {
    const decoded = decodeBoardState(payload);
    assert.ok(decoded.ok);
    states.push(decoded.value);
  });
  await listener.subscribe('ha/device/#', ({ topic, payload, retained }) => {
    descriptions.push({ topic, payload: JSON.parse(new TextDecoder().decode(payload)), retained });
  });
  const clock = createManualClock();
  const doors = createStateDoors({
    config: DEVICE,
    modalities: ['acc', 'gyr'],
    store: { newestWindow: () => measuredWindow(4, 'walk', true) },
    prediction: () => ({ windowIndex: 4, activity: 'sit', confidence: 0.75, modelVersion: 3 }),
    failing: () => ['x: stuck'],
    transport: await link('pi-1'),
    clock,
    log: silentLog,
    ...parts,
  });
  return { doors, clock, states, descriptions, broker, listener };
}

/** Messages in memory are on their way for some turns of the event loop. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

test('a board tells how it is at once, every ten seconds, and goodbye', async (t) => {
  const { doors, clock, states } = await doorsOn(t);
  await doors?.start(new AbortController().signal);
  await settled();
  const [first] = states;
  assert.equal(states.length, 1);
  assert.equal(first?.activity, 'sit');
  assert.equal(first.quality['gyr'], null, 'a missing sensor has no quality');
  assert.ok(Math.abs((first.quality['acc'] ?? 0) - (measuredWindow(4, 'walk', true).quality[0] ?? 0)) < 1e-3);
  await clock.advance(10_000);
  await settled();
  assert.equal(states.length, 2);
  await doors?.stop();
  await settled();
  assert.deepEqual(
    states.map(({ online }) => online),
    [true, true, false],
  );
});

test('a prediction that the stream has left behind is not of now', async (t) => {
  const { doors, states } = await doorsOn(t, { store: { newestWindow: () => measuredWindow(9) } });
  await doors?.start(new AbortController().signal);
  await settled();
  assert.deepEqual([states[0]?.activity, states[0]?.confidence, states[0]?.modelVersion], [null, 0, 3]);
  await doors?.stop();
});

test('every 0 seconds is never, Home Assistant included', async (t) => {
  const { doors } = await doorsOn(t, { config: { ...DEVICE, state: { everyS: 0 } } });
  assert.equal(doors, null);
});

test('Home Assistant is told what there is: at the start, after a lost link, and when it has started anew', async (t) => {
  const { doors, descriptions, broker, listener } = await doorsOn(t);
  await doors?.start(new AbortController().signal);
  await settled();
  const { topic, payload } = descriptions[0] ?? {};
  assert.equal(topic, discoveryTopic({ ...DEVICE, prefix: 'ha', modalities: [], stateTopic: '', stateEveryMs: 1 }));
  assert.match(topic ?? '', /^ha\/device\/[A-Za-z0-9_-]+\/config$/);
  const told = descriptions.length;
  await listener.publish('ha/status', new TextEncoder().encode('online'), { qos: 1 });
  await settled();
  assert.equal(descriptions.length, told + 1);
  broker.cut('pi-1');
  for (let i = 0; i < 200 && descriptions.length < told + 2; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(descriptions.length, told + 2);
  assert.deepEqual(descriptions.at(-1)?.payload, payload);
  await doors?.stop();
});

/** From Home Assistant's documentation: what a device description, a sensor and a binary sensor may have; those that are used here. */
const DOCUMENTED = {
  root: ['dev', 'o', 'cmps', 'state_topic', 'qos'],
  dev: ['ids', 'name', 'mf', 'mdl', 'sw', 'hw', 'sn', 'cu'],
  o: ['name', 'sw', 'url'],
  sensor: [
    'p',
    'name',
    'unique_id',
    'value_template',
    'unit_of_measurement',
    'state_class',
    'device_class',
    'icon',
    'expire_after',
    'entity_category',
  ],
  binary_sensor: [
    'p',
    'name',
    'unique_id',
    'value_template',
    'device_class',
    'icon',
    'expire_after',
    'entity_category',
    'payload_on',
    'payload_off',
  ],
} as const;

test('the description has only what Home Assistant documents, and its templates name what a state has', () => {
  const about = { prefix: 'ha', fleet: 'home.lab', device: 'pi-1', stateTopic: 't', stateEveryMs: 10_000 };
  const payload = discoveryPayload({ ...about, modalities: ['acc', 'gyr "2"'] });
  const within = (value: object, allowed: readonly string[]) =>
    assert.deepEqual(
      Object.keys(value).filter((key) => !allowed.includes(key)),
      [],
    );
  within(payload, DOCUMENTED.root);
  within(payload.dev, DOCUMENTED.dev);
  within(payload.o, DOCUMENTED.o);
  const entities = Object.values(payload.cmps) as unknown as Record<string, string | number>[];
  assert.equal(entities.length, 6);
  assert.equal(new Set(entities.map((entity) => entity['unique_id'])).size, entities.length);
  const state = JSON.parse(new TextDecoder().decode(encodeBoardState(STATE)));
  for (const entity of entities) {
    const { p, value_template: template, expire_after: expiry } = entity;
    assert.ok(p === 'sensor' || p === 'binary_sensor');
    within(entity, DOCUMENTED[p]);
    assert.equal(expiry, 30);
    const named = [...String(template).matchAll(/value_json\.(\w+)/g)].map(([, name]) => name as string);
    assert.ok(named.length > 0 && named.every((name) => name in state), String(template));
  }
  assert.ok(String(entities[3]?.['value_template']).includes(String.raw`quality["gyr \"2\""]`), 'a quoted name');
  const other = discoveryTopic({ ...about, device: 'pi_1', modalities: [] });
  assert.notEqual(other, discoveryTopic({ ...about, modalities: [] }), 'names that differ keep different topics');
});
