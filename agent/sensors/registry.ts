/** Every chip that can be configured, in one place. A driver is loaded when it is asked for. */
import type { ChipFactory } from './chip.ts';

export interface ChipEntry {
  /** Where the chip usually answers, 7 bits. */
  readonly address: number;
  /** Where else its pins can put it. */
  readonly otherAddresses: readonly number[];
  /** False: its data sheet describes no self-test, or no limits for it, and `selfTest` gives null. Left out: it has one. */
  readonly hasSelfTest?: boolean;
  readonly load: () => Promise<ChipFactory>;
}

// One entry a chip, in alphabetical order.
export const CHIPS = {
  adxl345: { address: 0x53, otherAddresses: [0x1d], load: async () => (await import('./adxl345.ts')).createAdxl345 },
  bmi160: { address: 0x68, otherAddresses: [0x69], load: async () => (await import('./bmi160.ts')).createBmi160 },
  icm20948: { address: 0x69, otherAddresses: [0x68], load: async () => (await import('./icm20948.ts')).createIcm20948 },
  itg3200: {
    address: 0x68,
    otherAddresses: [0x69],
    hasSelfTest: false,
    load: async () => (await import('./itg3200.ts')).createItg3200,
  },
  l3gd20h: {
    address: 0x6b,
    otherAddresses: [0x6a, 0x69, 0x68],
    load: async () => (await import('./l3gd20h.ts')).createL3gd20h,
  },
  lsm6ds3: { address: 0x6a, otherAddresses: [0x6b], load: async () => (await import('./lsm6ds3.ts')).createLsm6ds3 },
  lsm6dsox: { address: 0x6a, otherAddresses: [0x6b], load: async () => (await import('./lsm6dsox.ts')).createLsm6dsox },
  mpu6050: { address: 0x68, otherAddresses: [0x69], load: async () => (await import('./mpu6050.ts')).createMpu6050 },
  mpu6500: { address: 0x68, otherAddresses: [0x69], load: async () => (await import('./mpu6050.ts')).createMpu6500 },
  mpu9250: { address: 0x68, otherAddresses: [0x69], load: async () => (await import('./mpu6050.ts')).createMpu9250 },
} as const satisfies Record<string, ChipEntry>;

export type ChipName = keyof typeof CHIPS;

export const CHIP_NAMES = Object.keys(CHIPS) as ChipName[];
