import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulatedGpio } from '../../agent/hw/gpio-sim.ts';
import { createReadPause } from '../../agent/sensors/read-pause.ts';
import { createManualClock } from '../fixtures/manual-clock.ts';

const LINE = 4;

async function open() {
  const clock = createManualClock();
  const gpio = createSimulatedGpio();
  const stopping = new AbortController();
  const pause = createReadPause(clock, await gpio.input(LINE, 'rising'));
  let endedMs: number | null = null;
  const wait = (leastMs: number, latestMs: number) => {
    endedMs = null;
    return pause.wait(leastMs, latestMs, stopping.signal).then(() => {
      endedMs = clock.nowMs();
    });
  };
  return { clock, gpio, stopping, pause, wait, endedMs: () => endedMs };
}

test('without a pin the pause ends by the clock', async () => {
  const clock = createManualClock();
  const waiting = createReadPause(clock, undefined).wait(0, 25, new AbortController().signal);
  await clock.advance(25);
  await waiting;
});

test('ends at the edge, and at once when the level is there already, but not sooner than asked', async () => {
  const { clock, gpio, wait, endedMs } = await open();
  wait(0, 100);
  await clock.advance(30);
  gpio.drive(LINE, 1);
  await clock.advance(1);
  assert.equal(endedMs(), 30);
  wait(0, 100);
  await clock.advance(1);
  assert.equal(endedMs(), 31);
  wait(20, 100);
  await clock.advance(19);
  assert.equal(endedMs(), null);
  await clock.advance(2);
  assert.equal(endedMs(), 52);
});

test('an edge that never comes does not hold the board up', async () => {
  const { clock, wait, endedMs } = await open();
  wait(20, 100);
  await clock.advance(99);
  assert.equal(endedMs(), null);
  await clock.advance(1);
  assert.equal(endedMs(), 100);
});

test('an abort ends it with the reason, and a thousand pauses leave nothing on the signal', async () => {
  const { clock, gpio, stopping, wait } = await open();
  let listeners = 0;
  const { addEventListener, removeEventListener } = stopping.signal;
  stopping.signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    listeners++;
    addEventListener.apply(stopping.signal, args);
  };
  stopping.signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    listeners--;
    removeEventListener.apply(stopping.signal, args);
  };
  for (let i = 0; i < 1000; i++) {
    const waiting = wait(0, 10);
    if (i % 2 === 0) gpio.drive(LINE, 1);
    await clock.advance(10);
    gpio.drive(LINE, 0);
    await waiting;
  }
  assert.equal(listeners, 0);
  const waiting = assert.rejects(wait(0, 10), /stopped/);
  await clock.advance(1);
  stopping.abort(new Error('stopped'));
  await waiting;
});
