/**
 * AKM AK09916, the magnetometer within an ICM-20948.
 * Source: AK09916 datasheet MS1547-E-01 (DS). Its Y and Z axes point against the accelerometer's (ICM-20948 DS-000189 rev. 1.3,
 * Orientation of Axes).
 * Not modelled: I2C fast-mode quirks, the pause of 100 µs between modes.
 */
import { toCode, word } from './codes.ts';
import { type Part, type Pin, PoweredChip } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms, Surroundings } from './surroundings.ts';

const ST1 = 0x10;
const HXL = 0x11;
const TMPS = 0x17;
const ST2 = 0x18;
const CNTL2 = 0x31;
const CNTL3 = 0x32;

const DRDY = 0x01;
const DOR = 0x02;
const HOFL = 0x08;

export const AK09916_ADDRESS = 0x0c;

/** DS, CNTL2: continuous modes, Hz; a single measurement and a self-test take 7.2 ms (DS, Analog Circuit Characteristics). */
const RATES_HZ: Readonly<Record<number, number>> = {
  1: 1 / 0.0072,
  2: 10,
  4: 20,
  6: 50,
  8: 100,
  16: 1 / 0.0072,
};

class Ak09916Part implements Part {
  readonly #registers = new Uint8Array(256);
  #isRead = false;

  /** DS, WIA: company 0x48, device 0x09, powered down. */
  reset(): void {
    this.#registers.fill(0);
    this.#registers[0x00] = 0x48;
    this.#registers[0x01] = 0x09;
    this.#isRead = false;
  }

  rateHz(): number {
    return RATES_HZ[this.#get(CNTL2)] ?? 0;
  }

  sample(motion: Motion): boolean {
    const mode = this.#get(CNTL2);
    if (mode === 0x01 || mode === 0x10) this.#registers[CNTL2] = 0;
    const status = this.#get(ST1);
    // DS, Normal Read Sequence: while the data are being read, from the first of their registers to ST2, they are protected and
    // a new sample is lost
    if (this.#isRead) {
      this.#registers[ST1] = status | DOR;
      return false;
    }
    const [x, y, z] = mode === 0x10 ? SELF_TEST_FIELD : ([motion.mag[0], -motion.mag[1], -motion.mag[2]] as const);
    // DS, Measurement Data: 0.15 µT per code, ±32752
    [x, y, z].forEach((field, axis) => {
      this.#registers.set(word(toCode(field, 1 / 0.15, -32752, 32752), 'little'), HXL + 2 * axis);
    });
    // DS, Magnetic Sensor Overflow
    this.#registers[ST2] = Math.abs(x) + Math.abs(y) + Math.abs(z) >= 4912 ? HOFL : 0;
    this.#registers[ST1] = DRDY | (status & DOR) | ((status & DRDY) !== 0 ? DOR : 0);
    return false;
  }

  /** DS, Register Map: 0x18 goes back to 0x00, 0x32 to 0x30. */
  next(register: number): number {
    if (register === ST2) return 0x00;
    return register === CNTL3 ? 0x30 : (register + 1) & 0xff;
  }

  read(register: number): number {
    const value = this.#get(register);
    if (register >= HXL && register <= TMPS) this.#isRead = true;
    if (register === ST2) this.#isRead = false;
    if (register >= HXL && register <= ST2) this.#registers[ST1] = 0;
    return value;
  }

  write(register: number, value: number): void {
    if (register === CNTL3 && (value & 1) !== 0) this.reset();
    else if (register === CNTL2) this.#registers[CNTL2] = value & 0x1f;
  }

  pin(): Pin {
    return { activeLow: false, mode: 'off', asserted: false, pulseUs: 0 };
  }

  /** About two codes; the datasheet names none. */
  noise(): NoiseRms {
    return { acc: 0, gyr: 0, mag: 0.3 };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }
}

/** DS, Self-test: there X and Y read within ±200 codes, Z from −1000 to −200; here −30, 15, −600 codes. */
const SELF_TEST_FIELD = [-4.5, 2.25, -90] as const;

export function createAk09916(surroundings: Surroundings): PoweredChip {
  return new PoweredChip(AK09916_ADDRESS, new Ak09916Part(), surroundings);
}
