/**
 * TDK InvenSense ICM-20948: accelerometer, gyroscope, and an AK09916 magnetometer behind the auxiliary bus or, with BYPASS_EN,
 * on the main one. Source: datasheet DS-000189 rev. 1.3 (DS), registers in four banks.
 * The FIFO has the datasheet's 512 bytes (FIFO: "depending on DMP feature-set"); parts have been seen to hold 4096.
 * Sensors of different rates write to the FIFO when they have something new, which the datasheet does not describe.
 * Not modelled: duty-cycled power modes, the DMP, wake-on-motion, offsets, FSYNC.
 */
import { createAk09916 } from './ak09916.ts';
import { DEGREE, GRAVITY, vectorBytes, word } from './codes.ts';
import { ByteFifo } from './fifo.ts';
import { runMaster } from './icm20948-master.ts';
import { laterResponse } from './mpu-tables.ts';
import { falls } from './oscillator.ts';
import { type Part, type Pin, PoweredChip } from './powered-chip.ts';
import type { Motion, SimulatedChip } from './simulated-chip.ts';
import type { NoiseRms, Surroundings } from './surroundings.ts';

const WHO_AM_I = 0x00;
const USER_CTRL = 0x03;
const PWR_MGMT_1 = 0x06;
const PWR_MGMT_2 = 0x07;
const INT_PIN_CFG = 0x0f;
const INT_ENABLE_1 = 0x11;
const INT_ENABLE_2 = 0x12;
const I2C_MST_STATUS = 0x17;
const INT_STATUS = 0x19;
const INT_STATUS_1 = 0x1a;
const INT_STATUS_2 = 0x1b;
const INT_STATUS_3 = 0x1c;
const ACCEL_XOUT_H = 0x2d;
const GYRO_XOUT_H = 0x33;
const TEMP_OUT_H = 0x39;
const EXT_SLV_SENS_DATA_00 = 0x3b;
const EXT_SLV_SENS_DATA_23 = 0x52;
const FIFO_EN_1 = 0x66;
const FIFO_EN_2 = 0x67;
const FIFO_RST = 0x68;
const FIFO_MODE = 0x69;
const FIFO_COUNTH = 0x70;
const FIFO_COUNTL = 0x71;
const FIFO_R_W = 0x72;
const REG_BANK_SEL = 0x7f;

/** Bank 2. */
const GYRO_SMPLRT_DIV = 0x00;
const GYRO_CONFIG_1 = 0x01;
const GYRO_CONFIG_2 = 0x02;
const ACCEL_SMPLRT_DIV_1 = 0x10;
const ACCEL_SMPLRT_DIV_2 = 0x11;
const ACCEL_CONFIG = 0x14;
const ACCEL_CONFIG_2 = 0x15;

/** Factory codes of the self-test (bank 1: gyroscope from 0x02, accelerometer from 0x0E); any healthy die's would do. */
const GYRO_CODES = [98, 103, 100] as const;
const ACCEL_CODES = [109, 111, 107] as const;

export class Icm20948Part implements Part {
  readonly #banks = [new Uint8Array(128), new Uint8Array(128), new Uint8Array(128), new Uint8Array(128)] as const;
  readonly #fifo = new ByteFifo(512);
  readonly #magnetometer: SimulatedChip;
  #bank = 0;
  #countLatch = 0;
  #lastFifoByte = 0;

  constructor(magnetometer: SimulatedChip) {
    this.#magnetometer = magnetometer;
  }

  /**
   * DS, Register Map: WHO_AM_I 0xEA, LP_CONFIG 0x40, PWR_MGMT_1 0x41 (asleep), GYRO_CONFIG_1 and ACCEL_CONFIG 0x01. The trim is
   * the factory's.
   */
  reset(): void {
    const [user, trim, config] = this.#banks;
    for (const bank of this.#banks) bank.fill(0);
    user[WHO_AM_I] = 0xea;
    user[0x05] = 0x40;
    user[PWR_MGMT_1] = 0x41;
    config[GYRO_CONFIG_1] = 0x01;
    config[ACCEL_CONFIG] = 0x01;
    trim.set(GYRO_CODES, 0x02);
    trim.set(ACCEL_CODES, 0x0e);
    this.#bank = 0;
    this.#fifo.clear();
    this.#countLatch = 0;
  }

  /** Whether the magnetometer is on the main bus (DS, INT_PIN_CFG: BYPASS_EN, with the auxiliary bus's master off). */
  isBypassed(): boolean {
    return (this.#user(INT_PIN_CFG) & 0x02) !== 0 && (this.#user(USER_CTRL) & 0x20) === 0;
  }

  rateHz(): number {
    const { accHz, gyrHz } = this.#rates();
    return Math.max(accHz, gyrHz);
  }

  sample(motion: Motion, tUs: number, step: number): boolean {
    const { accHz, gyrHz } = this.#rates();
    const baseHz = this.rateHz();
    const hasAcc = falls(step, accHz, baseHz);
    const hasGyr = falls(step, gyrHz, baseHz);
    this.#measure(motion, hasAcc, hasGyr);
    const external = this.#runMaster(tUs);
    const [user] = this.#banks;
    user[INT_STATUS_1] = 1;
    if ((this.#user(USER_CTRL) & 0x40) !== 0 && this.#fillFifo(hasAcc, hasGyr, external)) user[INT_STATUS_2] = 1;
    return this.#asserted();
  }

  next(register: number): number {
    return register === FIFO_R_W ? register : (register + 1) & 0x7f;
  }

  read(register: number): number {
    if (register === REG_BANK_SEL) return this.#bank << 4;
    if (this.#bank !== 0) return this.#banks[this.#bank as 1 | 2 | 3][register] ?? 0;
    if (register === FIFO_COUNTH) this.#countLatch = this.#fifo.length;
    const value = this.#value(register);
    const [user] = this.#banks;
    const isStatus = (register >= INT_STATUS && register <= INT_STATUS_3) || register === I2C_MST_STATUS;
    if (isStatus) user[register] = 0;
    // DS, INT_PIN_CFG: INT_ANYRD_2CLEAR
    if ((this.#user(INT_PIN_CFG) & 0x10) !== 0) user.fill(0, INT_STATUS, INT_STATUS_3 + 1);
    return value;
  }

  write(register: number, value: number): void {
    if (register === REG_BANK_SEL) this.#bank = (value >> 4) & 3;
    else if (this.#bank === 0) this.#writeUser(register, value);
    else if (this.#bank !== 1 || register > 0x10) this.#banks[this.#bank as 1 | 2 | 3][register] = value;
  }

  /** DS, INT_PIN_CFG: INT1_ACTL, INT1_LATCH_EN; a pulse is 50 µs. */
  pin(): Pin {
    const config = this.#user(INT_PIN_CFG);
    const enabled = (this.#user(INT_ENABLE_1) & 1) !== 0 || (this.#user(INT_ENABLE_2) & 0x1f) !== 0;
    return {
      activeLow: (config & 0x80) !== 0,
      mode: !enabled ? 'off' : (config & 0x20) !== 0 ? 'level' : 'pulse',
      asserted: this.#asserted(),
      pulseUs: 50,
    };
  }

  /** DS, Gyroscope and Accelerometer Specifications: 0.015 °/s/√Hz, 230 µg/√Hz; the bandwidth taken as half the rate. */
  noise(): NoiseRms {
    const { accHz, gyrHz } = this.#rates();
    return {
      acc: 230e-6 * GRAVITY * Math.sqrt(accHz / 2),
      gyr: 0.015 * DEGREE * Math.sqrt(gyrHz / 2),
      mag: 0,
    };
  }

  #user(register: number): number {
    return this.#banks[0][register] ?? 0;
  }

  #config(register: number): number {
    return this.#banks[2][register] ?? 0;
  }

  #asserted(): boolean {
    return (
      (this.#user(INT_STATUS_1) & this.#user(INT_ENABLE_1) & 1) !== 0 ||
      (this.#user(INT_STATUS_2) & this.#user(INT_ENABLE_2) & 0x1f) !== 0
    );
  }

  /**
   * DS, GYRO_CONFIG_1, ACCEL_CONFIG and the dividers: 1125 Hz / (1 + divider); with FCHOICE 0 9 kHz and 4.5 kHz. All axes
   * disabled: none.
   */
  #rates(): { readonly accHz: number; readonly gyrHz: number } {
    const disabled = this.#user(PWR_MGMT_2);
    if ((this.#user(PWR_MGMT_1) & 0x40) !== 0) return { accHz: 0, gyrHz: 0 };
    const accDivider = ((this.#config(ACCEL_SMPLRT_DIV_1) & 0x0f) << 8) | this.#config(ACCEL_SMPLRT_DIV_2);
    const accHz = (this.#config(ACCEL_CONFIG) & 1) !== 0 ? 1125 / (1 + accDivider) : 4500;
    const gyrHz = (this.#config(GYRO_CONFIG_1) & 1) !== 0 ? 1125 / (1 + this.#config(GYRO_SMPLRT_DIV)) : 9000;
    return { accHz: (disabled & 0x38) === 0x38 ? 0 : accHz, gyrHz: (disabled & 0x07) === 0x07 ? 0 : gyrHz };
  }

  /** DS, Specifications: 131 to 16.4 codes per °/s, 16384 to 2048 per g. DS, TEMP_OUT_H: 333.87 codes per °C from 21 °C. */
  #measure(motion: Motion, hasAcc: boolean, hasGyr: boolean): void {
    const [user] = this.#banks;
    if (hasAcc) {
      const perG = 16384 >> ((this.#config(ACCEL_CONFIG) >> 1) & 3);
      const test = gate(this.#config(ACCEL_CONFIG_2) >> 2, laterResponse(ACCEL_CODES, 16384));
      user.set(vectorBytes(motion.acc, GRAVITY, perG, 'big', test), ACCEL_XOUT_H);
    }
    if (hasGyr) {
      const perDps = [131, 65.5, 32.8, 16.4][(this.#config(GYRO_CONFIG_1) >> 1) & 3] ?? 131;
      const test = gate(this.#config(GYRO_CONFIG_2) >> 3, laterResponse(GYRO_CODES, 131));
      user.set(vectorBytes(motion.gyr, DEGREE, perDps, 'big', test), GYRO_XOUT_H);
    }
    user.set(word(Math.round((motion.temperatureC - 21) * 333.87), 'big'), TEMP_OUT_H);
  }

  /** @returns what goes into the FIFO of the slaves' bytes */
  #runMaster(tUs: number): Uint8Array {
    if ((this.#user(USER_CTRL) & 0x20) === 0) return new Uint8Array(0);
    const [user, , , bank3] = this.#banks;
    const { data, slices, status } = runMaster(bank3, this.#magnetometer, tUs);
    user.set(data, EXT_SLV_SENS_DATA_00);
    user[I2C_MST_STATUS] = this.#user(I2C_MST_STATUS) | status;
    const wanted = slices.filter((_, slave) => ((this.#user(FIFO_EN_1) >> slave) & 1) !== 0);
    return Uint8Array.from(wanted.flatMap(({ from, length }) => [...data.subarray(from, from + length)]));
  }

  /** In the order of the data registers, what FIFO_EN_1 and FIFO_EN_2 name. @returns whether bytes were lost */
  #fillFifo(hasAcc: boolean, hasGyr: boolean, external: Uint8Array): boolean {
    const enabled = this.#user(FIFO_EN_2);
    // DS, FIFO_RST: held in reset
    if ((this.#user(FIFO_RST) & 1) !== 0) return false;
    const whenFull = (this.#user(FIFO_MODE) & 1) !== 0 ? 'lose-new' : 'lose-oldest';
    const fields = [
      [hasAcc && (enabled & 0x10) !== 0, ACCEL_XOUT_H, 6],
      [hasGyr && (enabled & 0x02) !== 0, GYRO_XOUT_H, 2],
      [hasGyr && (enabled & 0x04) !== 0, GYRO_XOUT_H + 2, 2],
      [hasGyr && (enabled & 0x08) !== 0, GYRO_XOUT_H + 4, 2],
      [(enabled & 0x01) !== 0, TEMP_OUT_H, 2],
    ] as const;
    let lost = false;
    for (const [isWanted, register, length] of fields) {
      if (!isWanted) continue;
      lost = this.#fifo.push(this.#banks[0].subarray(register, register + length), whenFull) || lost;
    }
    return this.#fifo.push(external, whenFull) || lost;
  }

  #value(register: number): number {
    switch (register) {
      case FIFO_COUNTH:
        return this.#countLatch >> 8;
      case FIFO_COUNTL:
        return this.#countLatch & 0xff;
      case FIFO_R_W:
        this.#lastFifoByte = this.#fifo.shift() ?? this.#lastFifoByte;
        return this.#lastFifoByte;
      default:
        return this.#user(register);
    }
  }

  #writeUser(register: number, value: number): void {
    if (register === PWR_MGMT_1 && (value & 0x80) !== 0) {
      this.reset();
      return;
    }
    const isReadOnly =
      register === WHO_AM_I ||
      register === I2C_MST_STATUS ||
      (register >= INT_STATUS && register <= EXT_SLV_SENS_DATA_23) ||
      register >= FIFO_COUNTH;
    if (isReadOnly) return;
    // DS, FIFO_RST: empties the FIFO and holds it empty until it is taken back
    if (register === FIFO_RST && (value & 1) !== 0) this.#fifo.clear();
    // DS, USER_CTRL: DMP_RST, SRAM_RST and I2C_MST_RST clear themselves
    this.#banks[0][register] = register === USER_CTRL ? value & 0xf0 : value;
  }
}

/** Keeps the axes whose bit is set: X bit 2, Y bit 1, Z bit 0 (ACCEL_CONFIG_2 and GYRO_CONFIG_2). */
function gate(bits: number, [x, y, z]: Motion['acc']): Motion['acc'] {
  return [bits & 4 ? x : 0, bits & 2 ? y : 0, bits & 1 ? z : 0];
}

/** @param magnetometer what its magnetometer feels: its own noise, the same faults */
export function createIcm20948(address: number, surroundings: Surroundings, magnetometer: Surroundings): PoweredChip {
  const compass = createAk09916(magnetometer);
  const part = new Icm20948Part(compass);
  const onMainBus: SimulatedChip = {
    address: compass.address,
    write: (bytes, nowUs) => compass.write(bytes, nowUs),
    read: (length, nowUs) => compass.read(length, nowUs),
    powerCycle: (nowUs) => compass.powerCycle(nowUs),
    interrupt: (nowUs) => compass.interrupt(nowUs),
    measured: () => compass.measured(),
    answers: () => part.isBypassed(),
  };
  return new PoweredChip(address, part, surroundings, [onMainBus]);
}
