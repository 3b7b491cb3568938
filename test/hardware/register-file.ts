/**
 * The plainest chip: 256 registers whose address counter moves on by itself, one register that is a FIFO of counted bytes, and one
 * that sets the interrupt pin. For tests of what lies between a chip and a program.
 */
import type { SimulatedChip } from '../../agent/hw/sim/simulated-chip.ts';

/** Reads 0, 1, 2 … 255, 0 … and the address counter stays. */
export const FIFO_REGISTER = 0x74;
/** Its lowest bit is the level of the interrupt pin. */
export const PIN_REGISTER = 0x37;
/** Holds `IDENTITY` after power-up. */
export const IDENTITY_REGISTER = 0x75;
export const IDENTITY = 0x5a;

export function createRegisterFile(address: number): SimulatedChip {
  const registers = new Uint8Array(256);
  let counter = 0;
  let fifoNext = 0;
  const powerOn = () => {
    registers.fill(0);
    registers[IDENTITY_REGISTER] = IDENTITY;
    fifoNext = 0;
  };
  const readOne = (): number => {
    if (counter === FIFO_REGISTER) return fifoNext++ & 0xff;
    const value = registers[counter] as number;
    counter = (counter + 1) & 0xff;
    return value;
  };
  powerOn();
  return {
    address,
    write([register = counter, ...bytes]) {
      counter = register;
      for (const byte of bytes) {
        registers[counter] = byte;
        counter = (counter + 1) & 0xff;
      }
    },
    read: (length) => Uint8Array.from({ length }, readOne),
    powerCycle: powerOn,
    interrupt: () => ({ level: ((registers[PIN_REGISTER] as number) & 1) === 1 ? 1 : 0, nextUs: null }),
    measured: () => fifoNext,
  };
}
