/**
 * The board's fault matrix over a real kernel's buses. Two buses with an accelerometer and a gyroscope each in one guest:
 * on the first the accelerometer fails, on the second the gyroscope.
 * The board in the guest moves the time of all that is around it, the adapters' time-outs included, so each byte takes its real way through
 * the kernel and no row depends on how fast the guest is.
 * QQR_HARDWARE_MATRIX=both: the second bus, too.
 */
import { test } from 'node:test';
import { SIMULATED_CHIPS } from '../../agent/hw/sim/registry.ts';
import type { SimulatedChip } from '../../agent/hw/sim/simulated-chip.ts';
import { noFaults } from '../../agent/hw/sim/surroundings.ts';
import { createWires, type SimulatedWires } from '../../agent/hw/sim/wires.ts';
import { CHIPS, type ChipName } from '../../agent/sensors/registry.ts';
import { createRng } from '../../core/math/rng.ts';
import type { Injection } from '../contract/board-faults.ts';
import { type InjectedPart, injectFault } from '../fixtures/inject-fault.ts';
import { endlessWalk } from '../fixtures/quality-motion.ts';
import { createBoard } from './guest/board.ts';
import { missingGuest } from './guest/boot.ts';
import { createSteppedTime, type SteppedTime } from './guest/stepped-time.ts';
import { testsInGuest } from './guest/tests-in-guest.ts';
import { createGuestAdapter } from './guest/virtio-i2c.ts';
import { FAILING_PAIRS, LINES } from './inside/wiring.ts';

const SEED = 'guest-board-faults';
/** How many of the pairs. */
const BUSES = process.env['QQR_HARDWARE_MATRIX'] === 'both' ? 2 : 1;
/** Several times what a calm machine needs. */
const TIMEOUT_MS = 550_000;

interface FailingBus {
  readonly time: SteppedTime;
  readonly wires: SimulatedWires;
  readonly failing: InjectedPart;
}

/** The first of `names` is the one that things happen to. */
async function failingBus(names: readonly ChipName[], seed: string): Promise<FailingBus> {
  const time = createSteppedTime();
  const faults = noFaults();
  let isContactLost = false;
  const chips: SimulatedChip[] = [];
  for (const [index, name] of names.entries()) {
    const { address } = CHIPS[name];
    const { next: random } = createRng(`${seed}/${name}`);
    const own = index === 0 ? faults : noFaults();
    const chip = (await SIMULATED_CHIPS[name]())({ address, motion: endlessWalk, random, faults: own });
    chips.push(index === 0 ? Object.assign(chip, { answers: () => !isContactLost }) : chip);
  }
  const wires = createWires({ chips, nowUs: time.nowUs, random: createRng(`${seed}/contact`).next });
  const loseContact = (isLost: boolean) => {
    isContactLost = isLost;
  };
  return { time, wires, failing: { wires, faults, loseContact, address: CHIPS[names[0] as ChipName].address } };
}

function faultCalls(buses: readonly FailingBus[]) {
  return {
    /** @param bus index in `FAILING_PAIRS` @param begins else it ends @param unit of what the failing chip measures */
    inject: (bus: number, injection: Injection, begins: boolean, unit: string) =>
      injectFault((buses[bus] as FailingBus).failing, injection, begins, unit),
    moveTo: (bus: number, nowUs: number) => buses[bus]?.time.moveTo(nowUs),
    /** Transactions of this bus that wait for its adapter's time-out. */
    held: (bus: number) => (buses[bus] as FailingBus).time.waiting(),
  };
}

export type FaultCalls = ReturnType<typeof faultCalls>;

test('board faults', { skip: missingGuest() ?? false }, async (t) => {
  const buses = await Promise.all(
    FAILING_PAIRS.slice(0, BUSES).map((names, bus) => failingBus(names, `${SEED}/${bus}`)),
  );
  await testsInGuest(t, {
    program: 'board-faults',
    board: createBoard({ lines: LINES, random: () => 0.5 }),
    moreDevices: buses.map(({ wires, time }) => createGuestAdapter(() => wires, time.after)),
    calls: faultCalls(buses),
    args: [String(BUSES)],
    cpus: 1,
    timeoutMs: TIMEOUT_MS,
  });
});
