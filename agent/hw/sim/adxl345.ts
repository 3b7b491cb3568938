/**
 * Analog Devices ADXL345, an accelerometer.
 * Source: ADXL345 Data Sheet rev. E (DS), named by its sections.
 * Not modelled: taps, activity, free fall, the trigger mode's history (it collects like the FIFO mode), SPI.
 */
import { GRAVITY, toCode } from './codes.ts';
import { FrameFifo } from './fifo.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const DEVID = 0x00;
const OFSX = 0x1e;
const BW_RATE = 0x2c;
const POWER_CTL = 0x2d;
const INT_ENABLE = 0x2e;
const INT_MAP = 0x2f;
const INT_SOURCE = 0x30;
const DATA_FORMAT = 0x31;
const DATAX0 = 0x32;
const DATAZ1 = 0x37;
const FIFO_CTL = 0x38;
const FIFO_STATUS = 0x39;

const DATA_READY = 0x80;
const WATERMARK = 0x02;
const OVERRUN = 0x01;

/** DS, FIFO: 32 entries, and one more that waits in the output filter. */
const ENTRIES = 33;

export class Adxl345Part implements Part {
  readonly #registers = new Uint8Array(64);
  readonly #fifo = new FrameFifo(6 * ENTRIES);
  #shown: Uint8Array = new Uint8Array(6);
  #fresh = false;
  #overrun = false;
  #dataWasRead = false;

  /** DS, Register Map: 0xE5, BW_RATE 0x0A (100 Hz), everything else 0; standby. */
  reset(): void {
    this.#registers.fill(0);
    this.#registers[DEVID] = 0xe5;
    this.#registers[BW_RATE] = 0x0a;
    this.#shown = new Uint8Array(6);
    this.#clearFifo();
    this.#overrun = false;
  }

  /**
   * DS, Register 0x2C: 3200 Hz / 2^(15 − code), down to 0.1 Hz. DS, Register 0x2D: asleep it takes 8, 4, 2 or 1 sample a
   * second.
   */
  rateHz(): number {
    const power = this.#get(POWER_CTL);
    if ((power & 0x08) === 0) return 0;
    return (power & 0x04) !== 0 ? 8 / (1 << (power & 3)) : 3200 / 2 ** (15 - (this.#get(BW_RATE) & 0x0f));
  }

  sample(motion: Motion): boolean {
    const frame = this.#frame(motion);
    const mode = this.#get(FIFO_CTL) >> 6;
    if (mode === 0) {
      if (this.#fresh) this.#overrun = true;
      this.#shown = frame;
      this.#fresh = true;
      return true;
    }
    const collectsWhenFull = mode === 2;
    if (collectsWhenFull || this.#fifo.fits(6)) this.#fifo.push(frame);
    // DS, Overrun: in these modes set when the FIFO is filled, lost or not
    if (this.#fifo.length >= 32) this.#overrun = true;
    return true;
  }

  next(register: number): number {
    // DS, FIFO: the step from 0x37 to 0x38 ends the reading of an entry
    if (register === DATAZ1) this.stop();
    return (register + 1) & 0x3f;
  }

  read(register: number): number {
    if (register >= DATAX0 && register <= DATAZ1) {
      const entry = this.#fifo.at(0) ?? this.#shown;
      this.#dataWasRead = true;
      return entry[register - DATAX0] ?? 0;
    }
    if (register === INT_SOURCE) return this.#source();
    // DS, Register 0x39: the entries of the FIFO itself
    if (register === FIFO_STATUS) return Math.min(32, this.#fifo.length);
    return this.#get(register & 0x3f);
  }

  /** DS, FIFO: after a read of any data register the next entry takes its place; what was not read of the old one is lost. */
  stop(): void {
    if (!this.#dataWasRead) return;
    this.#dataWasRead = false;
    this.#shown = this.#fifo.shift() ?? this.#shown;
    this.#fresh = false;
    this.#overrun = false;
  }

  write(register: number, value: number): void {
    const isWritable =
      (register >= 0x1d && register <= INT_MAP && register !== 0x2b) ||
      register === DATA_FORMAT ||
      register === FIFO_CTL;
    if (!isWritable) return;
    // DS, FIFO: bypass mode empties the FIFO. DS, Overrun: the flag goes when data are read, and only then
    if (register === FIFO_CTL && value >> 6 === 0) this.#clearFifo();
    this.#registers[register] = value;
  }

  /** INT1: what is enabled and not mapped to INT2. It stays as long as its cause does (DS, Interrupts). */
  pin(): Pin {
    const routed = this.#get(INT_ENABLE) & ~this.#get(INT_MAP) & 0xff;
    return {
      activeLow: (this.#get(DATA_FORMAT) & 0x20) !== 0,
      mode: routed === 0 ? 'off' : 'level',
      asserted: (this.#source() & routed) !== 0,
      pulseUs: 0,
    };
  }

  /** DS, Specifications: 0.75 LSB rms at 100 samples a second; it grows with the root of the rate. */
  noise(): NoiseRms {
    return { acc: ((0.75 * GRAVITY) / 256) * Math.sqrt(Math.max(this.rateHz(), 1) / 100), gyr: 0, mag: 0 };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }

  #source(): number {
    const bypassed = this.#get(FIFO_CTL) >> 6 === 0;
    const ready = bypassed ? this.#fresh : this.#fifo.length > 0;
    const entries = Math.min(32, this.#fifo.length);
    const watermark = entries >= (this.#get(FIFO_CTL) & 0x1f);
    return (ready ? DATA_READY : 0) | (watermark ? WATERMARK : 0) | (this.#overrun ? OVERRUN : 0);
  }

  /** DS, Register 0x31 and Specifications: 256 LSB/g in full resolution, else 10 bits over the range; offsets of 15.6 mg. */
  #frame(motion: Motion): Uint8Array {
    const format = this.#get(DATA_FORMAT);
    const range = format & 3;
    const full = (format & 0x08) !== 0;
    const perG = full ? 256 : 256 >> range;
    const limit = full ? 512 << range : 512;
    // DS, Self-Test: within X 0.2 to 2.1, Y −2.1 to −0.2, Z 0.3 to 3.4 g
    const response = (format & 0x80) !== 0 ? ([1, -1, 1.5] as const) : ([0, 0, 0] as const);
    const leftShift = (format & 0x04) === 0 ? 0 : full ? 6 - range : 6;
    // DS, Data Formatting of Upper Data Rates: the last bit is 0
    const coarse = (this.#get(BW_RATE) & 0x0f) >= 0x0e && (full || range === 0);
    const frame = new Uint8Array(6);
    for (const axis of [0, 1, 2] as const) {
      const offset = (((this.#get(OFSX + axis) << 24) >> 24) * 4) / 256;
      const code = toCode(motion.acc[axis] / GRAVITY + offset + response[axis], perG, -limit, limit - 1);
      const shown = (coarse ? code & ~1 : code) << leftShift;
      frame[2 * axis] = shown & 0xff;
      frame[2 * axis + 1] = (shown >> 8) & 0xff;
    }
    return frame;
  }

  #clearFifo(): void {
    this.#fifo.clear();
    this.#fresh = false;
  }
}
