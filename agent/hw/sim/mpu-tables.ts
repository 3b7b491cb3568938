/**
 * What differs between the dies of the MPU family: identity, power-up, rates, FIFO size, temperature, noise, factory trim.
 * Sources: as `mpu6050.ts`; self-test also AN-MPU-9250A-03.
 */
import { DEGREE, GRAVITY } from './codes.ts';
import type { Motion } from './simulated-chip.ts';

type Vector = Motion['acc'];

export interface Generation {
  readonly whoAmI: number;
  /** PWR_MGMT_1 at power-up. */
  readonly powerManagement: number;
  readonly fifoBytes: number;
  /** MPU-6500 and after: another clock tree, self-test and FIFO mode bit. */
  readonly later: boolean;
  readonly temperature: { readonly perDegree: number; readonly zeroAtC: number };
  /** m/s²/√Hz. */
  readonly accDensity: number;
  /** rad/s/√Hz. */
  readonly gyrDensity: number;
  /** Gyroscope's filter by DLPF_CFG, Hz. */
  readonly bandwidthHz: readonly number[];
}

/** RM, Register 117 (0x68), Registers 65 and 66 (temperature); PS: noise, and a FIFO of 1024 bytes. */
export const MPU_6050: Generation = {
  whoAmI: 0x68,
  powerManagement: 0x40,
  fifoBytes: 1024,
  later: false,
  temperature: { perDegree: 340, zeroAtC: 36.53 },
  accDensity: 400e-6 * GRAVITY,
  gyrDensity: 0.005 * DEGREE,
  bandwidthHz: [256, 188, 98, 42, 20, 10, 5, 256],
};

/** RM6500, Register Map (0x70, PWR_MGMT_1 0x01), Registers 65 and 66; PS-MPU-6500A-01: noise, and a FIFO of 512 bytes. */
export const MPU_6500: Generation = {
  whoAmI: 0x70,
  powerManagement: 0x01,
  fifoBytes: 512,
  later: true,
  temperature: { perDegree: 333.87, zeroAtC: 21 },
  accDensity: 300e-6 * GRAVITY,
  gyrDensity: 0.01 * DEGREE,
  bandwidthHz: [250, 184, 92, 41, 20, 10, 5, 3600],
};

/** RM-MPU-9250A-00, Register 117 (0x71); else as the MPU-6500. */
export const MPU_9250: Generation = { ...MPU_6500, whoAmI: 0x71 };

/**
 * Sample rate, Hz. MPU-6050 (RM, Register 25): gyroscope's output rate (8 kHz with DLPF_CFG 0 or 7, else 1 kHz) / (1 + SMPLRT_DIV).
 * Later (RM6500, Registers 25 to 27): the divider works with DLPF_CFG 1 to 6 only; 8 kHz with 0 and 7; 32 kHz with the filter
 * bypassed.
 */
export function mpuRateHz(generation: Generation, config: number, gyroConfig: number, divider: number): number {
  const filter = config & 7;
  const unfiltered = filter === 0 || filter === 7;
  if (!generation.later) return (unfiltered ? 8000 : 1000) / (1 + divider);
  if ((gyroConfig & 3) !== 0) return 32_000;
  return unfiltered ? 8000 : 1000 / (1 + divider);
}

export interface MpuSelfTest {
  /** Registers with the factory's codes. */
  readonly trim: readonly (readonly [register: number, value: number])[];
  /** What the die adds to its outputs while its self-test bits are set: X, Y, Z are bits 7, 6, 5 of each register. */
  response(gyroConfig: number, accelConfig: number): { readonly accG: Vector; readonly gyrDps: Vector };
}

const GYRO_CODES: Vector = [18, 17, 19];
const ACCEL_CODES: Vector = [16, 15, 14];
const LATER_GYRO_CODES: Vector = [101, 96, 104];
const LATER_ACCEL_CODES: Vector = [110, 112, 108];

/** A healthy die: its response is exactly the factory trim that its registers hold. */
export function mpuSelfTest(generation: Generation): MpuSelfTest {
  return generation.later ? LATER : FIRST;
}

/** RM, Registers 13 to 16: FT(g) = 25 · 1.046^(code−1) °/s, negative for Y; FT(a) = 0.34 · (0.92/0.34)^((code−1)/30) g. */
const FIRST: MpuSelfTest = {
  trim: [
    [0x0d, ((ACCEL_CODES[0] >> 2) << 5) | GYRO_CODES[0]],
    [0x0e, ((ACCEL_CODES[1] >> 2) << 5) | GYRO_CODES[1]],
    [0x0f, ((ACCEL_CODES[2] >> 2) << 5) | GYRO_CODES[2]],
    [0x10, ((ACCEL_CODES[0] & 3) << 4) | ((ACCEL_CODES[1] & 3) << 2) | (ACCEL_CODES[2] & 3)],
  ],
  response: (gyroConfig, accelConfig) => ({
    gyrDps: gate(gyroConfig, [gyr(GYRO_CODES[0]), -gyr(GYRO_CODES[1]), gyr(GYRO_CODES[2])]),
    accG: gate(accelConfig, [acc(ACCEL_CODES[0]), acc(ACCEL_CODES[1]), acc(ACCEL_CODES[2])]),
  }),
};

/** AN-MPU-9250A-03: FT = 2620 · 1.01^(code−1) LSB at the smallest full scale, gyroscope and accelerometer alike. */
const LATER: MpuSelfTest = {
  trim: [
    [0x00, LATER_GYRO_CODES[0]],
    [0x01, LATER_GYRO_CODES[1]],
    [0x02, LATER_GYRO_CODES[2]],
    [0x0d, LATER_ACCEL_CODES[0]],
    [0x0e, LATER_ACCEL_CODES[1]],
    [0x0f, LATER_ACCEL_CODES[2]],
  ],
  response: (gyroConfig, accelConfig) => ({
    gyrDps: gate(gyroConfig, laterResponse(LATER_GYRO_CODES, 131)),
    accG: gate(accelConfig, laterResponse(LATER_ACCEL_CODES, 16384)),
  }),
};

/** In units of which the smallest full scale has `perUnit` codes. */
export function laterResponse(codes: Vector, perUnit: number): Vector {
  const axis = (code: number) => (2620 * 1.01 ** (code - 1)) / perUnit;
  return [axis(codes[0]), axis(codes[1]), axis(codes[2])];
}

const gyr = (code: number): number => 25 * 1.046 ** (code - 1);
const acc = (code: number): number => 0.34 * (0.92 / 0.34) ** ((code - 1) / 30);

/** Keeps the axes whose bit is set: X bit 7, Y bit 6, Z bit 5. */
function gate(bits: number, [x, y, z]: Vector): Vector {
  return [bits & 0x80 ? x : 0, bits & 0x40 ? y : 0, bits & 0x20 ? z : 0];
}
