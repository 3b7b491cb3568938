/**
 * Bytes of a chip's registers or FIFO → physical values, alike for every driver: frames of 16-bit two's complement numbers.
 * A scale is the physical value of one least significant bit (LSB), from the chip's datasheet.
 * Invariant: only whole frames are decoded; a caller that passes part of one has made a mistake and is told so.
 */
import { AppError } from '../../core/base/errors.ts';
import type { ChipParts } from './chip.ts';

/** Standard gravity, m/s² in 1 g: exact by definition (CGPM 1901). */
export const GRAVITY_MPS2 = 9.80665;
export const RADIANS_PER_DEGREE = Math.PI / 180;

export type Endian = 'big' | 'little';

/** Where the channels of one modality lie in a frame. */
export interface FrameField {
  /** Length of a whole frame, bytes. */
  readonly frameBytes: number;
  /** Of the first channel's first byte in its frame; the channels follow one another. */
  readonly offset: number;
  readonly channels: number;
  readonly endian: Endian;
  /** Physical units of one LSB. */
  readonly scale: number;
}

export function int16(bytes: Uint8Array, offset: number, endian: Endian): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt16(offset, endian === 'little');
}

/** All whole frames in `bytes` → `[n, channels]`, physical units. @throws AppError `internal` when `bytes` ends inside a frame */
export function decodeFrames(bytes: Uint8Array, field: FrameField): Float32Array {
  const frames = bytes.length / field.frameBytes;
  if (!Number.isInteger(frames)) {
    throw new AppError('internal', `${bytes.length} bytes are no whole number of frames of ${field.frameBytes} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(frames * field.channels);
  for (let frame = 0, at = 0; frame < frames; frame++) {
    const start = frame * field.frameBytes + field.offset;
    for (let channel = 0; channel < field.channels; channel++, at++) {
      values[at] = view.getInt16(start + 2 * channel, field.endian === 'little') * field.scale;
    }
  }
  return values;
}

/**
 * The largest magnitude that outputs in both directions can show, as a Float32Array would hold it: at or beyond it they are saturated.
 * @param codes the highest code of the chip; 32767 of a full 16-bit number
 */
export function fullScale(scale: number, codes = 32_767): number {
  return Math.fround(codes * scale);
}

/** The level is looked at somewhere in a transaction of about a millisecond; where one takes longer, it waited before as well as after. */
const MOST_BEFORE_END_US = 500;

/**
 * Reads registers, and says when: the middle of the transaction, stream time in microseconds. Of a slow one half a millisecond before its
 * end: a busy machine may have kept it waiting before the chip was asked, and a time that is earlier than what it stands for would
 * mislead the sample clock for a minute (`arrival-line.ts`).
 */
export async function readTimed(
  { bus, settings, nowUs }: Pick<ChipParts, 'bus' | 'settings' | 'nowUs'>,
  register: number,
  length: number,
): Promise<{ readonly bytes: Uint8Array; readonly knownUs: number }> {
  const beforeUs = nowUs();
  const bytes = await bus.read(settings.address, register, length);
  const afterUs = nowUs();
  return { bytes, knownUs: afterUs - Math.min((afterUs - beforeUs) / 2, MOST_BEFORE_END_US) };
}

/** Writes one byte to each register, in order, a transaction each. */
export async function writeRegisters(
  { bus, settings }: Pick<ChipParts, 'bus' | 'settings'>,
  values: readonly (readonly [register: number, value: number])[],
): Promise<void> {
  for (const [register, value] of values) await bus.write(settings.address, register, [value]);
}
