import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSerialQueue } from '../../agent/hw/serial-queue.ts';
import type { BoardChip } from '../../agent/sensors/board-chips.ts';
import type { FaultEvent } from '../../agent/sensors/fault-watch.ts';
import { createImuSensor } from '../../agent/sensors/imu-sensor.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import type { SampleBlock, StreamEvent } from '../../core/stream/event.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createScriptedChip, type ScriptedChip } from '../fixtures/scripted-chip.ts';

function open(layout: readonly (readonly string[])[], changed: Partial<BoardChip> = {}) {
  const clock = createManualClock();
  const nowUs = () => 1000 * clock.nowMs();
  const scripted = layout.map((names) => createScriptedChip(names, nowUs));
  const faults: FaultEvent[] = [];
  const bus = { recover: async () => undefined } as BoardChip['bus'];
  const chips = scripted.map(
    (chip, i): BoardChip => ({
      id: `chip${i}`,
      chip,
      bus,
      inTurn: createSerialQueue(),
      axes: ['x', 'y', 'z'],
      ...changed,
    }),
  );
  const make = () =>
    createImuSensor({
      chips,
      clock,
      nowUs,
      random: createRng('imu').next,
      onFault: (event) => faults.push(event),
      log: silentLog,
    });
  return { clock, nowUs, scripted: scripted as [ScriptedChip, ...ScriptedChip[]], faults, make };
}

async function collect(sensor: ReturnType<typeof createImuSensor>, fromUs = 0) {
  const stopping = new AbortController();
  const events: StreamEvent[] = [];
  const taking = (async () => {
    for await (const event of sensor.events(fromUs, stopping.signal)) events.push(event);
  })();
  const samplesOf = (modality: number) =>
    events.filter((event): event is SampleBlock => event.kind === 'samples' && event.modality === modality);
  const end = async () => {
    stopping.abort();
    await taking;
  };
  return { events, samplesOf, end };
}

test('two chips are one stream: the header of both, blocks by modality, and one fails alone', async () => {
  const { clock, scripted, faults, make } = open([['acc'], ['gyr']]);
  const sensor = make();
  assert.deepEqual(
    sensor.header.modalities.map(({ name }) => name),
    ['acc', 'gyr'],
  );
  assert.equal(sensor.finite, false);
  await sensor.start(new AbortController().signal);
  const { samplesOf, end } = await collect(sensor);
  await clock.advance(3000);
  scripted[0].every = 'bus-no-answer';
  await clock.advance(3000);
  const count = (modality: number) => samplesOf(modality).reduce((sum, { tUs }) => sum + tUs.length, 0);
  assert.ok(count(0) > 280 && count(0) <= 300, `${count(0)}`);
  assert.ok(count(1) > 580, `${count(1)}`);
  assert.ok(faults.every(({ chip, modalities }) => chip === 'chip0' && modalities.join() === 'acc'));
  await end();
  await sensor.stop();
});

test('two chips with one modality, none, or a mirrored mounting are settings that cannot be', () => {
  assert.throws(() => open([['acc', 'gyr'], ['gyr']]).make(), { code: 'config-invalid' });
  assert.throws(() => open([]).make(), { code: 'config-invalid' });
  assert.throws(() => open([['acc']], { axes: ['x', 'y', '-z'] }).make(), { code: 'config-invalid' });
});

test('calibration and mounting reach the stream, faults look at what the chip said', async () => {
  const calibration = {
    date: '',
    temperatureC: null,
    modalities: { acc: { bias: [0, 0, 1], scale: [1, 1, 0.5] } },
  } as const;
  const { clock, make } = open([['acc', 'gyr']], { calibration, axes: ['z', 'x', 'y'] });
  const sensor = make();
  await sensor.start(new AbortController().signal);
  const { samplesOf, end } = await collect(sensor);
  await clock.advance(1000);
  const first = samplesOf(0)[0]?.values;
  assert.deepEqual([first?.[0], first?.[1], first?.[2]], [4, 1, 0], '(9 − 1) / 2, then x, then y');
  assert.equal(samplesOf(1)[0]?.values[0], 9, 'the gyroscope is not calibrated here');
  await end();
  await sensor.stop();
});

test('labels join the stream and never go back', async () => {
  const { clock, make } = open([['acc']]);
  const sensor = make();
  const { events, end } = await collect(sensor);
  await clock.advance(2000);
  sensor.label('walking');
  await clock.advance(10);
  sensor.label('sitting', 1_500_000);
  await clock.advance(10);
  sensor.label(null, 3_000_000);
  await clock.advance(10);
  assert.deepEqual(events, [
    { kind: 'label', tUs: 2_000_000, label: 'walking' },
    { kind: 'label', tUs: 2_000_000, label: 'sitting' },
    { kind: 'label', tUs: 3_000_000, label: null },
  ]);
  await end();
});

test('nothing earlier than asked for is told, not even part of a block', async () => {
  const { clock, make } = open([['acc']]);
  const sensor = make();
  await sensor.start(new AbortController().signal);
  await clock.advance(2000);
  const { samplesOf, end } = await collect(sensor, 1_005_000);
  await clock.advance(1000);
  const blocks = samplesOf(0);
  const first = blocks[0];
  assert.ok(first !== undefined && (first.tUs[0] ?? 0) >= 1_005_000 && (first.tUs[0] ?? 0) < 1_016_000);
  for (const { tUs, values } of blocks) assert.equal(values.length, 3 * tUs.length);
  await end();
  await sensor.stop();
});

test('progress stands still when one of two loops does', async () => {
  const { clock, scripted, make } = open([['acc'], ['gyr']]);
  const sensor = make();
  await sensor.start(new AbortController().signal);
  await clock.advance(1000);
  const turning = sensor.progress();
  await clock.advance(1000);
  assert.ok(sensor.progress() > turning);
  (scripted[1] as ScriptedChip).read = () => new Promise(() => undefined);
  await clock.advance(1000);
  sensor.progress();
  const stalled = sensor.progress();
  await clock.advance(60_000);
  assert.equal(sensor.progress(), stalled);
});

test('nobody takes the stream for ten minutes: memory is bounded, what was dropped is counted', async () => {
  const { clock, make } = open([['acc', 'gyr']]);
  const sensor = make();
  await sensor.start(new AbortController().signal);
  await clock.advance(600_000);
  const { overrun } = sensor.stats();
  assert.ok(overrun > 90_000, `${overrun}`);
  const { samplesOf, end } = await collect(sensor);
  await clock.advance(100);
  assert.ok(samplesOf(0).length + samplesOf(1).length <= 2010);
  await end();
  await sensor.stop();
});

test('a defect in a loop ends the stream with its reason', async () => {
  const { clock, scripted, make } = open([['acc']]);
  const sensor = make();
  await sensor.start(new AbortController().signal);
  const ended = assert.rejects(async () => {
    for await (const _ of sensor.events(0, new AbortController().signal));
  }, /defect/);
  scripted[0].read = () => Promise.reject(new Error('defect'));
  await clock.advance(500);
  await ended;
});

test('a chip of another kind at start ends it, and the other chip is left alone', async () => {
  const { clock, scripted, make } = open([['acc'], ['gyr']]);
  scripted[1]?.next.push('chip-unknown');
  const sensor = make();
  await assert.rejects(sensor.start(new AbortController().signal), { code: 'chip-unknown' });
  await clock.advance(1000);
  const reads = scripted[0].calls.read;
  await clock.advance(5000);
  assert.equal(scripted[0].calls.read, reads);
});
