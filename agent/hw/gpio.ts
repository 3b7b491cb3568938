/**
 * Single lines of a GPIO chip. `gpio-linux.ts` is the kernel's (sysfs, by onoff), `gpio-sim.ts` the simulator.
 * A line is named by its offset on the header's chip, which is the BCM number on a Raspberry Pi.
 */
export interface GpioInput {
  /** Physical level now. */
  read(): Promise<0 | 1>;
  /** Calls `listener` after each change of level with the level found then. Returns what ends it. */
  watch(listener: (level: 0 | 1) => void): () => void;
  close(): void;
}

export interface GpioOutput {
  write(level: 0 | 1): Promise<void>;
  close(): void;
}

export interface Gpio {
  /** @param edges which changes `watch` reports @throws AppError `gpio-failed` */
  input(line: number, edges: 'rising' | 'falling' | 'both'): Promise<GpioInput>;
  /** @throws AppError `gpio-failed` */
  output(line: number, level: 0 | 1): Promise<GpioOutput>;
}
