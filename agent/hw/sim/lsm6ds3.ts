/**
 * ST LSM6DS3, accelerometer and gyroscope.
 * Sources: datasheet DocID026899 rev. 10 (DS), application note AN4650 rev. 1 (AN). The FIFO holds 16-bit words in sets of
 * three: here the gyroscope's set and the accelerometer's. An overrun costs whole oldest sets, so what is left may begin with
 * either; FIFO_STATUS3 says. Both sensors run on one time base, the faster's; the slower falls on its steps.
 * Not modelled: sets 3 and 4, modes that wait for a trigger, filters, BLE, embedded functions, INT2.
 */
import { word } from './codes.ts';
import { FrameFifo } from './fifo.ts';
import * as lsm from './lsm6-tables.ts';
import { falls } from './oscillator.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const FIFO_CTRL1 = 0x06;
const FIFO_CTRL2 = 0x07;
const FIFO_CTRL3 = 0x08;
const FIFO_CTRL5 = 0x0a;
const FIFO_STATUS1 = 0x3a;
const FIFO_STATUS2 = 0x3b;
const FIFO_STATUS3 = 0x3c;
const FIFO_STATUS4 = 0x3d;
const FIFO_DATA_OUT_L = 0x3e;
const FIFO_DATA_OUT_H = 0x3f;

/** DS, FIFO: 8 kbyte; the level counts 12 bits of words, so 1365 sets of three. */
const FIFO_BYTES = 1365 * 6;
/** DS, FIFO_CTRL3 (08h): decimation by DEC_FIFO code; 0: not in the FIFO. */
const DECIMATION = [0, 1, 2, 3, 4, 8, 16, 32];

export class Lsm6ds3Part implements Part {
  readonly #registers = new Uint8Array(128);
  /** Sets of six bytes; `#patterns` has for each the place of its first word in the FIFO's repeating pattern. */
  readonly #fifo = new FrameFifo(FIFO_BYTES);
  #patterns: number[] = [];
  #bytesRead = 0;
  #fifoStep = 0;
  #pattern = 0;
  #overrun = false;

  /**
   * DS, Register mapping: WHO_AM_I 0x69, CTRL3_C 0x04, CTRL9_XL and CTRL10_C 0x38, everything else 0: both sensors powered
   * down.
   */
  reset(): void {
    const registers = this.#registers;
    registers.fill(0);
    registers[lsm.WHO_AM_I] = 0x69;
    registers[lsm.CTRL3_C] = 0x04;
    registers[0x18] = 0x38;
    registers[0x19] = 0x38;
    this.#clearFifo();
  }

  rateHz(): number {
    const { accHz, gyrHz } = this.#rates();
    return Math.max(accHz, gyrHz);
  }

  sample(motion: Motion, _tUs: number, step: number): boolean {
    const { accHz, gyrHz } = this.#rates();
    const baseHz = this.rateHz();
    const registers = this.#registers;
    const get = (register: number) => registers[register] ?? 0;
    if (falls(step, accHz, baseHz)) {
      registers.set(lsm.accFrame(motion, get(lsm.CTRL1_XL), get(lsm.CTRL5_C)), lsm.OUTX_L_XL);
      registers[lsm.STATUS_REG] = get(lsm.STATUS_REG) | lsm.XLDA;
    }
    if (falls(step, gyrHz, baseHz)) {
      registers.set(lsm.gyrFrame(motion, get(lsm.CTRL2_G), get(lsm.CTRL5_C)), lsm.OUTX_L_G);
      registers[lsm.STATUS_REG] = get(lsm.STATUS_REG) | lsm.GDA;
    }
    // DS, Temperature sensor characteristics: 16 codes per °C, 0 at 25 °C
    registers.set(word(Math.round((motion.temperatureC - 25) * 16), 'little'), lsm.OUT_TEMP_L);
    const fifoHz = lsm.DS3_RATES_HZ[(get(FIFO_CTRL5) >> 3) & 0x0f] ?? 0;
    if (this.#collects() && falls(step, fifoHz, baseHz)) this.#fillFifo();
    return true;
  }

  /** DS, CTRL3_C: IF_INC. AN, FIFO: FIFO_DATA_OUT_H goes back to FIFO_DATA_OUT_L, so that a burst reads the FIFO. */
  next(register: number): number {
    if (((this.#registers[lsm.CTRL3_C] ?? 0) & 0x04) === 0) return register;
    return register === FIFO_DATA_OUT_H ? FIFO_DATA_OUT_L : (register + 1) & 0x7f;
  }

  read(register: number): number {
    switch (register) {
      case FIFO_STATUS1:
        return this.#words() & 0xff;
      case FIFO_STATUS2:
        return this.#fifoStatus();
      case FIFO_STATUS3:
        return this.#nextPattern() & 0xff;
      case FIFO_STATUS4:
        return this.#nextPattern() >> 8;
      case FIFO_DATA_OUT_L:
        return this.#fifo.at(0)?.[this.#bytesRead] ?? 0;
      case FIFO_DATA_OUT_H:
        return this.#takeWord();
      default: {
        const value = this.#registers[register & 0x7f] ?? 0;
        this.#registers[lsm.STATUS_REG] = lsm.statusAfterRead(this.#registers[lsm.STATUS_REG] ?? 0, register);
        return value;
      }
    }
  }

  write(register: number, value: number): void {
    // DS, CTRL3_C (12h): SW_RESET resets and clears itself, as BOOT does
    if (register === lsm.CTRL3_C && (value & 0x01) !== 0) {
      this.reset();
      return;
    }
    if (!isWritable(register)) return;
    this.#registers[register] = register === lsm.CTRL3_C ? value & ~0x80 : value;
    if (register === FIFO_CTRL5 && !this.#collects()) this.#clearFifo();
  }

  /** INT1 (DS, INT1_CTRL (0Dh)): each source holds the pin as long as its flag does. */
  pin(): Pin {
    const routed = (this.#registers[lsm.INT1_CTRL] ?? 0) & 0x3b;
    const ready = this.#registers[lsm.STATUS_REG] ?? 0;
    const fifo = this.#fifoStatus();
    const sources =
      (ready & 0x03) | ((fifo & 0x80) !== 0 ? 0x08 : 0) | ((fifo & 0x40) !== 0 ? 0x10 : 0) | (fifo & 0x20);
    return {
      activeLow: ((this.#registers[lsm.CTRL3_C] ?? 0) & 0x20) !== 0,
      mode: routed === 0 ? 'off' : 'level',
      asserted: (sources & routed) !== 0,
      pulseUs: 0,
    };
  }

  /** DS, Mechanical characteristics: 90 µg/√Hz, 0.007 °/s/√Hz. */
  noise(): NoiseRms {
    const { accHz, gyrHz } = this.#rates();
    return lsm.noiseOf(90e-6 * 9.80665, (0.007 * Math.PI) / 180, accHz, gyrHz);
  }

  #rates(): { readonly accHz: number; readonly gyrHz: number } {
    const registers = this.#registers;
    const gyrCode = (registers[lsm.CTRL2_G] ?? 0) >> 4;
    const rates = lsm.sensorRates(
      lsm.DS3_RATES_HZ,
      registers[lsm.CTRL1_XL] ?? 0,
      registers[lsm.CTRL2_G] ?? 0,
      registers[lsm.CTRL4_C] ?? 0,
    );
    // DS, CTRL2_G (11h): the gyroscope ends at 1660 Hz
    return gyrCode > 8 ? { ...rates, gyrHz: 0 } : rates;
  }

  /** DS, FIFO_CTRL5 (0Ah): FIFO mode, continuous, continuous-to-FIFO before its trigger. */
  #collects(): boolean {
    const mode = (this.#registers[FIFO_CTRL5] ?? 0) & 7;
    return mode === 1 || mode === 3 || mode === 6;
  }

  /** AN, FIFO: the gyroscope's set comes before the accelerometer's; each every so many steps as DEC_FIFO says. */
  #fillFifo(): void {
    const control = this.#registers[FIFO_CTRL3] ?? 0;
    const gyrEvery = DECIMATION[(control >> 3) & 7] ?? 0;
    const accEvery = DECIMATION[control & 7] ?? 0;
    const step = this.#fifoStep++;
    if (step % Math.max(gyrEvery, accEvery, 1) === 0) this.#pattern = 0;
    if (gyrEvery > 0 && step % gyrEvery === 0) this.#store(lsm.OUTX_L_G);
    if (accEvery > 0 && step % accEvery === 0) this.#store(lsm.OUTX_L_XL);
  }

  #store(register: number): void {
    const stopsWhenFull = ((this.#registers[FIFO_CTRL5] ?? 0) & 7) === 1;
    if (stopsWhenFull && !this.#fifo.fits(6)) return;
    const lost = this.#fifo.push(this.#registers.slice(register, register + 6));
    this.#patterns.push(this.#pattern);
    this.#pattern += 3;
    if (lost === 0) return;
    this.#patterns.splice(0, lost);
    this.#bytesRead = 0;
    this.#overrun = true;
  }

  #takeWord(): number {
    const value = this.#fifo.at(0)?.[this.#bytesRead + 1] ?? 0;
    if (this.#fifo.length === 0) return value;
    this.#overrun = false;
    this.#bytesRead += 2;
    if (this.#bytesRead === 6) {
      this.#fifo.shift();
      this.#patterns.shift();
      this.#bytesRead = 0;
    }
    return value;
  }

  #words(): number {
    return (this.#fifo.bytes - this.#bytesRead) / 2;
  }

  /** Place of the next word to be read in the pattern, 0: the first of the gyroscope. */
  #nextPattern(): number {
    return (this.#patterns[0] ?? 0) + this.#bytesRead / 2;
  }

  /**
   * DS, FIFO_STATUS2 (3Bh): FTH, OVER_RUN, FIFO_FULL (the next step's sets will not fit), FIFO_EMPTY, and the level's high
   * bits.
   */
  #fifoStatus(): number {
    const threshold = (((this.#registers[FIFO_CTRL2] ?? 0) & 0x0f) << 8) | (this.#registers[FIFO_CTRL1] ?? 0);
    const words = this.#words();
    return (
      (threshold > 0 && words >= threshold ? 0x80 : 0) |
      (this.#overrun ? 0x40 : 0) |
      (this.#collects() && !this.#fifo.fits(12) ? 0x20 : 0) |
      (words === 0 ? 0x10 : 0) |
      ((words >> 8) & 0x0f)
    );
  }

  #clearFifo(): void {
    this.#fifo.clear();
    this.#patterns = [];
    this.#bytesRead = 0;
    this.#fifoStep = 0;
    this.#pattern = 0;
    this.#overrun = false;
  }
}

function isWritable(register: number): boolean {
  return register < 0x1a && register !== lsm.WHO_AM_I ? true : register >= 0x58 && register < 0x80;
}
