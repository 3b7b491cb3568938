import { syntheticMotion } from '../../agent/hw/sim/motion.ts';
import { faultTable, testBoardFaults } from '../contract/board-faults.ts';
import { openSimulatedRig } from '../fixtures/simulated-fault-rig.ts';

const SEED = 'board-faults';

for (const { names, hasFifo } of [
  { names: ['adxl345', 'l3gd20h'], hasFifo: true },
  { names: ['itg3200', 'adxl345'], hasFifo: false },
] as const) {
  testBoardFaults(
    `simulated ${names[0]} beside ${names[1]}`,
    hasFifo,
    () => openSimulatedRig({ names, motion: syntheticMotion(), rateHz: 100, seed: SEED }),
    (rows) => console.log(`\n${names.join(' + ')}, 100 Hz, faults of the first\n\n${faultTable(rows)}\n`),
  );
}
