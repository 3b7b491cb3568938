/**
 * A sensor chip's driver: what the datasheet says, and nothing else. When to read, what time a sample has, what a fault is and how
 * the chip comes back is the sampler's business (`sampler.ts`). Drivers keep no timers, retry nothing and log nothing.
 * Every method may throw the bus's errors (`bus-no-answer`, `bus-hung`).
 */
import type { StreamModality } from '../../core/stream/event.ts';
import type { I2cBus } from '../hw/i2c.ts';

/** What a person sets of a chip. A driver takes the nearest that the chip can do, or throws `config-invalid` with what it can. */
export interface ChipSettings {
  /** 7 bits. */
  readonly address: number;
  /** Samples per second of the accelerometer and the gyroscope. */
  readonly rateHz: number;
  /** Full scale of the accelerometer, ± g: 2, 4, 8 or 16. */
  readonly accRangeG: number;
  /** Full scale of the gyroscope, ± degrees per second: 125 to 2000. */
  readonly gyrRangeDps: number;
  /** False: read the data registers one sample at a time, for clones whose FIFO does not work. */
  readonly fifo: boolean;
  /** Interrupt pin signals data (latched until read), for those who wire it. */
  readonly dataReady: boolean;
}

export interface ChipModality extends StreamModality {
  /** A component at or beyond this magnitude is saturated, in `unit`. */
  readonly fullScale: number;
}

export interface Identity {
  readonly whoAmI: number;
  /** The part that answers so, e.g. `MPU-6500`. */
  readonly part: string;
  /** What a person should know: a clone's number, a part of the same family. */
  readonly warning?: string;
}

/** What one read brought. */
export interface Burst {
  /**
   * Per modality of the chip `[n, channels]` in physical units, oldest first, as the sensor said (not calibrated). n may differ between
   * modalities of different rates.
   */
  readonly values: readonly Float32Array[];
  /**
   * Stream time at which the newest of them was known to be there (when the FIFO's level was read), microseconds. The burst holds
   * everything that waited then: the next sample did not exist yet.
   */
  readonly knownUs: number;
  /** The FIFO had overflowed: samples before this burst are lost, and their number is unknown. The FIFO has been emptied and runs again. */
  readonly overflowed: boolean;
}

export interface SelfTest {
  readonly passed: boolean;
  /** Per axis, e.g. `acc.x`: deviation from the factory's trim or response, and the range that the datasheet allows. */
  readonly axes: readonly {
    readonly axis: string;
    readonly value: number;
    readonly least: number;
    readonly most: number;
  }[];
}

export interface Chip {
  /** As in the settings: `mpu6050`. */
  readonly name: string;
  /** With the rates that the chip was really set to. */
  readonly modalities: readonly ChipModality[];
  /** Seconds of samples that the FIFO holds; 0: no FIFO, every sample must be fetched in its time. */
  readonly fifoSeconds: number;
  /** @throws AppError `chip-unknown` when what answers is another kind of chip */
  identify(): Promise<Identity>;
  /** Resets the chip, sets range, rate, filter and FIFO, and starts sampling with an empty FIFO. */
  configure(): Promise<void>;
  /** All whole samples that wait; without a FIFO the newest one, if it has not been read yet. Never part of a sample, never one twice. */
  read(): Promise<Burst>;
  /** Whether the chip still holds what `configure` wrote: false after a brown-out or a reset. One short transaction. */
  isConfigured(): Promise<boolean>;
  /** Degrees Celsius; null when the chip cannot say. */
  temperature(): Promise<number | null>;
  /** Runs the chip's own test, at rest; the caller configures it again afterwards. Null: the chip has none. */
  selfTest(): Promise<SelfTest | null>;
  /** Lowest power. */
  sleep(): Promise<void>;
}

/** How the registry makes a chip. `nowUs` is stream time, microseconds. Nothing is sent to the bus yet. @throws AppError `config-invalid` */
export type ChipFactory = (parts: ChipParts) => Chip;

export interface ChipParts {
  readonly bus: I2cBus;
  readonly settings: ChipSettings;
  readonly nowUs: () => number;
  /** Datasheets ask for pauses after a reset. */
  readonly sleep: (ms: number) => Promise<void>;
}
