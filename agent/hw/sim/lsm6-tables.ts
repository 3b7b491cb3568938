/**
 * What the ST LSM6DS3 and LSM6DSOX have in common: rates, full scales, self-test, the registers of both sensors' outputs.
 * Sources: LSM6DS3 datasheet DocID026899 rev. 10 (DS3), LSM6DSOX datasheet DS12814 rev. 3 (DSOX).
 */
import { DEGREE, GRAVITY, vectorBytes } from './codes.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

export const CTRL1_XL = 0x10;
export const CTRL2_G = 0x11;
export const CTRL3_C = 0x12;
export const CTRL4_C = 0x13;
export const CTRL5_C = 0x14;
export const INT1_CTRL = 0x0d;
export const WHO_AM_I = 0x0f;
export const STATUS_REG = 0x1e;
export const OUT_TEMP_L = 0x20;
export const OUTX_L_G = 0x22;
export const OUTX_L_XL = 0x28;
export const OUTZ_H_XL = 0x2d;

export const XLDA = 0x01;
export const GDA = 0x02;
const TDA = 0x04;

/**
 * Rate by ODR code, Hz (CTRL1_XL, CTRL2_G). Where DS3 rounds to 416, 1660, 3330 and 6660, the later part is named 417, 1667,
 * 3333, 6667.
 */
export const DS3_RATES_HZ = [0, 12.5, 26, 52, 104, 208, 416, 833, 1660, 3330, 6660];
export const DSOX_RATES_HZ = [0, 12.5, 26, 52, 104, 208, 417, 833, 1667, 3333, 6667];

/** m/s² per code by FS_XL: ±2, 16, 4, 8 g (Mechanical characteristics: 0.061, 0.488, 0.122, 0.244 mg). */
const MILLI_G = [0.061, 0.488, 0.122, 0.244];
/** m°/s per code by FS_G: ±250 (245), 500, 1000, 2000 °/s; with FS_125 4.375. */
const MILLI_DPS = [8.75, 17.5, 35, 70];

/** The accelerometer's frame: X, Y, Z, low byte first, with the self-test's response of ±0.5 g (allowed: 90 to 1700 mg). */
export function accFrame(motion: Motion, ctrl1: number, ctrl5: number): Uint8Array {
  const codesPerG = 1000 / (MILLI_G[(ctrl1 >> 2) & 3] ?? 0.061);
  const response = [0, 0.5, -0.5, 0][ctrl5 & 3] ?? 0;
  return vectorBytes(motion.acc, GRAVITY, codesPerG, 'little', [response, response, response]);
}

/** The gyroscope's frame, with the self-test's response: ±50 °/s (allowed 20 to 80), at ±2000 °/s ±400 (150 to 700). */
export function gyrFrame(motion: Motion, ctrl2: number, ctrl5: number): Uint8Array {
  const scale = (ctrl2 >> 2) & 3;
  const milliDps = (ctrl2 & 2) !== 0 ? 4.375 : (MILLI_DPS[scale] ?? 70);
  const size = scale === 3 && (ctrl2 & 2) === 0 ? 400 : 50;
  const response = [0, size, 0, -size][(ctrl5 >> 2) & 3] ?? 0;
  return vectorBytes(motion.gyr, DEGREE, 1000 / milliDps, 'little', [response, response, response]);
}

/** Flags after a byte at `register` was read: each sensor's goes with a high byte of its data. */
export function statusAfterRead(status: number, register: number): number {
  if (register < OUT_TEMP_L || register > OUTZ_H_XL || (register & 1) === 0) return status;
  return status & ~(register < OUTX_L_G ? TDA : register < OUTX_L_XL ? GDA : XLDA);
}

/** The rates of the two sensors by the ODR codes of CTRL1_XL and CTRL2_G; a sleeping gyroscope (CTRL4_C) measures nothing. */
export function sensorRates(
  rates: readonly number[],
  ctrl1: number,
  ctrl2: number,
  ctrl4: number,
): { readonly accHz: number; readonly gyrHz: number } {
  const asleep = (ctrl4 & 0x40) !== 0;
  return { accHz: rates[ctrl1 >> 4] ?? 0, gyrHz: asleep ? 0 : (rates[ctrl2 >> 4] ?? 0) };
}

/** Bandwidth taken as half the rate. @param accDensity m/s²/√Hz @param gyrDensity rad/s/√Hz */
export function noiseOf(accDensity: number, gyrDensity: number, accHz: number, gyrHz: number): NoiseRms {
  return { acc: accDensity * Math.sqrt(accHz / 2), gyr: gyrDensity * Math.sqrt(gyrHz / 2), mag: 0 };
}
