/**
 * A chip at the level of its registers, as its bus sees it: bytes in, bytes out, time from outside. `i2c-sim.ts` puts it on a
 * simulated bus in this process; the hardware tests put the same object behind a real kernel's bus.
 * Written from the datasheets and not from the drivers: what is cited here is what holds.
 */

/** What the chip's surroundings do to it at an instant, in physical units of the board's axes; sampled at the chip's own rate. */
export interface Motion {
  /** Acceleration including gravity, m/s², `[x, y, z]`. */
  readonly acc: readonly [number, number, number];
  /** Turning rate, rad/s. */
  readonly gyr: readonly [number, number, number];
  /** Magnetic field, µT. */
  readonly mag: readonly [number, number, number];
  readonly temperatureC: number;
}

/** Motion at `tUs` of the simulation's clock. A recording is sampled at the chip's own instants, by the nearest earlier sample. */
export type MotionSource = (tUs: number) => Motion;

export interface SimulatedChip {
  /** 7 bits. */
  readonly address: number;
  /**
   * One write transaction's bytes after the address; the first is the register's number, as on the real part.
   * @param nowUs the simulation's clock, never earlier than in any call before
   */
  write(bytes: Uint8Array, nowUs: number): void;
  /** One read transaction of `length` bytes from where the address counter is. */
  read(length: number, nowUs: number): Uint8Array;
  /** Power off and on: registers back to their defaults. */
  powerCycle(nowUs: number): void;
  /** Level of the interrupt pin now, and when it can change next without a transaction (null: not before one). */
  interrupt(nowUs: number): { readonly level: 0 | 1; readonly nextUs: number | null };
  /** Samples that the chip has measured since power-up, whether anybody read them or not. */
  measured(): number;
  /** Whether the chip acknowledges its address now; left out: always. A magnetometer behind a closed bypass switch does not. */
  answers?(nowUs: number): boolean;
  /** Further addresses that the part brings to the bus: an ICM-20948's magnetometer. */
  readonly companions?: readonly SimulatedChip[];
}

/** What makes a chip wrong though its bus works. All off by default; may be changed while it runs. */
export interface ChipFaults {
  /** Registers deliver the last sample for ever: a stuck driver or die. */
  stuck: boolean;
  /** The physical input is multiplied by this: above full scale the outputs saturate. */
  gain: number;
  /** The oscillator is off by this share: 0.03 samples 3 % too fast. */
  rateError: number;
  /** Per second, m/s² or rad/s: a bias that grows. */
  driftPerSecond: number;
}
