import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSerialQueue } from '../../agent/hw/serial-queue.ts';
import type { FaultEvent } from '../../agent/sensors/fault-watch.ts';
import { createSampler } from '../../agent/sensors/sampler.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';
import { createScriptedChip } from '../fixtures/scripted-chip.ts';

function open(options: Parameters<typeof createScriptedChip>[2] = {}) {
  const clock = createManualClock();
  const nowUs = () => 1000 * clock.nowMs();
  const chip = createScriptedChip(['acc', 'gyr'], nowUs, options);
  const faults: FaultEvent[] = [];
  const times: number[] = [];
  const stopping = new AbortController();
  let recoveries = 0;
  const sampler = createSampler({
    chip,
    id: 'scripted@1:0x68',
    bus: {
      recover: async () => {
        recoveries++;
      },
    },
    inTurn: createSerialQueue(),
    clock,
    nowUs,
    random: createRng('sampler').next,
    onSamples: (modality, tUs) => {
      if (modality === 0) times.push(...tUs);
    },
    onFault: (event) => faults.push(event),
    log: silentLog,
  });
  return {
    chip,
    clock,
    faults,
    times,
    sampler,
    stopping,
    nowUs,
    recoveries: () => recoveries,
    phases: () => faults.map(({ fault, phase }) => `${fault} ${phase}`),
    longestPauseMs: (sinceUs = 0) =>
      Math.max(...times.slice(1).map((tUs, i) => (tUs > sinceUs ? (tUs - (times[i] ?? 0)) / 1000 : 0))),
  };
}

test('a single missing acknowledge is tried again at once, counted, and is no fault', async () => {
  const { chip, clock, faults, sampler, stopping, longestPauseMs } = open();
  await sampler.start(stopping.signal);
  await clock.advance(2000);
  chip.next.push('bus-no-answer', 'bus-no-answer');
  await clock.advance(2000);
  assert.deepEqual(faults, []);
  assert.equal(sampler.stats().retries, 2);
  assert.ok(longestPauseMs() < 15, `${longestPauseMs()} ms`);
});

test('a chip that was away for a moment and kept its settings goes on without being set up, and without a hole', async () => {
  const { chip, clock, sampler, stopping, phases, longestPauseMs } = open();
  await sampler.start(stopping.signal);
  await clock.advance(2000);
  chip.every = 'bus-no-answer';
  await clock.advance(150);
  chip.every = null;
  await clock.advance(2000);
  assert.deepEqual(phases(), ['no-answer raised', 'no-answer cleared']);
  assert.equal(sampler.stats().setUps, 1);
  assert.ok(longestPauseMs() < 15, `${longestPauseMs()} ms`);
});

test('a chip without power for minutes is called ever more seldom, at least every five seconds, and comes back', async () => {
  const { chip, clock, faults, sampler, stopping, phases, nowUs, times } = open();
  await sampler.start(stopping.signal);
  await clock.advance(2000);
  chip.every = 'bus-no-answer';
  chip.reset();
  const beganUs = nowUs();
  await clock.advance(120_000);
  const attempts = chip.calls.isConfigured;
  assert.ok(attempts > 3 * 24 && attempts < 400, `${attempts} attempts in two minutes, three each`);
  assert.deepEqual(phases(), ['no-answer raised', 'unplugged raised']);
  assert.ok((faults[1]?.tUs ?? 0) - beganUs < 1_200_000);
  chip.every = null;
  const backUs = nowUs();
  await clock.advance(6000);
  assert.deepEqual(phases().slice(2), ['no-answer cleared', 'unplugged cleared']);
  assert.ok((times.find((tUs) => tUs > backUs) ?? Number.POSITIVE_INFINITY) < backUs + 5_200_000);
  assert.ok(!times.some((tUs) => tUs > beganUs + 100_000 && tUs <= backUs), 'nothing is made up for the gap');
  for (let i = 0; i < 5; i++) {
    chip.every = 'bus-no-answer';
    await clock.advance(150);
    chip.every = null;
    const onceMoreUs = nowUs();
    await clock.advance(700);
    assert.ok((times.at(-1) ?? 0) > onceMoreUs, 'the next failure is met with short pauses again');
    await clock.advance(2000);
  }
});

test('a chip that is absent at start is a fault, and sampled when it comes', async () => {
  const { chip, clock, sampler, stopping, phases, times } = open();
  chip.every = 'bus-no-answer';
  await sampler.start(stopping.signal);
  await clock.advance(3000);
  assert.deepEqual(phases(), ['no-answer raised', 'unplugged raised']);
  chip.every = null;
  await clock.advance(6000);
  assert.ok(times.length > 50);
});

test('another kind of chip ends the start; later it is a fault', async () => {
  const early = open();
  early.chip.every = 'chip-unknown';
  await assert.rejects(
    early.sampler.start(early.stopping.signal),
    (error) => error instanceof AppError && error.code === 'chip-unknown',
  );
  const late = open();
  await late.sampler.start(late.stopping.signal);
  await late.clock.advance(1500);
  late.chip.reset();
  late.chip.every = 'chip-unknown';
  await late.clock.advance(3000);
  late.chip.every = null;
  await late.clock.advance(6000);
  assert.ok(late.phases().includes('wrong-chip raised') && late.phases().includes('wrong-chip cleared'));
});

test('a stuck bus is recovered before each further attempt, and the chip set up anew', async () => {
  const { chip, clock, sampler, stopping, phases, recoveries } = open();
  await sampler.start(stopping.signal);
  await clock.advance(1000);
  chip.every = 'bus-hung';
  await clock.advance(2000);
  assert.ok(recoveries() >= 3, `${recoveries()} recoveries`);
  chip.every = null;
  await clock.advance(6000);
  assert.deepEqual(phases(), ['bus-hung raised', 'bus-hung cleared']);
  assert.equal(sampler.stats().setUps, 2);
});

test('a chip that lost its settings is found within a second and set up anew; times begin a new run later', async () => {
  const { chip, clock, sampler, stopping, phases, times, nowUs, faults } = open();
  await sampler.start(stopping.signal);
  await clock.advance(5000);
  chip.reset();
  const beganUs = nowUs();
  await clock.advance(3000);
  assert.deepEqual(phases(), ['reset raised', 'reset cleared']);
  assert.ok((faults[0]?.tUs ?? 0) - beganUs <= 1_100_000);
  for (let i = 1; i < times.length; i++) assert.ok((times[i] ?? 0) > (times[i - 1] ?? 0));
});

test('an overflow is a fault that is over with the next samples, and a hole in time', async () => {
  const { chip, clock, sampler, stopping, phases, longestPauseMs } = open();
  await sampler.start(stopping.signal);
  await clock.advance(3000);
  chip.overflowNext = true;
  await clock.advance(2000);
  assert.deepEqual(phases(), ['overflow raised', 'overflow cleared']);
  assert.ok(longestPauseMs() > 20, `${longestPauseMs()} ms`);
});

test('a chip that answers but measures nothing is named and set up anew, ever more seldom', async () => {
  const { chip, clock, sampler, stopping, phases } = open();
  await sampler.start(stopping.signal);
  await clock.advance(3000);
  chip.silent = true;
  await clock.advance(2500);
  assert.deepEqual(phases(), ['wrong-rate raised', 'wrong-rate raised'], 'one for each modality');
  await clock.advance(60_000);
  const { setUps } = sampler.stats();
  assert.ok(setUps > 5 && setUps < 25, `${setUps} set-ups in a minute`);
  chip.silent = false;
  await clock.advance(9000);
  assert.deepEqual(phases().slice(2), ['wrong-rate cleared', 'wrong-rate cleared']);
});

test('a chip that is stuck is set up anew once, and not for ever', async () => {
  const { chip, clock, sampler, stopping, phases } = open();
  await sampler.start(stopping.signal);
  await clock.advance(3000);
  chip.stuck = true;
  await clock.advance(30_000);
  assert.deepEqual(phases(), ['stuck raised', 'stuck raised']);
  assert.equal(sampler.stats().setUps, 2);
});

test('progress shows a loop that turns, whether the chip answers or not, and one that does not', async () => {
  const { chip, clock, sampler, stopping } = open();
  await sampler.start(stopping.signal);
  for (const code of [null, 'bus-no-answer', 'bus-hung'] as const) {
    chip.every = code;
    for (let i = 0; i < 5; i++) {
      const before = sampler.progress();
      await clock.advance(5001);
      assert.ok(sampler.progress() > before, `${code}`);
    }
  }
  chip.every = null;
  chip.read = () => new Promise(() => undefined);
  await clock.advance(10_000);
  const before = sampler.progress();
  await clock.advance(60_000);
  assert.equal(sampler.progress(), before);
});

test('stopped, it puts the chip to sleep and touches it no more', async () => {
  const { chip, clock, sampler, stopping } = open();
  await sampler.start(stopping.signal);
  await clock.advance(1000);
  stopping.abort(new Error('stopped'));
  await sampler.finished();
  const { read, sleep } = chip.calls;
  assert.equal(sleep, 1);
  await clock.advance(1000);
  assert.deepEqual([chip.calls.read, chip.calls.sleep], [read, 1]);
});

test('a defect ends the loop and is told', async () => {
  const { chip, clock, sampler, stopping } = open();
  await sampler.start(stopping.signal);
  const ended = assert.rejects(sampler.finished(), /defect/);
  chip.read = () => Promise.reject(new Error('defect'));
  await clock.advance(500);
  await ended;
});

test('a chip without a FIFO is read about as often as it measures, and loses nothing', async () => {
  const { chip, clock, sampler, stopping, longestPauseMs, times } = open({ fifoSeconds: 0 });
  await sampler.start(stopping.signal);
  await clock.advance(10_000);
  assert.ok(times.length > 990, `${times.length} samples`);
  assert.ok(longestPauseMs(5e6) < 11, `${longestPauseMs(5e6)} ms`);
  assert.ok(chip.calls.read < 4000, `${chip.calls.read} reads for ${times.length} samples`);
});
