/** The bus contract over the simulator, whose transactions take no time or their own, and over the kernel's bus with the package replaced. */
import { linuxI2c } from '../../agent/hw/i2c-linux.ts';
import { createSimulatedBus } from '../../agent/hw/i2c-sim.ts';
import { createWires } from '../../agent/hw/sim/wires.ts';
import { systemClock } from '../../core/base/clock.ts';
import { createRng } from '../../core/math/rng.ts';
import { createFakeI2cBus } from '../fixtures/fake-i2c-bus.ts';
import { createRegisterFileChip } from '../fixtures/register-file-chip.ts';
import { type BusUnderTest, i2cBusContract } from './i2c-bus.ts';

const ADDRESS = 0x42;

function wiresWithChip() {
  const nowUs = () => systemClock.nowMs() * 1000;
  return createWires({ chips: [createRegisterFileChip(ADDRESS)], nowUs, random: createRng(1).next });
}

async function openSimulated(speedHz: number): Promise<BusUnderTest> {
  const wires = wiresWithChip();
  const bus = createSimulatedBus({ wires, clock: systemClock, speedHz, timeoutMs: 5 });
  return {
    bus,
    address: ADDRESS,
    absent: 0x43,
    unplug: async () => wires.unplug(ADDRESS),
    plugIn: async () => wires.plugIn(ADDRESS),
    hang: async () => wires.hang(Number.POSITIVE_INFINITY),
    free: async () => wires.hang(1),
    close: () => bus.close(),
  };
}

async function openLinux(): Promise<BusUnderTest> {
  const wires = wiresWithChip();
  const module = createFakeI2cBus(wires);
  const bus = await linuxI2c({ load: async () => module, timeoutMs: 50 })(1);
  return {
    bus,
    address: ADDRESS,
    absent: 0x43,
    unplug: async () => wires.unplug(ADDRESS),
    plugIn: async () => wires.plugIn(ADDRESS),
    hang: async () => module.hang(),
    free: async () => module.free(),
    close: () => bus.close(),
  };
}

i2cBusContract('simulator', () => openSimulated(0));
i2cBusContract('simulator at 1 MHz', () => openSimulated(1_000_000));
i2cBusContract('i2c-linux.ts over a fake package', openLinux);
