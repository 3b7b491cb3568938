/**
 * InvenSense ITG-3200, a gyroscope without a FIFO.
 * Source: ITG-3200 Product Specification PS-ITG-3200A-00-01.4 (PS).
 * Not modelled: writing another I2C address into WHO_AM_I, external clocks.
 */
import { DEGREE, vectorBytes, word } from './codes.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const WHO_AM_I = 0x00;
const SMPLRT_DIV = 0x15;
const DLPF_FS = 0x16;
const INT_CFG = 0x17;
const INT_STATUS = 0x1a;
const TEMP_OUT_H = 0x1b;
const GYRO_XOUT_H = 0x1d;
const PWR_MGM = 0x3e;

const ITG_RDY = 0x04;
const RAW_DATA_RDY = 0x01;

const BANDWIDTH_HZ = [256, 188, 98, 42, 20, 10, 5, 5];

export class Itg3200Part implements Part {
  readonly #registers = new Uint8Array(64);

  /**
   * PS, Register Map: all registers 0x00, awake. PS §8.1: WHO_AM_I has 110100 in its bits 6 to 1 and says nothing of bit 0,
   * which parts have been seen to set whatever AD0 is; this one does.
   */
  reset(): void {
    this.#registers.fill(0);
    this.#registers[WHO_AM_I] = 0x69;
    this.#registers[INT_STATUS] = ITG_RDY;
  }

  /** PS, Registers 21 and 22: 8 kHz with DLPF_CFG 0, else 1 kHz, / (1 + SMPLRT_DIV). */
  rateHz(): number {
    if ((this.#get(PWR_MGM) & 0x40) !== 0) return 0;
    return ((this.#get(DLPF_FS) & 7) === 0 ? 8000 : 1000) / (1 + this.#get(SMPLRT_DIV));
  }

  /**
   * PS, Sensor Specifications: 14.375 codes per °/s. PS, Register 22: FS_SEL works as 3 only; what else it gives is not said,
   * and here it gives nothing.
   */
  sample(motion: Motion): boolean {
    const works = ((this.#get(DLPF_FS) >> 3) & 3) === 3;
    const bytes = works ? vectorBytes(motion.gyr, DEGREE, 14.375, 'big') : new Uint8Array(6);
    for (let axis = 0; axis < 3; axis++) {
      const standby = (this.#get(PWR_MGM) >> (5 - axis)) & 1;
      if (standby === 0) this.#registers.set(bytes.subarray(2 * axis, 2 * axis + 2), GYRO_XOUT_H + 2 * axis);
    }
    // PS, Electrical Specifications: 280 codes per °C, −13200 at 35 °C
    this.#registers.set(word(Math.round(-13200 + 280 * (motion.temperatureC - 35)), 'big'), TEMP_OUT_H);
    this.#registers[INT_STATUS] = this.#get(INT_STATUS) | RAW_DATA_RDY;
    return (this.#get(INT_CFG) & RAW_DATA_RDY) !== 0;
  }

  next(register: number): number {
    return (register + 1) & 0x3f;
  }

  /** PS, Register 23, INT_ANYRD_2CLEAR: any read clears, else only that of INT_STATUS. */
  read(register: number): number {
    const value = this.#get(register & 0x3f);
    if (register === INT_STATUS || (this.#get(INT_CFG) & 0x10) !== 0) this.#registers[INT_STATUS] = ITG_RDY;
    return value;
  }

  write(register: number, value: number): void {
    if (register === PWR_MGM && (value & 0x80) !== 0) this.reset();
    else if (register === PWR_MGM || (register >= SMPLRT_DIV && register <= INT_CFG)) this.#registers[register] = value;
  }

  /** PS, Register 23: ACTL, LATCH_INT_EN; a pulse is 50 µs. */
  pin(): Pin {
    const config = this.#get(INT_CFG);
    return {
      activeLow: (config & 0x80) !== 0,
      mode: (config & 0x05) === 0 ? 'off' : (config & 0x20) !== 0 ? 'level' : 'pulse',
      asserted: (config & this.#get(INT_STATUS) & 0x05) !== 0,
      pulseUs: 50,
    };
  }

  /** PS, Sensor Specifications: 0.03 °/s/√Hz. */
  noise(): NoiseRms {
    return { acc: 0, gyr: 0.03 * DEGREE * Math.sqrt(BANDWIDTH_HZ[this.#get(DLPF_FS) & 7] ?? 256), mag: 0 };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }
}
