/** What is used of the package i2c-bus, which brings no types of its own. A failed call rejects with `code` (errno) and `syscall`. */
declare module 'i2c-bus' {
  export interface I2cHandle {
    /** What the adapter can do: `i2c`, plain messages of any length, is what is asked for here. */
    i2cFuncs(): Promise<{ readonly i2c: boolean }>;
    /** Register and up to 32 bytes in one transaction with a repeated START. */
    readI2cBlock(address: number, register: number, length: number, into: Buffer): Promise<{ bytesRead: number }>;
    i2cRead(address: number, length: number, into: Buffer): Promise<{ bytesRead: number }>;
    i2cWrite(address: number, length: number, from: Buffer): Promise<{ bytesWritten: number }>;
    close(): Promise<void>;
  }

  /** Opens nothing yet: device files are opened, one per address, by the first call that needs them. */
  export function openPromisified(number: number): Promise<I2cHandle>;
}
