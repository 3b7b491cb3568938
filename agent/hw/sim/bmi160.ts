/**
 * Bosch BMI160, accelerometer and gyroscope.
 * Source: BMI160 datasheet BST-BMI160-DS000-07 (DS). Both sensors run on one time base, the faster's (DS §2.3.2: strictly
 * synchronized).
 * Not modelled: low-power and undersampling modes, the magnetometer interface, motion interrupts, offset compensation, INT2,
 * the pauses that suspend mode asks for between writes. Of the config frame only the opcode is the datasheet's.
 */
import { Bmi160Fifo } from './bmi160-fifo.ts';
import { DEGREE, GRAVITY, vectorBytes, word } from './codes.ts';
import { falls } from './oscillator.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const CHIP_ID = 0x00;
const PMU_STATUS = 0x03;
const DATA_GYR = 0x0c;
const DATA_ACC = 0x12;
const SENSORTIME = 0x18;
const STATUS = 0x1b;
const INT_STATUS_1 = 0x1d;
const TEMPERATURE = 0x20;
const FIFO_LENGTH_0 = 0x22;
const FIFO_LENGTH_1 = 0x23;
const FIFO_DATA = 0x24;
const ACC_CONF = 0x40;
const ACC_RANGE = 0x41;
const GYR_CONF = 0x42;
const GYR_RANGE = 0x43;
const FIFO_DOWNS = 0x45;
const FIFO_CONFIG_0 = 0x46;
const FIFO_CONFIG_1 = 0x47;
const INT_EN_1 = 0x51;
const INT_OUT_CTRL = 0x53;
const INT_LATCH = 0x54;
const INT_MAP_1 = 0x56;
const SELF_TEST = 0x6d;
const CMD = 0x7e;

const DRDY_ACC = 0x80;
const DRDY_GYR = 0x40;
const GYR_SELF_TEST_OK = 0x02;
const NVM_READY = 0x10;

/** INT_EN_1, INT_STATUS_1: data ready, FIFO full, FIFO watermark. */
const INT_DRDY = 0x10;
const INT_FULL = 0x20;
const INT_WATERMARK = 0x40;

/** DS, Specification: start-up from suspend, µs; the status says normal only after it, and nothing is measured before. */
const ACC_START_US = 3_800;
const GYR_START_US = 80_000;
const TICK_US = 39.0625;

export class Bmi160Part implements Part {
  readonly #registers = new Uint8Array(128);
  readonly #fifo = new Bmi160Fifo();
  #resetUs = 0;
  /** From when on each sensor measures; null: suspended. */
  #accFromUs: number | null = null;
  #gyrFromUs: number | null = null;

  /** DS, Register Map: the chip is 0xD1, both sensors suspended, 100 Hz, ±2 g and ±2000 °/s. */
  reset(nowUs: number): void {
    this.#registers.fill(0);
    for (const [register, value] of RESET_VALUES) this.#registers[register] = value;
    this.#fifo.clear();
    this.#resetUs = nowUs;
    this.#accFromUs = null;
    this.#gyrFromUs = null;
  }

  rateHz(): number {
    const { accHz, gyrHz } = this.#rates();
    return Math.max(accHz, gyrHz);
  }

  sample(motion: Motion, tUs: number, step: number): boolean {
    const { accHz, gyrHz } = this.#rates();
    const baseHz = this.rateHz();
    const acc = falls(step, accHz, baseHz) && hasStarted(this.#accFromUs, tUs) ? this.#accFrame(motion) : null;
    const gyr = falls(step, gyrHz, baseHz) && hasStarted(this.#gyrFromUs, tUs) ? this.#gyrFrame(motion) : null;
    if (acc === null && gyr === null) return false;
    if (acc !== null) this.#registers.set(acc, DATA_ACC);
    if (gyr !== null) this.#registers.set(gyr, DATA_GYR);
    this.#set(STATUS, this.#get(STATUS) | (acc === null ? 0 : DRDY_ACC) | (gyr === null ? 0 : DRDY_GYR));
    // DS, Register Map.8: 512 codes per K, 0 at 23 °C
    this.#registers.set(word(Math.round((motion.temperatureC - 23) * 512), 'little'), TEMPERATURE);
    this.#fill(gyr, acc, step);
    this.#set(INT_STATUS_1, this.#get(INT_STATUS_1) | (this.#conditions() & this.#get(INT_EN_1)));
    return (this.#get(INT_EN_1) & INT_DRDY) !== 0;
  }

  next(register: number): number {
    return register === FIFO_DATA ? register : (register + 1) & 0x7f;
  }

  read(register: number, nowUs: number): number {
    const header = this.#hasHeader();
    switch (register) {
      case PMU_STATUS:
        return (hasStarted(this.#accFromUs, nowUs) ? 0x10 : 0) | (hasStarted(this.#gyrFromUs, nowUs) ? 0x04 : 0);
      case SENSORTIME:
      case SENSORTIME + 1:
      case SENSORTIME + 2:
        return (this.#sensorTime(nowUs) >> (8 * (register - SENSORTIME))) & 0xff;
      case FIFO_LENGTH_0:
        return this.#fifo.length(header) & 0xff;
      case FIFO_LENGTH_1:
        return this.#fifo.length(header) >> 8;
      case FIFO_DATA:
        return this.#fifo.read(header, (this.#get(FIFO_CONFIG_1) & 0x02) !== 0 ? this.#sensorTime(nowUs) : null);
      default:
        return this.#readPlain(register);
    }
  }

  stop(): void {
    this.#fifo.endRead();
  }

  write(register: number, value: number, nowUs: number): void {
    if (register === CMD) {
      this.#command(value, nowUs);
      return;
    }
    if (register < ACC_CONF || register > 0x7a) return;
    const before = this.#get(register);
    this.#set(register, value);
    if (register === FIFO_CONFIG_1 && before !== value) this.#fifo.clear();
    else if (register >= ACC_CONF && register <= GYR_RANGE && before !== value) this.#markChange(register);
    // DS, SELF_TEST (0x6D): a gyroscope that runs tests itself, and says so in STATUS
    if (register === SELF_TEST && (value & 0x10) !== 0 && hasStarted(this.#gyrFromUs, nowUs)) {
      this.#set(STATUS, this.#get(STATUS) | GYR_SELF_TEST_OK);
      this.#set(SELF_TEST, value & ~0x10);
    }
  }

  /**
   * INT1 (DS, INT_EN, INT_OUT_CTRL, INT_LATCH, INT_MAP). Latched until INT_STATUS is read or int_reset; not latched, data ready
   * falls after half a period.
   */
  pin(): Pin {
    const map = this.#get(INT_MAP_1);
    const routed = ((map & 0x80) >> 3) | (map & INT_FULL) | (map & INT_WATERMARK);
    const enabled = this.#get(INT_EN_1) & routed;
    const output = this.#get(INT_OUT_CTRL);
    const latched = (this.#get(INT_LATCH) & 0x0f) === 0x0f;
    const holds = latched || enabled !== INT_DRDY;
    return {
      activeLow: (output & 0x02) === 0,
      mode: enabled === 0 || (output & 0x08) === 0 ? 'off' : holds ? 'level' : 'pulse',
      asserted: ((latched ? this.#get(INT_STATUS_1) : this.#conditions()) & enabled) !== 0,
      pulseUs: 5e5 / Math.max(this.rateHz(), 1),
    };
  }

  /** DS, Specification: 180 µg/√Hz, 0.007 °/s/√Hz; the bandwidth in the normal mode is about 0.4 of the rate. */
  noise(): NoiseRms {
    const { accHz, gyrHz } = this.#rates();
    return {
      acc: 180e-6 * GRAVITY * Math.sqrt(0.4 * accHz),
      gyr: 0.007 * DEGREE * Math.sqrt(0.4 * gyrHz),
      mag: 0,
    };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }

  #set(register: number, value: number): void {
    this.#registers[register] = value;
  }

  #hasHeader(): boolean {
    return (this.#get(FIFO_CONFIG_1) & 0x10) !== 0;
  }

  /**
   * DS, ACC_CONF (0x40), GYR_CONF (0x42): 100 Hz · 2^(odr − 8); accelerometer 1 to 12, gyroscope 6 to 13. A suspended sensor
   * has none.
   */
  #rates(): { readonly accHz: number; readonly gyrHz: number } {
    const acc = this.#get(ACC_CONF) & 0x0f;
    const gyr = this.#get(GYR_CONF) & 0x0f;
    return {
      accHz: this.#accFromUs !== null && acc >= 1 && acc <= 12 ? 100 * 2 ** (acc - 8) : 0,
      gyrHz: this.#gyrFromUs !== null && gyr >= 6 && gyr <= 13 ? 100 * 2 ** (gyr - 8) : 0,
    };
  }

  /**
   * DS, ACC_RANGE (0x41): 16384 to 2048 codes per g. DS, Accelerometer Self-Test: excited, it moves by its amplitude, sign by
   * sign. With amp high the two signs lie more than 2 g apart on a good part (Bosch's BMI160_SensorAPI,
   * BMI160_ACCEL_SELF_TEST_LIMIT: 8192 codes at ±8 g).
   */
  #accFrame(motion: Motion): Uint8Array {
    const perG = { 3: 16384, 5: 8192, 8: 4096, 12: 2048 }[this.#get(ACC_RANGE) & 0x0f] ?? 16384;
    const test = this.#get(SELF_TEST);
    const size = (test & 3) !== 1 ? 0 : ((test & 4) !== 0 ? 1 : -1) * ((test & 8) !== 0 ? 1.3 : 0.5);
    return vectorBytes(motion.acc, GRAVITY, perG, 'little', [size, size, size]);
  }

  /** DS, GYR_RANGE (0x43): 16.4 codes per °/s at ±2000, twice that with each halving. */
  #gyrFrame(motion: Motion): Uint8Array {
    return vectorBytes(motion.gyr, DEGREE, 16.4 * 2 ** Math.min(4, this.#get(GYR_RANGE) & 7), 'little');
  }

  /** DS, FIFO_DOWNS (0x45): divides each sensor's rate by a power of two. */
  #fill(gyr: Uint8Array | null, acc: Uint8Array | null, step: number): void {
    const enabled = this.#get(FIFO_CONFIG_1);
    const downs = this.#get(FIFO_DOWNS);
    const { accHz, gyrHz } = this.#rates();
    const baseHz = this.rateHz();
    const wantsGyr = (enabled & 0x80) !== 0 && falls(step, gyrHz / 2 ** (downs & 7), baseHz);
    const wantsAcc = (enabled & 0x40) !== 0 && falls(step, accHz / 2 ** ((downs >> 4) & 7), baseHz);
    this.#fifo.store(wantsGyr ? gyr : null, wantsAcc ? acc : null, this.#hasHeader());
  }

  #markChange(register: number): void {
    const sensor = register < GYR_CONF ? 0x40 : 0x80;
    if (this.#hasHeader() && (this.#get(FIFO_CONFIG_1) & sensor) !== 0) {
      this.#fifo.markChange(sensor === 0x40 ? 1 : 2);
    }
  }

  #conditions(): number {
    const ready = (this.#get(STATUS) & (DRDY_ACC | DRDY_GYR)) !== 0;
    const level = this.#get(FIFO_CONFIG_0) * 4;
    return (
      (ready ? INT_DRDY : 0) |
      (this.#fifo.isFull() ? INT_FULL : 0) |
      (level > 0 && this.#fifo.length(this.#hasHeader()) >= level ? INT_WATERMARK : 0)
    );
  }

  #readPlain(register: number): number {
    const value = this.#get(register);
    // DS, STATUS (0x1B): each data-ready flag goes when a byte of its data is read
    if (register >= DATA_ACC && register < SENSORTIME) this.#set(STATUS, this.#get(STATUS) & ~DRDY_ACC);
    else if (register >= DATA_GYR && register < DATA_ACC) this.#set(STATUS, this.#get(STATUS) & ~DRDY_GYR);
    else if (register === INT_STATUS_1) this.#set(INT_STATUS_1, 0);
    return value;
  }

  #sensorTime(nowUs: number): number {
    return Math.floor((nowUs - this.#resetUs) / TICK_US) % 2 ** 24;
  }

  /** DS, CMD (0x7E). */
  #command(value: number, nowUs: number): void {
    if (value === 0x10) this.#accFromUs = null;
    else if (value === 0x11) this.#accFromUs ??= nowUs + ACC_START_US;
    else if (value === 0x14 || value === 0x17) this.#gyrFromUs = null;
    else if (value === 0x15) this.#gyrFromUs ??= nowUs + GYR_START_US;
    else if (value === 0xb0) this.#fifo.clear();
    else if (value === 0xb1) this.#set(INT_STATUS_1, 0);
    else if (value === 0xb6) this.reset(nowUs);
  }
}

/** DS, Register Map. */
const RESET_VALUES: readonly (readonly [register: number, value: number])[] = [
  [CHIP_ID, 0xd1],
  [STATUS, NVM_READY],
  [ACC_CONF, 0x28],
  [ACC_RANGE, 0x03],
  [GYR_CONF, 0x28],
  [0x44, 0x0b],
  [FIFO_DOWNS, 0x88],
  [FIFO_CONFIG_0, 0x80],
  [FIFO_CONFIG_1, 0x10],
];

function hasStarted(fromUs: number | null, nowUs: number): boolean {
  return fromUs !== null && nowUs >= fromUs;
}
