/**
 * ST LSM6DSOX, accelerometer and gyroscope. Its FIFO holds words of a tag and six bytes, which say themselves whose they are.
 * Sources: datasheet DS12814 rev. 3 (DS), application note AN5272 rev. 3 (AN). Both sensors run on one time base, the faster's.
 * Not modelled: compression, timestamp and external words, modes that wait for a trigger, filters, embedded functions, INT2, OIS.
 */
import { word } from './codes.ts';
import { FrameFifo } from './fifo.ts';
import * as lsm from './lsm6-tables.ts';
import { falls } from './oscillator.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const FIFO_CTRL1 = 0x07;
const FIFO_CTRL2 = 0x08;
const FIFO_CTRL3 = 0x09;
const FIFO_CTRL4 = 0x0a;
const COUNTER_BDR_REG1 = 0x0b;
const FIFO_STATUS1 = 0x3a;
const FIFO_STATUS2 = 0x3b;
const FIFO_DATA_OUT_TAG = 0x78;
const FIFO_DATA_OUT_Z_H = 0x7e;

/** DS, FIFO: 3 kbyte of data, that is 512 words of six bytes and their tags. */
const WORDS = 512;
const TAG_GYRO = 0x01;
const TAG_ACCELEROMETER = 0x02;
const TAG_TEMPERATURE = 0x03;

export class Lsm6dsoxPart implements Part {
  readonly #registers = new Uint8Array(128);
  readonly #fifo = new FrameFifo(7 * WORDS);
  #slot = 0;
  #overrun = false;
  #overrunLatched = false;

  /** DS, Register mapping: WHO_AM_I 0x6C, CTRL3_C 0x04, CTRL9_XL 0xE0; both sensors powered down. */
  reset(): void {
    const registers = this.#registers;
    registers.fill(0);
    registers[lsm.WHO_AM_I] = 0x6c;
    registers[lsm.CTRL3_C] = 0x04;
    registers[0x18] = 0xe0;
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
    let ready = 0;
    if (falls(step, accHz, baseHz)) {
      registers.set(lsm.accFrame(motion, get(lsm.CTRL1_XL), get(lsm.CTRL5_C)), lsm.OUTX_L_XL);
      ready |= lsm.XLDA;
    }
    if (falls(step, gyrHz, baseHz)) {
      registers.set(lsm.gyrFrame(motion, get(lsm.CTRL2_G), get(lsm.CTRL5_C)), lsm.OUTX_L_G);
      ready |= lsm.GDA;
    }
    registers[lsm.STATUS_REG] = get(lsm.STATUS_REG) | ready;
    // DS, Temperature sensor characteristics: 256 codes per °C, 0 at 25 °C
    registers.set(word(Math.round((motion.temperatureC - 25) * 256), 'little'), lsm.OUT_TEMP_L);
    if (this.#collects()) this.#batch(step, baseHz);
    return (ready & get(lsm.INT1_CTRL)) !== 0;
  }

  /** DS, CTRL3_C: IF_INC. AN, FIFO: FIFO_DATA_OUT_Z_H goes back to the tag, so that a burst reads the FIFO. */
  next(register: number): number {
    if (((this.#registers[lsm.CTRL3_C] ?? 0) & 0x04) === 0) return register;
    return register === FIFO_DATA_OUT_Z_H ? FIFO_DATA_OUT_TAG : (register + 1) & 0x7f;
  }

  read(register: number): number {
    if (register === FIFO_STATUS1) return this.#fifo.length & 0xff;
    if (register === FIFO_STATUS2) {
      const value = this.#fifoStatus();
      this.#overrunLatched = false;
      return value;
    }
    if (register >= FIFO_DATA_OUT_TAG && register <= FIFO_DATA_OUT_Z_H) {
      const value = this.#fifo.at(0)?.[register - FIFO_DATA_OUT_TAG] ?? 0;
      if (register === FIFO_DATA_OUT_Z_H) {
        this.#fifo.shift();
        this.#overrun = false;
      }
      return value;
    }
    const value = this.#registers[register & 0x7f] ?? 0;
    this.#registers[lsm.STATUS_REG] = lsm.statusAfterRead(this.#registers[lsm.STATUS_REG] ?? 0, register);
    return value;
  }

  write(register: number, value: number): void {
    // DS, CTRL3_C (12h): SW_RESET resets and clears itself, as BOOT does
    if (register === lsm.CTRL3_C && (value & 0x01) !== 0) {
      this.reset();
      return;
    }
    const isWritable = (register < 0x1a && register !== lsm.WHO_AM_I) || (register >= 0x56 && register < 0x78);
    if (!isWritable) return;
    this.#registers[register] = register === lsm.CTRL3_C ? value & ~0x80 : value;
    if (register === FIFO_CTRL4 && !this.#collects()) this.#clearFifo();
  }

  /**
   * INT1 (DS, INT1_CTRL (0Dh)). Data-ready alone with dataready_pulsed is a pulse of 75 µs (AN, Data-ready signal), else
   * everything holds as its flag does.
   */
  pin(): Pin {
    const routed = (this.#registers[lsm.INT1_CTRL] ?? 0) & 0x3b;
    const fifo = this.#fifoStatus();
    const sources =
      ((this.#registers[lsm.STATUS_REG] ?? 0) & 0x03) |
      ((fifo & 0x80) !== 0 ? 0x08 : 0) |
      ((fifo & 0x40) !== 0 ? 0x10 : 0) |
      (fifo & 0x20);
    const pulsed = ((this.#registers[COUNTER_BDR_REG1] ?? 0) & 0x80) !== 0 && (routed & ~0x03) === 0;
    return {
      activeLow: ((this.#registers[lsm.CTRL3_C] ?? 0) & 0x20) !== 0,
      mode: routed === 0 ? 'off' : pulsed ? 'pulse' : 'level',
      asserted: (sources & routed) !== 0,
      pulseUs: 75,
    };
  }

  /** DS, Mechanical characteristics: 70 µg/√Hz (±2 g), 3.8 m°/s/√Hz. */
  noise(): NoiseRms {
    const { accHz, gyrHz } = this.#rates();
    return lsm.noiseOf(70e-6 * 9.80665, (0.0038 * Math.PI) / 180, accHz, gyrHz);
  }

  /** DS, CTRL1_XL (10h): code 11 of the accelerometer is 1.6 Hz in low power (12.5 Hz in high performance). */
  #rates(): { readonly accHz: number; readonly gyrHz: number } {
    const registers = this.#registers;
    const ctrl1 = registers[lsm.CTRL1_XL] ?? 0;
    const rates = lsm.sensorRates(lsm.DSOX_RATES_HZ, ctrl1, registers[lsm.CTRL2_G] ?? 0, registers[lsm.CTRL4_C] ?? 0);
    if (ctrl1 >> 4 !== 11) return rates;
    const lowPower = ((registers[0x15] ?? 0) & 0x10) !== 0;
    return { ...rates, accHz: lowPower ? 1.6 : 12.5 };
  }

  /** DS, FIFO_CTRL4 (0Ah): FIFO mode, continuous, continuous-to-FIFO before its trigger. */
  #collects(): boolean {
    const mode = (this.#registers[FIFO_CTRL4] ?? 0) & 7;
    return mode === 1 || mode === 3 || mode === 6;
  }

  /** AN, FIFO: each sensor at its batch rate (never faster than it measures); all words of a time slot carry the slot's count. */
  #batch(step: number, baseHz: number): void {
    const { accHz, gyrHz } = this.#rates();
    const control = this.#registers[FIFO_CTRL3] ?? 0;
    const gyrBatchHz = Math.min(gyrHz, lsm.DSOX_RATES_HZ[control >> 4] ?? 6.5);
    const accBatchHz = Math.min(accHz, lsm.DSOX_RATES_HZ[control & 0x0f] ?? 1.6);
    const temperatureHz = [0, 1.6, 12.5, 52][((this.#registers[FIFO_CTRL4] ?? 0) >> 4) & 3] ?? 0;
    const words: [tag: number, register: number][] = [];
    if (falls(step, gyrBatchHz, baseHz)) words.push([TAG_GYRO, lsm.OUTX_L_G]);
    if (falls(step, accBatchHz, baseHz)) words.push([TAG_ACCELEROMETER, lsm.OUTX_L_XL]);
    if (falls(step, temperatureHz, baseHz)) words.push([TAG_TEMPERATURE, lsm.OUT_TEMP_L]);
    if (words.length === 0) return;
    for (const [tag, register] of words) this.#store(tag, register);
    this.#slot = (this.#slot + 1) & 3;
  }

  #store(tag: number, register: number): void {
    const stopsWhenFull = ((this.#registers[FIFO_CTRL4] ?? 0) & 7) === 1;
    if (stopsWhenFull && !this.#fifo.fits(7)) return;
    const frame = new Uint8Array(7);
    const count = (tag << 3) | (this.#slot << 1);
    frame[0] = count | parity(count);
    frame.set(this.#registers.subarray(register, register + (tag === TAG_TEMPERATURE ? 2 : 6)), 1);
    if (this.#fifo.push(frame) === 0) return;
    this.#overrun = true;
    this.#overrunLatched = true;
  }

  /**
   * DS, FIFO_STATUS2 (3Bh): FIFO_WTM_IA, FIFO_OVR_IA, FIFO_FULL_IA (full at the next slot), FIFO_OVR_LATCHED, the level's high
   * bits.
   */
  #fifoStatus(): number {
    const watermark = (((this.#registers[FIFO_CTRL2] ?? 0) & 1) << 8) | (this.#registers[FIFO_CTRL1] ?? 0);
    const words = this.#fifo.length;
    return (
      (watermark > 0 && words >= watermark ? 0x80 : 0) |
      (this.#overrun ? 0x40 : 0) |
      (this.#collects() && !this.#fifo.fits(14) ? 0x20 : 0) |
      (this.#overrunLatched ? 0x08 : 0) |
      ((words >> 8) & 3)
    );
  }

  #clearFifo(): void {
    this.#fifo.clear();
    this.#slot = 0;
    this.#overrun = false;
    this.#overrunLatched = false;
  }
}

/** The bit that makes the tag byte's number of ones even (DS, FIFO_DATA_OUT_TAG (78h)). */
function parity(byte: number): number {
  let ones = 0;
  for (let rest = byte; rest !== 0; rest >>= 1) ones ^= rest & 1;
  return ones;
}
