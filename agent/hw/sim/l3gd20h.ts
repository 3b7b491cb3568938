/**
 * ST L3GD20H, a gyroscope.
 * Source: L3GD20H datasheet DocID023469 rev. 2 (DS); application note AN4506 rev. 2 (AN).
 * Not modelled: filters, the interrupt generator, and the FIFO modes that wait for a trigger, which stay in the mode they start
 * from.
 */
import { DEGREE, vectorBytes } from './codes.ts';
import { FrameFifo } from './fifo.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const WHO_AM_I = 0x0f;
const CTRL1 = 0x20;
const CTRL3 = 0x22;
const CTRL4 = 0x23;
const CTRL5 = 0x24;
const OUT_TEMP = 0x26;
const STATUS = 0x27;
const OUT_X_L = 0x28;
const OUT_Z_H = 0x2d;
const FIFO_CTRL = 0x2e;
const FIFO_SRC = 0x2f;
const LOW_ODR = 0x39;

const AVAILABLE = 0x0f;
const OVERRUN = 0xf0;
const FIFO_ENTRIES = 32;
const WRITABLE = new Set([CTRL1, 0x21, CTRL3, CTRL4, CTRL5, 0x25, FIFO_CTRL, LOW_ODR]);

export class L3gd20hPart implements Part {
  readonly #registers = new Uint8Array(64);
  readonly #fifo = new FrameFifo(6 * FIFO_ENTRIES);

  /** DS, Register mapping: WHO_AM_I 0xD7, CTRL1 0x07 (powered down), FIFO_SRC 0x20 (empty). */
  reset(): void {
    this.#registers.fill(0);
    this.#registers[WHO_AM_I] = 0xd7;
    this.#registers[CTRL1] = 0x07;
    this.#fifo.clear();
  }

  /** DS, CTRL1 (20h): 100 to 800 Hz, or with Low_ODR 12.5 to 50 Hz. */
  rateHz(): number {
    const control = this.#get(CTRL1);
    if ((control & 0x08) === 0 || (control & 0x07) === 0) return 0;
    const rates = (this.#get(LOW_ODR) & 1) !== 0 ? [12.5, 25, 50, 50] : [100, 200, 400, 800];
    return rates[control >> 6] ?? 0;
  }

  sample(motion: Motion): boolean {
    const frame = this.#frame(motion);
    const status = this.#get(STATUS);
    this.#registers.set(frame, OUT_X_L);
    this.#registers[OUT_TEMP] = Math.round(25 - motion.temperatureC) & 0xff;
    this.#registers[STATUS] = AVAILABLE | ((status & AVAILABLE) !== 0 ? OVERRUN : 0);
    if (this.#collects()) {
      const streams = ((this.#get(FIFO_CTRL) >> 5) & 3) !== 1;
      if (streams || this.#fifo.fits(6)) this.#fifo.push(frame);
    }
    return true;
  }

  /**
   * DS, I2C operation: the counter goes on only if the sub-address has its bit 7 set. AN, Retrieving data from FIFO: in the
   * FIFO it goes from 2Dh back to 28h.
   */
  next(register: number): number {
    if ((register & 0x80) === 0) return register;
    if ((register & 0x3f) === OUT_Z_H && this.#collects()) return 0x80 | OUT_X_L;
    return 0x80 | ((register + 1) & 0x3f);
  }

  read(subAddress: number): number {
    const register = subAddress & 0x3f;
    if (register >= OUT_X_L && register <= OUT_Z_H) return this.#readData(register);
    return register === FIFO_SRC ? this.#fifoSource() : this.#get(register);
  }

  write(subAddress: number, value: number): void {
    const register = subAddress & 0x3f;
    // DS, LOW_ODR (39h): SW_RES resets, and clears itself
    if (register === LOW_ODR && (value & 0x04) !== 0) {
      this.reset();
      return;
    }
    if (!WRITABLE.has(register)) return;
    this.#registers[register] = register === CTRL5 ? value & ~0x80 : value;
    if (!this.#collects()) this.#fifo.clear();
  }

  /** DRDY/INT2 (DS, CTRL3 (22h)): data ready, watermark, overrun, empty; its level by LOW_ODR's DRDY_HL. */
  pin(): Pin {
    const routed = this.#get(CTRL3) & 0x0f;
    const source = this.#fifoSource();
    const asserted =
      ((routed & 8) !== 0 && (this.#get(STATUS) & 8) !== 0) ||
      ((routed & 4) !== 0 && (source & 0x80) !== 0) ||
      ((routed & 2) !== 0 && (source & 0x40) !== 0) ||
      ((routed & 1) !== 0 && (source & 0x20) !== 0);
    return {
      activeLow: (this.#get(LOW_ODR) & 0x20) !== 0,
      mode: routed === 0 ? 'off' : 'level',
      asserted,
      pulseUs: 0,
    };
  }

  /** DS, Mechanical characteristics: 0.011 °/s/√Hz; the bandwidth taken as half the rate. */
  noise(): NoiseRms {
    return { acc: 0, gyr: 0.011 * DEGREE * Math.sqrt(this.rateHz() / 2), mag: 0 };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }

  /** FIFO_EN and a mode other than bypass; bypass-to-something stays bypass without its trigger. */
  #collects(): boolean {
    const mode = this.#get(FIFO_CTRL) >> 5;
    return (this.#get(CTRL5) & 0x40) !== 0 && mode !== 0 && mode !== 4 && mode !== 7;
  }

  #readData(register: number): number {
    // DS, STATUS (27h): the flags go with the high bytes
    if (register === OUT_Z_H) this.#registers[STATUS] = 0;
    const head = this.#collects() ? this.#fifo.at(0) : undefined;
    if (head === undefined) return this.#get(register);
    if (register === OUT_Z_H) this.#fifo.shift();
    return head[register - OUT_X_L] ?? 0;
  }

  /** DS, FIFO_SRC (2Fh): FTH, OVRN (full), EMPTY, and the unread entries in five bits, where full reads 31. */
  #fifoSource(): number {
    const entries = this.#fifo.length;
    const threshold = this.#get(FIFO_CTRL) & 0x1f;
    return (
      (this.#collects() && entries >= threshold && entries > 0 ? 0x80 : 0) |
      (entries === FIFO_ENTRIES ? 0x40 : 0) |
      (entries === 0 ? 0x20 : 0) |
      Math.min(31, entries)
    );
  }

  /**
   * DS, Mechanical characteristics: 8.75, 17.5, 70 m°/s per code. DS, CTRL4 (23h): self-test adds 130, 200, 530 °/s, in mode 1
   * with Y negative.
   */
  #frame(motion: Motion): Uint8Array {
    const control = this.#get(CTRL4);
    const scale = (control >> 4) & 3;
    const dpsPerCode = [0.00875, 0.0175, 0.07, 0.07][scale] ?? 0.07;
    const change = [130, 200, 530, 530][scale] ?? 530;
    const sign = [0, 1, 0, -1][(control >> 1) & 3] ?? 0;
    const response = [sign * change, -sign * change, sign * change] as const;
    return vectorBytes(motion.gyr, DEGREE, 1 / dpsPerCode, (control & 0x40) !== 0 ? 'big' : 'little', response);
  }
}
