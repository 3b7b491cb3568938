/**
 * From physical units to a chip's output codes and bytes: scaled, rounded to the nearest code, saturated at the last one.
 */
import type { Motion } from './simulated-chip.ts';

/** m/s² of 1 g, as datasheets count it. */
export const GRAVITY = 9.80665;
/** Radians of one degree. */
export const DEGREE = Math.PI / 180;

type Vector = Motion['acc'];

/** @param least, most the code's range, 16 bits when left out */
export function toCode(value: number, codesPerUnit: number, least = -32768, most = 32767): number {
  return Math.min(most, Math.max(least, Math.round(value * codesPerUnit)));
}

/** Three 16-bit codes, X first. `response` is added to each axis, in the unit of `codesPerUnit`. */
export function vectorBytes(
  vector: Vector,
  unit: number,
  codesPerUnit: number,
  order: 'big' | 'little',
  response: Vector = [0, 0, 0],
): Uint8Array {
  const bytes = new Uint8Array(6);
  for (const axis of [0, 1, 2] as const) {
    put16(bytes, 2 * axis, toCode(vector[axis] / unit + response[axis], codesPerUnit), order);
  }
  return bytes;
}

export function word(code: number, order: 'big' | 'little'): Uint8Array {
  const bytes = new Uint8Array(2);
  put16(bytes, 0, code, order);
  return bytes;
}

function put16(bytes: Uint8Array, at: number, code: number, order: 'big' | 'little'): void {
  bytes[at] = order === 'big' ? (code >> 8) & 0xff : code & 0xff;
  bytes[at + 1] = order === 'big' ? code & 0xff : (code >> 8) & 0xff;
}
