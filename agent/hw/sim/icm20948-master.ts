/**
 * The ICM-20948's auxiliary bus: at each sample it carries out up to four prepared transfers and puts what they read into
 * EXT_SLV_SENS_DATA; a fifth is for single transfers. The only chip on it is the magnetometer on the same package.
 * Source: ICM-20948 datasheet DS-000189 rev. 1.3, I2C_MST_STATUS, EXT_SLV_SENS_DATA, and bank 3.
 * Not modelled: I2C_MST_DELAY_CTRL, byte swapping, the bus's own rate when both sensors are off (it rests then).
 */
import { AK09916_ADDRESS } from './ak09916.ts';
import type { SimulatedChip } from './simulated-chip.ts';

const SLV0_ADDR = 0x03;
const SLV4_ADDR = 0x13;

const SLV4_DONE = 0x40;
const SLV4_NACK = 0x10;

export interface MasterResult {
  /** EXT_SLV_SENS_DATA_00 and on. */
  readonly data: Uint8Array;
  /** Bytes that each slave's transfer brought, slaves 0 to 3: where in `data` they stand, for the FIFO. */
  readonly slices: readonly { readonly from: number; readonly length: number }[];
  /** I2C_MST_STATUS bits to set. */
  readonly status: number;
}

/** Carries out what bank 3 asks for. @param bank the 128 registers of bank 3; those of slave 4 are changed as on the part */
export function runMaster(bank: Uint8Array, magnetometer: SimulatedChip, tUs: number): MasterResult {
  const data = new Uint8Array(24);
  const slices: { from: number; length: number }[] = [];
  let used = 0;
  let status = 0;
  for (let slave = 0; slave < 4; slave++) {
    const at = SLV0_ADDR + 4 * slave;
    const control = bank[at + 2] ?? 0;
    const address = bank[at] ?? 0;
    const reads = (address & 0x80) !== 0;
    const length = (control & 0x80) !== 0 && reads ? Math.min(control & 0x0f, 24 - used) : 0;
    slices.push({ from: used, length });
    if ((control & 0x80) === 0) continue;
    if ((address & 0x7f) !== AK09916_ADDRESS) status |= 1 << slave;
    else if (reads) data.set(readFrom(magnetometer, bank[at + 1] ?? 0, length, tUs), used);
    else magnetometer.write(Uint8Array.of(bank[at + 1] ?? 0, bank[at + 3] ?? 0), tUs);
    used += length;
  }
  return { data, slices, status: status | runSingle(bank, magnetometer, tUs) };
}

/** Slave 4: one byte, then its enable bit clears itself. */
function runSingle(bank: Uint8Array, magnetometer: SimulatedChip, tUs: number): number {
  const control = bank[SLV4_ADDR + 2] ?? 0;
  if ((control & 0x80) === 0) return 0;
  bank[SLV4_ADDR + 2] = control & 0x7f;
  const address = bank[SLV4_ADDR] ?? 0;
  const register = bank[SLV4_ADDR + 1] ?? 0;
  if ((address & 0x7f) !== AK09916_ADDRESS) return SLV4_DONE | SLV4_NACK;
  if ((address & 0x80) !== 0) bank[SLV4_ADDR + 4] = readFrom(magnetometer, register, 1, tUs)[0] ?? 0;
  else magnetometer.write(Uint8Array.of(register, bank[SLV4_ADDR + 3] ?? 0), tUs);
  return SLV4_DONE;
}

function readFrom(chip: SimulatedChip, register: number, length: number, tUs: number): Uint8Array {
  chip.write(Uint8Array.of(register), tUs);
  return chip.read(length, tUs);
}
