/**
 * A simulated I2C bus as the drivers see one: the wires of `sim/wires.ts` behind a master that queues, takes its time and reports errors
 * as the kernel's does. Time is the injected clock's, so a test can run hours of sampling in a second.
 * Invariant: a chip is accessed half-way through its transaction, as on a real bus, where its registers are latched while bytes travel.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { I2cBus, OpenI2cBus } from './i2c.ts';
import { createSerialQueue } from './serial-queue.ts';
import type { SimulatedWires, WireFailure } from './sim/wires.ts';

export interface SimulatedBusOptions {
  readonly wires: SimulatedWires;
  readonly clock: Clock;
  /** Bits per second, e.g. 400 000. 0 (default): transactions take no time. */
  readonly speedHz?: number;
  /** When the master gives up on stuck wires, milliseconds; the kernel's driver for a Raspberry Pi waits a second. */
  readonly timeoutMs?: number;
  /** Number of the bus, for messages. */
  readonly number?: number;
}

/** A byte is eight bits and its acknowledge (UM10204 §3.1.5). */
const BITS_PER_BYTE = 9;

/** Address, register, address again and the data; START, repeated START and STOP take about a bit each. */
function readBits(length: number): number {
  return BITS_PER_BYTE * (3 + length) + 3;
}

/** Address, register and the data; START and STOP. */
function writeBits(length: number): number {
  return BITS_PER_BYTE * (2 + length) + 2;
}

export function createSimulatedBus({
  wires,
  clock,
  speedHz = 0,
  timeoutMs = 1000,
  number = 0,
}: SimulatedBusOptions): I2cBus {
  const inTurn = createSerialQueue();
  let isOpen = true;

  const failed = async (failure: WireFailure, address: number): Promise<AppError> => {
    const where = `simulated bus ${number}, address 0x${address.toString(16)}`;
    if (failure === 'nack') return new AppError('bus-no-answer', 'the chip does not acknowledge', { where });
    await clock.sleep(timeoutMs);
    return new AppError('bus-hung', 'the data line is stuck', { where });
  };
  const transaction = <T extends Uint8Array | undefined>(
    address: number,
    bits: number,
    run: () => T | WireFailure,
  ): Promise<T> =>
    inTurn(async () => {
      if (!isOpen) throw new AppError('bus-no-answer', 'the bus has been closed', { where: `simulated bus ${number}` });
      const halfMs = speedHz === 0 ? 0 : (500 * bits) / speedHz;
      if (halfMs > 0) await clock.sleep(halfMs);
      const result = run();
      if (result === 'nack' || result === 'hung') throw await failed(result, address);
      if (halfMs > 0) await clock.sleep(halfMs);
      return result;
    });
  return {
    read: (address, register, length) =>
      transaction(
        address,
        readBits(length),
        () => wires.write(address, Uint8Array.of(register)) ?? wires.read(address, length),
      ),
    write: (address, register, bytes) =>
      transaction(
        address,
        writeBits(bytes.length),
        () => wires.write(address, Uint8Array.of(register, ...bytes)) ?? undefined,
      ),
    recover: () => inTurn(async () => wires.clear()),
    close: () =>
      inTurn(async () => {
        isOpen = false;
      }),
  };
}

/** Opens simulated buses by number, as `linuxI2c` does real ones. */
export function simulatedI2c(
  buses: ReadonlyMap<number, SimulatedWires>,
  timing: Omit<SimulatedBusOptions, 'wires' | 'number'>,
): OpenI2cBus {
  return async (number) => {
    const wires = buses.get(number);
    if (wires !== undefined) return createSimulatedBus({ ...timing, wires, number });
    throw new AppError('bus-missing', `no simulated bus ${number}`, {
      hint: `There ${buses.size === 1 ? 'is bus' : 'are buses'} ${[...buses.keys()].join(', ')}.`,
    });
  };
}
