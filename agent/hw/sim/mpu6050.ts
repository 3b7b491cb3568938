/**
 * InvenSense MPU-6050, and its later dies MPU-6500 and MPU-9250 (accelerometer and gyroscope).
 * Sources: MPU-6000/6050 Register Map RM-MPU-6000A-00 rev. 4.2 (RM) and Product Specification PS-MPU-6000A-00 rev. 3.4 (PS);
 * MPU-6500 Register Map RM-MPU-6500A-00 rev. 2.1 (RM6500); MPU-9250 Register Map RM-MPU-9250A-00 rev. 1.6.
 * Not modelled: cycle mode, FSYNC, wake-on-motion, the DMP, the auxiliary bus and with it the MPU-9250's AK8963.
 */
import { DEGREE, GRAVITY, vectorBytes, word } from './codes.ts';
import { ByteFifo } from './fifo.ts';
import { type Generation, mpuRateHz, mpuSelfTest } from './mpu-tables.ts';
import type { Part, Pin } from './powered-chip.ts';
import type { Motion } from './simulated-chip.ts';
import type { NoiseRms } from './surroundings.ts';

const CONFIG = 0x1a;
const GYRO_CONFIG = 0x1b;
const ACCEL_CONFIG = 0x1c;
const ACCEL_CONFIG_2 = 0x1d;
const FIFO_EN = 0x23;
const INT_PIN_CFG = 0x37;
const INT_ENABLE = 0x38;
const INT_STATUS = 0x3a;
const ACCEL_XOUT_H = 0x3b;
const TEMP_OUT_H = 0x41;
const GYRO_XOUT_H = 0x43;
const LAST_DATA = 0x60;
const SIGNAL_PATH_RESET = 0x68;
const USER_CTRL = 0x6a;
const PWR_MGMT_1 = 0x6b;
const PWR_MGMT_2 = 0x6c;
const FIFO_COUNT_H = 0x72;
const FIFO_COUNT_L = 0x73;
const FIFO_R_W = 0x74;
const WHO_AM_I = 0x75;

const DATA_RDY = 0x01;
const FIFO_OFLOW = 0x10;

export class MpuPart implements Part {
  readonly #generation: Generation;
  readonly #registers = new Uint8Array(128);
  readonly #fifo: ByteFifo;
  #countLatch = 0;
  #lastFifoByte = 0;

  constructor(generation: Generation) {
    this.#generation = generation;
    this.#fifo = new ByteFifo(generation.fifoBytes);
  }

  /**
   * RM, Register Map: all registers 0x00 but PWR_MGMT_1 (0x40: asleep; 0x01: awake, on the later dies) and WHO_AM_I. The trim
   * is the factory's.
   */
  reset(): void {
    const registers = this.#registers;
    registers.fill(0);
    registers[PWR_MGMT_1] = this.#generation.powerManagement;
    registers[WHO_AM_I] = this.#generation.whoAmI;
    for (const [register, value] of mpuSelfTest(this.#generation).trim) registers[register] = value;
    this.#fifo.clear();
    this.#countLatch = 0;
  }

  rateHz(): number {
    const asleep = (this.#get(PWR_MGMT_1) & 0x40) !== 0;
    return asleep ? 0 : mpuRateHz(this.#generation, this.#get(CONFIG), this.#get(GYRO_CONFIG), this.#get(0x19));
  }

  sample(motion: Motion, _tUs: number, step: number): boolean {
    this.#measure(motion, step);
    let status = DATA_RDY;
    if ((this.#get(USER_CTRL) & 0x40) !== 0 && this.#fillFifo()) status |= FIFO_OFLOW;
    this.#registers[INT_STATUS] = this.#get(INT_STATUS) | status;
    return (status & this.#get(INT_ENABLE)) !== 0;
  }

  /** Registers wrap within the map; FIFO_R_W stays, so that a burst reads the FIFO (RM, Register 116). */
  next(register: number): number {
    return register === FIFO_R_W ? register : (register + 1) & 0x7f;
  }

  read(register: number): number {
    if (register === FIFO_COUNT_H) this.#countLatch = this.#fifo.length;
    const value = this.#value(register & 0x7f);
    // RM, Register 55, INT_RD_CLEAR: any read clears, else only that of INT_STATUS
    if (register === INT_STATUS || (this.#get(INT_PIN_CFG) & 0x10) !== 0) this.#registers[INT_STATUS] = 0;
    return value;
  }

  write(register: number, value: number): void {
    if (register === PWR_MGMT_1 && (value & 0x80) !== 0) {
      this.reset();
      return;
    }
    if (isReadOnly(register)) return;
    if (register === USER_CTRL) {
      // RM, Register 106: FIFO_RESET resets while FIFO_EN is 0; RM6500, Register 106, makes no such condition. The reset bits
      // clear themselves.
      const resets = (value & 0x04) !== 0;
      if (resets && (this.#generation.later || (value & 0x40) === 0)) this.#fifo.clear();
      if ((value & 0x01) !== 0) this.#clearData();
      this.#registers[register] = value & ~0x0f;
    } else if (register === SIGNAL_PATH_RESET) {
      this.#clearData();
    } else {
      this.#registers[register & 0x7f] = value;
    }
  }

  /** RM, Register 55: LATCH_INT_EN holds the pin until INT_STATUS is read, else it is a 50 µs pulse. */
  pin(): Pin {
    const config = this.#get(INT_PIN_CFG);
    const enabled = this.#get(INT_ENABLE);
    return {
      activeLow: (config & 0x80) !== 0,
      mode: enabled === 0 ? 'off' : (config & 0x20) !== 0 ? 'level' : 'pulse',
      asserted: (this.#get(INT_STATUS) & enabled) !== 0,
      pulseUs: 50,
    };
  }

  /** PS, Gyroscope and Accelerometer Specifications: spectral densities; the bandwidth is the filter's (RM, Register 26). */
  noise(): NoiseRms {
    const { bandwidthHz, accDensity, gyrDensity } = this.#generation;
    const root = Math.sqrt(bandwidthHz[this.#get(CONFIG) & 7] ?? 256);
    return { acc: accDensity * root, gyr: gyrDensity * root, mag: 0 };
  }

  #get(register: number): number {
    return this.#registers[register] ?? 0;
  }

  #value(register: number): number {
    switch (register) {
      case FIFO_COUNT_H:
        return this.#countLatch >> 8;
      case FIFO_COUNT_L:
        return this.#countLatch & 0xff;
      case FIFO_R_W:
        // RM, Register 116: empty, it gives the last byte once more
        this.#lastFifoByte = this.#fifo.shift() ?? this.#lastFifoByte;
        return this.#lastFifoByte;
      default:
        return this.#get(register);
    }
  }

  /**
   * An axis in standby (PWR_MGMT_2) keeps its last value; the accelerometer's own rate is 1 kHz and repeats beyond (RM,
   * Register 25).
   */
  #measure(motion: Motion, step: number): void {
    const generation = this.#generation;
    const response = mpuSelfTest(generation).response(this.#get(GYRO_CONFIG), this.#get(ACCEL_CONFIG));
    const standby = this.#get(PWR_MGMT_2);
    const accHz = generation.later && (this.#get(ACCEL_CONFIG_2) & 0x08) !== 0 ? 4000 : 1000;
    if (step % Math.max(1, Math.round(this.rateHz() / accHz)) === 0) {
      const perG = 16384 >> ((this.#get(ACCEL_CONFIG) >> 3) & 3);
      this.#store(ACCEL_XOUT_H, vectorBytes(motion.acc, GRAVITY, perG, 'big', response.accG), standby >> 3);
    }
    const perDps = [131, 65.5, 32.8, 16.4][(this.#get(GYRO_CONFIG) >> 3) & 3] ?? 131;
    this.#store(GYRO_XOUT_H, vectorBytes(motion.gyr, DEGREE, perDps, 'big', response.gyrDps), standby);
    if ((this.#get(PWR_MGMT_1) & 0x08) === 0) {
      const { perDegree, zeroAtC } = generation.temperature;
      this.#registers.set(word(Math.round((motion.temperatureC - zeroAtC) * perDegree), 'big'), TEMP_OUT_H);
    }
  }

  #store(register: number, bytes: Uint8Array, standby: number): void {
    for (let axis = 0; axis < 3; axis++) {
      if (((standby >> (2 - axis)) & 1) === 0) {
        this.#registers.set(bytes.subarray(2 * axis, 2 * axis + 2), register + 2 * axis);
      }
    }
  }

  /** RM, Register 116: in the order of the registers, those that FIFO_EN names. @returns whether bytes were lost */
  #fillFifo(): boolean {
    const enabled = this.#get(FIFO_EN);
    const whenFull = this.#generation.later && (this.#get(CONFIG) & 0x40) !== 0 ? 'lose-new' : 'lose-oldest';
    const fields = [
      [0x08, ACCEL_XOUT_H, 6],
      [0x80, TEMP_OUT_H, 2],
      [0x40, GYRO_XOUT_H, 2],
      [0x20, GYRO_XOUT_H + 2, 2],
      [0x10, GYRO_XOUT_H + 4, 2],
    ] as const;
    let lost = false;
    for (const [bit, register, length] of fields) {
      if ((enabled & bit) === 0) continue;
      lost = this.#fifo.push(this.#registers.subarray(register, register + length), whenFull) || lost;
    }
    return lost;
  }

  #clearData(): void {
    this.#registers.fill(0, ACCEL_XOUT_H, GYRO_XOUT_H + 6);
  }
}

function isReadOnly(register: number): boolean {
  return (register >= INT_STATUS && register <= LAST_DATA) || (register >= FIFO_COUNT_H && register <= WHO_AM_I);
}
