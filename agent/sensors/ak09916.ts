/**
 * The AK09916 magnetometer inside an ICM-20948, reached through that chip's own I2C master. Not by its bypass: two ICM-20948 on a bus
 * would both put a magnetometer at 0x0C, and a sample that nobody fetches in its 10 ms would be lost. So the ICM-20948 reads
 * the magnetometer at each of its own samples and queues the result beside them.
 * Invariant: a measurement is taken once, by its data-ready flag, and not at all when the sensor says that it overflowed.
 * Sources: AK09916 datasheet MS1547-E, under the registers' names below; DS-000189 rev. 1.3, bank 3 and the section on the orientation of
 * axes.
 */
import type { ChipModality } from './chip.ts';
import { fullScale } from './registers.ts';

/** Of the ICM-20948, as the caller reaches them. */
export interface AuxiliaryBus {
  /** Bank 3. */
  write(register: number, bytes: readonly number[]): Promise<void>;
  read(register: number, length: number): Promise<Uint8Array>;
  /** Register I2C_MST_STATUS of bank 0; reading it clears it. */
  status(): Promise<number>;
  sleep(ms: number): Promise<void>;
}

const ADDRESS = 0x0c;
const READ = 0x80;
// Of the magnetometer
const WIA2 = 0x01;
const ST1 = 0x10; // then X, Y, Z low byte first, a dummy, and ST2, whose reading frees the data registers
const CNTL2 = 0x31;
const CNTL3 = 0x32;
const DEVICE_ID = 0x09;
const DRDY = 0x01;
const HOFL = 0x08;
// Of the master, bank 3
const I2C_MST_CTRL = 0x01;
const I2C_SLV0_ADDR = 0x03; // register and control follow
const I2C_SLV4_ADDR = 0x13; // register follows
const I2C_SLV4_CTRL = 0x15;
const I2C_SLV4_DO = 0x16;
const I2C_SLV4_DI = 0x17;
const SLV_EN = 0x80;
const SLV4_DONE = 0x40;
const SLV4_NACK = 0x10;

/** ST1 to ST2. */
export const MAG_BYTES = 9;
const ST2_OFFSET = 8;

/** µT of one LSB, and the highest code. */
const SCALE_UT = 0.15;
const MOST_CODE = 32_752;
/**
 * Continuous measurement mode 4, the fastest. Slower modes are no less noisy, and one near the ICM-20948's rate would beat
 * with it; so each sample up to that rate finds a measurement of the last 10 ms.
 */
const MODE = { hz: 100, code: 0x08 } as const;

/** @param sampleRateHz of the ICM-20948 */
export function magModality(sampleRateHz: number): ChipModality {
  return {
    name: 'mag',
    unit: 'ut',
    channels: ['x', 'y', 'z'],
    sampleRateHz: Math.min(MODE.hz, sampleRateHz),
    fullScale: fullScale(SCALE_UT, MOST_CODE),
  };
}

/**
 * Starts the magnetometer and has it read at each sample. The master must be on, and the ICM-20948 sampling at a high rate,
 * since the master works at its samples.
 * @returns false when no AK09916 answers: accelerometer and gyroscope go on without
 */
export async function startMag(bus: AuxiliaryBus): Promise<boolean> {
  await bus.write(I2C_MST_CTRL, [0x17]); // 345.6 kHz, a stop between reads
  if (!(await writeOnce(bus, CNTL3, 0x01))) return false; // soft reset
  await bus.sleep(10);
  if ((await readOnce(bus, WIA2)) !== DEVICE_ID) return false;
  if (!(await writeOnce(bus, CNTL2, MODE.code))) return false;
  await bus.write(I2C_SLV0_ADDR, [ADDRESS | READ, ST1, SLV_EN | MAG_BYTES]);
  return true;
}

/**
 * The measurements in `bytes`, one record every `recordBytes` from `offset` on → `[n, 3]`, µT, in the axes of the accelerometer:
 * the magnetometer's Y and Z point the other way (DS-000189, orientation of axes).
 */
export function decodeMag(bytes: Uint8Array, recordBytes: number, offset: number): Float32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values: number[] = [];
  for (let at = offset; at + MAG_BYTES <= bytes.length; at += recordBytes) {
    const isNew = ((bytes[at] ?? 0) & DRDY) !== 0;
    const hasOverflowed = ((bytes[at + ST2_OFFSET] ?? 0) & HOFL) !== 0;
    if (!isNew || hasOverflowed) continue;
    const code = (axis: number) => view.getInt16(at + 1 + 2 * axis, true);
    values.push(code(0) * SCALE_UT, -code(1) * SCALE_UT, -code(2) * SCALE_UT);
  }
  return Float32Array.from(values);
}

async function writeOnce(bus: AuxiliaryBus, register: number, value: number): Promise<boolean> {
  await bus.write(I2C_SLV4_ADDR, [ADDRESS, register]);
  await bus.write(I2C_SLV4_DO, [value]);
  return await transfer(bus);
}

async function readOnce(bus: AuxiliaryBus, register: number): Promise<number | null> {
  await bus.write(I2C_SLV4_ADDR, [ADDRESS | READ, register]);
  if (!(await transfer(bus))) return null;
  return (await bus.read(I2C_SLV4_DI, 1))[0] ?? null;
}

/** Lets slave 4 do its one transfer. False: not acknowledged, or not done in 20 ms, which is more than twenty samples. */
async function transfer(bus: AuxiliaryBus): Promise<boolean> {
  await bus.status();
  await bus.write(I2C_SLV4_CTRL, [SLV_EN]);
  for (let attempt = 0; attempt < 10; attempt++) {
    await bus.sleep(2);
    const status = await bus.status();
    if ((status & SLV4_NACK) !== 0) return false;
    if ((status & SLV4_DONE) !== 0) return true;
  }
  return false;
}
