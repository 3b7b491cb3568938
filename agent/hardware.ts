/** The board's buses and pins: the kernel's, or simulated ones with the chips that the settings name (`--sim`). */
import { type Clock, systemClock } from '../core/base/clock.ts';
import { createRng } from '../core/math/rng.ts';
import type { Gpio } from './hw/gpio.ts';
import { linuxGpio } from './hw/gpio-linux.ts';
import { createSimulatedGpio, wirePin } from './hw/gpio-sim.ts';
import type { OpenI2cBus } from './hw/i2c.ts';
import { linuxI2c } from './hw/i2c-linux.ts';
import { simulatedI2c } from './hw/i2c-sim.ts';
import type { RecordedMotion } from './hw/sim/motion.ts';
import { recordedMotion, syntheticMotion } from './hw/sim/motion.ts';
import { SIMULATED_CHIPS } from './hw/sim/registry.ts';
import type { MotionSource, SimulatedChip } from './hw/sim/simulated-chip.ts';
import { noFaults } from './hw/sim/surroundings.ts';
import { createWires, type SimulatedWires } from './hw/sim/wires.ts';
import type { ConfiguredChip } from './sensors/board-chips.ts';

export interface Hardware {
  readonly openBus: OpenI2cBus;
  readonly gpio: Gpio;
}

/** @param gpioChip label, as in `gpio.chip` */
export function kernelHardware(gpioChip: string | undefined): Hardware {
  return { openBus: linuxI2c(), gpio: linuxGpio(gpioChip === undefined ? {} : { chip: gpioChip }) };
}

/** A board with these chips, moved by a recording, as `moved` says, or by a synthetic walk. Until the signal aborts. */
export async function simulatedHardware(
  chips: readonly ConfiguredChip[],
  moved: RecordedMotion | MotionSource | null,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<Hardware & { readonly buses: ReadonlyMap<number, SimulatedWires> }> {
  const startMs = clock.nowMs();
  const nowUs = () => (clock.nowMs() - startMs) * 1000;
  const motion = typeof moved === 'function' ? moved : moved ? recordedMotion(moved, 'loop') : syntheticMotion();
  const gpio = createSimulatedGpio();
  const buses = new Map<number, SimulatedWires>();
  for (const bus of new Set(chips.map((chip) => chip.bus))) {
    const onBus: SimulatedChip[] = [];
    for (const { chip, address } of chips.filter((each) => each.bus === bus)) {
      const create = await SIMULATED_CHIPS[chip]();
      const random = createRng(`simulated ${chip} at ${bus}:${address}`).next;
      onBus.push(create({ address, motion, random, faults: noFaults() }));
    }
    buses.set(bus, createWires({ chips: onBus, nowUs, random: createRng(`simulated bus ${bus}`).next }));
  }
  for (const { bus, address, dataReadyLine } of chips) {
    const wires = buses.get(bus);
    if (dataReadyLine === undefined || wires === undefined) continue;
    wirePin({ gpio, line: dataReadyLine, wires, address, clock }, signal);
  }
  return { openBus: simulatedI2c(buses, { clock }), gpio, buses };
}
