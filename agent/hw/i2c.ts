/**
 * One I2C bus, as chips see it: registers of 7-bit addresses. `i2c-linux.ts` is the kernel's, `i2c-sim.ts` the simulator;
 * one contract suite runs over both.
 * Invariant: transactions of a bus run one after another, in the order of the calls; each ends, in success or in an error.
 */
export interface I2cBus {
  /**
   * Writes the register's number, then reads `length` bytes (1–4096) from it on, as the chip's address counter goes; of a FIFO's
   * data register that is the FIFO. The bytes are the caller's.
   * @throws AppError `bus-no-answer`: the chip did not acknowledge; `bus-hung`: the lines are stuck or the transaction did not end in time
   */
  read(address: number, register: number, length: number): Promise<Uint8Array>;
  /** Writes the register's number and the bytes after it, in one transaction. @throws as `read` */
  write(address: number, register: number, bytes: readonly number[]): Promise<void>;
  /** After `bus-hung`: opens the bus anew, which lets the kernel's adapter clock a stuck chip free where it can. Does not throw. */
  recover(): Promise<void>;
  close(): Promise<void>;
}

/** Opens bus `n`: `/dev/i2c-n`, or the simulator's. @throws AppError `bus-missing` when there is no such bus, or no permission. */
export type OpenI2cBus = (n: number) => Promise<I2cBus>;
