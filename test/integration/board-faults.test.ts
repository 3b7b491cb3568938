import { syntheticMotion } from '../../agent/hw/sim/motion.ts';
import type { FaultEvent } from '../../agent/sensors/fault-watch.ts';
import { createImuSensor } from '../../agent/sensors/imu-sensor.ts';
import type { ChipName } from '../../agent/sensors/registry.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { type FaultRig, faultTable, type Injection, testBoardFaults } from '../contract/board-faults.ts';
import { openSimulatedBoard, type SimulatedPart } from '../fixtures/simulated-board.ts';

const SEED = 'board-faults';

for (const { names, hasFifo } of [
  { names: ['adxl345', 'l3gd20h'], hasFifo: true },
  { names: ['itg3200', 'adxl345'], hasFifo: false },
] as const) {
  testBoardFaults(
    `simulated ${names[0]} beside ${names[1]}`,
    hasFifo,
    () => openRig(names),
    (rows) => console.log(`\n${names.join(' + ')}, 100 Hz, faults of the first\n\n${faultTable(rows)}\n`),
  );
}

async function openRig(names: readonly [ChipName, ChipName]): Promise<FaultRig> {
  const { clock, nowUs, parts, board } = await openSimulatedBoard({
    names,
    motion: syntheticMotion(),
    rateHz: 100,
    seed: SEED,
  });
  const faults: FaultEvent[] = [];
  const sensor = createImuSensor({
    chips: board.chips,
    clock,
    nowUs,
    random: createRng(`${SEED}/sampler`).next,
    onFault: (event) => faults.push(event),
    log: silentLog,
  });
  const [first, other] = sensor.header.modalities;
  return {
    sensor,
    faults,
    modality: first?.name ?? '',
    other: other?.name ?? '',
    nowUs,
    run: (ms) => clock.advance(ms),
    begin: async (injection) => inject(parts[0] as SimulatedPart, injection, true),
    end: async (injection) => inject(parts[0] as SimulatedPart, injection, false),
    close: async () => {
      const closing = board.close();
      await clock.advance(10);
      await closing;
    },
  };
}

function inject({ wires, address, faults }: SimulatedPart, injection: Injection, begins: boolean): void {
  if (injection === 'contact lost' || injection === 'not read') wires.nackShare = begins ? 1 : 0;
  else if (injection === 'unplugged' && begins) wires.unplug(address);
  else if (injection === 'unplugged') wires.plugIn(address);
  else if (injection === 'bus hung') wires.hang(begins ? Number.POSITIVE_INFINITY : 1);
  else if (injection === 'power dip' && begins) {
    wires.unplug(address);
    wires.plugIn(address);
  } else if (injection === 'stuck') faults.stuck = begins;
  else if (injection === 'too strong') faults.gain = begins ? 1000 : 1;
  else if (injection === 'oscillator') faults.rateError = begins ? 0.15 : 0;
}
