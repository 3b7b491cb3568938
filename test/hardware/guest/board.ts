/**
 * The board around the guest: simulated chips on its I2C bus, their interrupt pins on its GPIO lines. The simulation's clock is this
 * process's monotonic one unless the test brings its own, so the chips know the true instant of each of their samples whatever the
 * guest's clock does.
 */
import { wirePin } from '../../../agent/hw/gpio-sim.ts';
import type { SimulatedChip } from '../../../agent/hw/sim/simulated-chip.ts';
import { createWires, type SimulatedWires } from '../../../agent/hw/sim/wires.ts';
import { systemClock } from '../../../core/base/clock.ts';
import type { VirtioDevice } from './virtio-device.ts';
import { createGuestGpio, type GuestGpio, type Level } from './virtio-gpio.ts';
import { createGuestAdapter } from './virtio-i2c.ts';

export interface BoardParts {
  /** Number of GPIO lines. */
  readonly lines: number;
  /** Uniform in [0, 1): which messages a bad contact loses. */
  readonly random: () => number;
  /** The simulation's clock, microseconds. */
  readonly nowUs?: () => number;
  /** Called when the guest has changed the level of an output. */
  readonly onOutput?: (line: number, level: Level) => void;
}

export interface Board {
  /** What was mounted last, and the wires that it is on. */
  chips(): readonly SimulatedChip[];
  wires(): SimulatedWires;
  readonly gpio: GuestGpio;
  /** For the guest. */
  readonly devices: readonly VirtioDevice[];
  /**
   * Takes all chips off the bus and puts these on it.
   * @param interruptLines which line the interrupt pin of the chip at an address is wired to
   */
  mount(chips: readonly SimulatedChip[], interruptLines?: ReadonlyMap<number, number>): void;
  /** Lets go of the interrupt pins. */
  close(): void;
}

const monotonicUs = () => systemClock.nowMs() * 1000;

/** Nothing is mounted at first. */
export function createBoard({ lines, random, nowUs = monotonicUs, onOutput }: BoardParts): Board {
  const gpio = createGuestGpio(lines, onOutput);
  let pins = new AbortController();
  let mounted: readonly SimulatedChip[] = [];
  let wires = createWires({ chips: mounted, nowUs, random });
  return {
    chips: () => mounted,
    wires: () => wires,
    gpio,
    devices: [createGuestAdapter(() => wires), gpio.device],
    mount(chips, interruptLines = new Map()) {
      pins.abort();
      pins = new AbortController();
      mounted = chips;
      wires = createWires({ chips, nowUs, random });
      for (const [address, line] of interruptLines) {
        wirePin({ gpio, line, wires, address, clock: systemClock }, pins.signal);
      }
    },
    close: () => pins.abort(),
  };
}
