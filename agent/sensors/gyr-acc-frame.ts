/**
 * Samples of a gyroscope and an accelerometer that lie next to each other, x y z of the one and then of the other, 12 bytes little
 * endian: the order of the data registers and of FIFO frames of the LSM6DS family and the BMI160.
 * In a FIFO the axes of a sample belong together. Not so in the data registers of ST's chips: block data update guards the two bytes of a
 * number only, so a sample that comes during the read can replace the axes that are still to be read (AN5040, BDU).
 */
import type { Burst, ChipParts } from './chip.ts';
import type { Axes } from './chip-tables.ts';
import { decodeFrames } from './registers.ts';

export const GYR_ACC_BYTES = 12;
const THREE_AXES_BYTES = 6;

/** The chip's modalities in the order of its bursts: accelerometer, gyroscope. */
export interface AccGyr {
  readonly acc: Axes;
  readonly gyr: Axes;
}

/** Whole frames → accelerometer `[n, 3]`, gyroscope `[n, 3]`. */
export function decodeGyrAcc(bytes: Uint8Array, { acc, gyr }: AccGyr): readonly Float32Array[] {
  const frame = { frameBytes: GYR_ACC_BYTES, channels: 3, endian: 'little' } as const;
  return [
    decodeFrames(bytes, { ...frame, offset: THREE_AXES_BYTES, scale: acc.scale }),
    decodeFrames(bytes, { ...frame, offset: 0, scale: gyr.scale }),
  ];
}

/** Samples of three axes that follow one another without anything between → `[n, 3]`. */
export function decodeAxes(bytes: Uint8Array, { scale }: Axes): Float32Array {
  return decodeFrames(bytes, { frameBytes: THREE_AXES_BYTES, offset: 0, channels: 3, endian: 'little', scale });
}

/**
 * The newest sample from the data registers, of the modalities whose data are ready. Those that are not are left alone: reading them
 * could clear the flag of a sample that comes meanwhile. One dead modality does not hold up the other.
 * @param firstRegister low byte of the gyroscope's x
 */
export async function readNewest(
  { bus, settings }: Pick<ChipParts, 'bus' | 'settings'>,
  firstRegister: number,
  ready: { readonly acc: boolean; readonly gyr: boolean },
  both: AccGyr,
): Promise<Burst['values']> {
  if (ready.acc && ready.gyr) return decodeGyrAcc(await bus.read(settings.address, firstRegister, GYR_ACC_BYTES), both);
  const none = new Float32Array(0);
  if (ready.gyr) {
    return [none, decodeAxes(await bus.read(settings.address, firstRegister, THREE_AXES_BYTES), both.gyr)];
  }
  if (ready.acc) {
    const register = firstRegister + THREE_AXES_BYTES;
    return [decodeAxes(await bus.read(settings.address, register, THREE_AXES_BYTES), both.acc), none];
  }
  return [none, none];
}
