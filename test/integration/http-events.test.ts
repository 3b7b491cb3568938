/** Live events of the HTTP API: what boards say and what is refused as it happens, in order, and without a gap for who comes back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../core/base/clock.ts';
import { createMqttTransport } from '../../core/link/mqtt.ts';
import { type BoardState, encodeBoardState } from '../../core/wire/board-state.ts';
import { topics } from '../../core/wire/topics.ts';
import { readEvents } from '../fixtures/event-reader.ts';
import { getJson, startHttpFleet } from '../fixtures/http-fleet.ts';

const LIMIT = { timeout: 30_000 };

test('what boards say of themselves is shown as it is now, and told when it changes', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const transport = createMqttTransport({
    ...{ url: fleet.server.url, clientId: 'pi-1', clean: true, startup: 'require' },
    ...{ clock: systemClock, random: () => 0.5 },
  });
  await transport.start(new AbortController().signal);
  t.after(() => transport.stop());
  const reader = await readEvents(`${fleet.api}/events`);
  t.after(() => reader.stop());
  const walking: BoardState = {
    ...{ online: true, activity: 'walk', confidence: 0.9, modelVersion: 3 },
    ...{ quality: { acc: 0.98, gyr: null }, faults: ['l3gd20h@1:0x6b: unplugged'] },
  };
  const topic = topics('default').state('pi-1');
  const say = (state: BoardState) => transport.publish(topic, encodeBoardState(state), { qos: 1 });
  await transport.publish(topic, new TextEncoder().encode('{"online": "yes"}'), { qos: 1 });
  await say(walking);
  await say({ ...walking, confidence: 0.8 });
  await say({ ...walking, activity: 'rest' });
  await reader.until(({ type, data }) => type === 'state' && data['activity'] === 'rest');
  const told = reader.events
    .filter(({ type }) => type === 'state')
    .map(({ data }) => [data['device'], data['activity']]);
  assert.deepEqual(told, [
    ['pi-1', 'walk'],
    ['pi-1', 'rest'],
  ]);
  const { states } = await getJson<{ states: Record<string, BoardState & { atMs: number }> }>(`${fleet.api}/states`);
  const { atMs, ...said } = states['pi-1'] as BoardState & { atMs: number };
  assert.deepEqual(said, { ...walking, activity: 'rest' });
  assert.ok(Math.abs(Date.now() - atMs) < 30_000);
});

test('refused updates are told with board and reason', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 2, max: 1, quorum: 0.5 } } });
  const reader = await readEvents(`${fleet.api}/events`);
  t.after(() => reader.stop());
  const [good, bad] = [fleet.board('good'), fleet.board('bad', () => null)];
  await bad.start();
  await bad.send(Uint8Array.of(255, 255, 255));
  await bad.send(new Uint8Array(0));
  await good.start();
  await fleet.closed(1);
  await bad.say('offline');
  await reader.until(({ type, data }) => type === 'board' && data['state'] === 'offline');
  const { sinceStart, newest } = await getJson<{ sinceStart: object; newest: { device: string; reason: string }[] }>(
    `${fleet.api}/rejections`,
  );
  assert.deepEqual(sinceStart, { 'malformed': 1, 'wrong-protocol': 1 });
  assert.deepEqual(
    newest.map(({ device, reason }) => [device, reason]),
    [
      ['bad', 'wrong-protocol'],
      ['bad', 'malformed'],
    ],
  );
  const { device } = await getJson<{ device: { state: string; counted: number; refused: object } }>(
    `${fleet.api}/devices/bad`,
  );
  assert.deepEqual(
    [device.state, device.counted, device.refused],
    ['offline', 0, { 'malformed': 1, 'wrong-protocol': 1 }],
  );
});

test('a listener hears of everything in order, and goes on where it was', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t, { config: { rounds: { boards: 2, max: 3, quorum: 1 } } });
  const { lastEventId } = await getJson<{ lastEventId: string }>(`${fleet.api}/fleet`);
  const reader = await readEvents(`${fleet.api}/events?after=${lastEventId}`);
  t.after(() => reader.stop());
  for (const device of ['a', 'b']) await fleet.board(device).start();
  const middle = await reader.until(({ type, data }) => type === 'round-closed' && data['round'] === 1);
  await reader.until(({ type, data }) => type === 'round-closed' && data['round'] === 3);
  const numbers = reader.events.map(({ id }) => Number(id.split('-')[1]));
  assert.deepEqual(
    numbers,
    numbers.map((_, i) => (numbers[0] as number) + i),
    'no number is left out',
  );
  const ofRound = (round: number) =>
    reader.events.filter(({ data }) => data['round'] === round).map(({ type }) => type);
  assert.deepEqual(ofRound(2), ['round-opened', 'update-counted', 'update-counted', 'round-closed']);
  const counted = reader.events.find(({ type }) => type === 'update-counted')?.data;
  assert.deepEqual(Object.keys(counted ?? {}).sort(), [
    ...['accuracy', 'arrivedMs', 'atMs', 'backlog', 'bytes', 'device', 'modalities', 'round', 'windows'],
  ]);

  const back = await readEvents(`${fleet.api}/events`, { 'Last-Event-ID': middle.id });
  t.after(() => back.stop());
  await back.until(({ type, data }) => type === 'round-closed' && data['round'] === 3);
  const missed = reader.events.slice(reader.events.indexOf(middle) + 1);
  assert.deepEqual(back.events, missed);

  for (const unknown of ['0-1', `${lastEventId.split('-')[0]}-999999`, 'nonsense']) {
    const lost = await readEvents(`${fleet.api}/events?after=${unknown}`);
    assert.equal((await lost.until(() => true)).type, 'reset', unknown);
    lost.stop();
  }
});

test('the server ends its listeners when it stops', LIMIT, async (t) => {
  const fleet = await startHttpFleet(t);
  const reader = await readEvents(`${fleet.api}/events`);
  await fleet.server.stop();
  await reader.ended;
  await assert.rejects(fetch(`${fleet.api}/fleet`));
});
