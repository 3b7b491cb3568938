/**
 * Every simulated chip, in one place, by the name that it has in the settings. A model is loaded when it is asked for.
 */
import { type Part, PoweredChip, type TimedChip } from './powered-chip.ts';
import { Surroundings, type SurroundingsParts } from './surroundings.ts';

export interface SimulatedChipParts extends SurroundingsParts {
  /** 7 bits: where the board's wiring put it. */
  readonly address: number;
}

export type SimulatedChipFactory = (parts: SimulatedChipParts) => TimedChip;

/** A part that needs its surroundings only. */
function alone(create: () => Part): SimulatedChipFactory {
  return (parts) => new PoweredChip(parts.address, create(), new Surroundings(parts));
}

async function mpu(name: 'MPU_6050' | 'MPU_6500' | 'MPU_9250'): Promise<SimulatedChipFactory> {
  const { MpuPart } = await import('./mpu6050.ts');
  const tables = await import('./mpu-tables.ts');
  return alone(() => new MpuPart(tables[name]));
}

// One entry a chip, in alphabetical order.
export const SIMULATED_CHIPS = {
  adxl345: async () => {
    const { Adxl345Part } = await import('./adxl345.ts');
    return alone(() => new Adxl345Part());
  },
  bmi160: async () => {
    const { Bmi160Part } = await import('./bmi160.ts');
    return alone(() => new Bmi160Part());
  },
  icm20948: async (): Promise<SimulatedChipFactory> => {
    const { createIcm20948 } = await import('./icm20948.ts');
    return (parts) => createIcm20948(parts.address, new Surroundings(parts), new Surroundings(parts));
  },
  itg3200: async () => {
    const { Itg3200Part } = await import('./itg3200.ts');
    return alone(() => new Itg3200Part());
  },
  l3gd20h: async () => {
    const { L3gd20hPart } = await import('./l3gd20h.ts');
    return alone(() => new L3gd20hPart());
  },
  lsm6ds3: async () => {
    const { Lsm6ds3Part } = await import('./lsm6ds3.ts');
    return alone(() => new Lsm6ds3Part());
  },
  lsm6dsox: async () => {
    const { Lsm6dsoxPart } = await import('./lsm6dsox.ts');
    return alone(() => new Lsm6dsoxPart());
  },
  mpu6050: () => mpu('MPU_6050'),
  mpu6500: () => mpu('MPU_6500'),
  mpu9250: () => mpu('MPU_9250'),
} as const satisfies Record<string, () => Promise<SimulatedChipFactory>>;

export type SimulatedChipName = keyof typeof SIMULATED_CHIPS;
