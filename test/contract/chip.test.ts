/** The drivers' contract on the simulated bus, with the simulator's models under them: every chip that can be configured. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSimulatedBus } from '../../agent/hw/i2c-sim.ts';
import { SIMULATED_CHIPS } from '../../agent/hw/sim/registry.ts';
import { noFaults } from '../../agent/hw/sim/surroundings.ts';
import { createWires } from '../../agent/hw/sim/wires.ts';
import { CHIP_NAMES, type ChipName } from '../../agent/sensors/registry.ts';
import { type ChipRig, testChips } from './chip.ts';
import { restMotion, sawMotion } from './chip-motion.ts';

test('every chip that can be configured is simulated too', () => {
  assert.deepEqual(Object.keys(SIMULATED_CHIPS), CHIP_NAMES);
});

/** Time is what sleeping and the bus, at 400 kHz, make of it. */
async function open(name: ChipName, address: number, motion: 'saw' | 'rest'): Promise<ChipRig> {
  let nowMs = 1000;
  const nowUs = () => nowMs * 1000;
  const sleep = async (ms: number) => {
    nowMs += ms;
  };
  const chip = (await SIMULATED_CHIPS[name]())({
    address,
    motion: motion === 'saw' ? sawMotion : restMotion,
    random: () => 0.5,
    faults: noFaults(),
    noise: 0,
  });
  const wires = createWires({ chips: [chip], nowUs, random: () => 0.5 });
  const clock = { nowMs: () => nowMs, wallMs: () => nowMs, sleep };
  return {
    bus: createSimulatedBus({ wires, clock, speedHz: 400_000 }),
    nowUs,
    sleep,
    isOnItsClock: true,
    powerCycle: async () => chip.powerCycle(nowUs()),
    async measured() {
      chip.interrupt(nowUs()); // takes the samples that are due
      return chip.measured();
    },
    interruptLevel: async () => chip.interrupt(nowUs()).level,
    close: async () => undefined,
  };
}

testChips('the simulated bus', open, CHIP_NAMES);
