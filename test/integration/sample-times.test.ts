import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createImuSensor } from '../../agent/sensors/imu-sensor.ts';
import type { ChipName } from '../../agent/sensors/registry.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { phaseAt, SAWS, sawMotion } from '../contract/chip-motion.ts';
import { openSimulatedBoard, type SimulatedPart } from '../fixtures/simulated-board.ts';

/** Until the oscillator is known. */
const SETTLED_S = 8;

for (const { name, rateHz, fifo, seconds } of [
  { name: 'mpu6050', rateHz: 100, fifo: true, seconds: 20 },
  { name: 'mpu6050', rateHz: 1000, fifo: true, seconds: 12 },
  { name: 'lsm6dsox', rateHz: 104, fifo: true, seconds: 20 },
  { name: 'bmi160', rateHz: 100, fifo: true, seconds: 20 },
  { name: 'icm20948', rateHz: 100, fifo: true, seconds: 20 },
  { name: 'mpu6050', rateHz: 100, fifo: false, seconds: 12 },
] as const) {
  test(`${name} at ${rateHz} Hz ${fifo ? '' : 'without its FIFO '}with an oscillator 3 % off: every sample, its time within a millisecond`, async () => {
    const { worstMs, lost, rateError } = await sampled(name, rateHz, fifo, seconds);
    console.log(`  ${worstMs.toFixed(3)} ms, ${lost} lost, rate ${(100 * rateError).toFixed(4)} %`);
    assert.equal(lost, 0);
    assert.ok(worstMs < 1, `${worstMs} ms`);
    assert.ok(rateError < 0.001, `rate off by ${100 * rateError} %`);
  });
}

async function sampled(name: ChipName, rateHz: number, fifo: boolean, seconds: number) {
  const { clock, nowUs, parts, board } = await openSimulatedBoard({
    names: [name],
    motion: sawMotion,
    noise: 0,
    rateHz,
    seed: 'sample-times',
    settings: { fifo },
  });
  const { simulated, faults } = parts[0] as SimulatedPart;
  faults.rateError = 0.03;
  const { next: random } = createRng('sample-times/sampler');
  const sensor = createImuSensor({ chips: board.chips, clock, nowUs, random, log: silentLog });
  const stopping = new AbortController();
  const times: number[] = [];
  let firstPhase = 0;
  const taking = (async () => {
    for await (const event of sensor.events(0, stopping.signal)) {
      if (event.kind !== 'samples' || event.modality !== 0) continue;
      if (times.length === 0) firstPhase = (event.values[0] ?? 0) / (SAWS['acc']?.height ?? 1) + 0.5;
      times.push(...event.tUs);
    }
  })();
  const started = sensor.start(stopping.signal);
  await clock.advance(seconds * 1000);
  await started;
  const stats = Object.values(sensor.stats().chips)[0];
  const first = indexAt(simulated, firstPhase);
  // The newest that was read is the newest that was there: the interval between two reads back at most.
  const measured = simulated.measured() - first;
  const waiting = Math.ceil(0.11 * rateHz * 1.03);
  let worstMs = 0;
  for (const [i, tUs] of times.entries()) {
    const trueUs = simulated.sampleTimeUs(first + i);
    if (i > SETTLED_S * rateHz) worstMs = Math.max(worstMs, Math.abs(tUs - trueUs) / 1000);
  }
  stopping.abort();
  const stopped = sensor.stop();
  await clock.advance(100);
  await Promise.all([taking, stopped]);
  assert.deepEqual(stats?.raised, []);
  const trueHz = (1e6 * 100) / (simulated.sampleTimeUs(first + 200) - simulated.sampleTimeUs(first + 100));
  const rateError = Math.abs((stats?.rateHz[0] ?? 0) / trueHz - 1);
  return { worstMs, lost: Math.max(0, measured - times.length - waiting), rateError };
}

/** Which of the chip's samples the first is by its value; those before were measured before the FIFO began. */
function indexAt(simulated: SimulatedPart['simulated'], phase: number): number {
  const from = simulated.firstSinceRateChange();
  const distance = (index: number) => {
    const apart = Math.abs(phaseAt(simulated.sampleTimeUs(index)) - phase);
    return Math.min(apart, 1 - apart);
  };
  let best = from;
  for (let index = from; index < from + 50; index++) if (distance(index) < distance(best)) best = index;
  return best;
}
