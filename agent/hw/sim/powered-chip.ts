/**
 * A part under power: the address counter of its bus, the oscillator that lets it sample, its interrupt pin, and the part's own
 * registers behind them. What the parts differ in is `Part`; a file a part.
 * Samples are taken lazily: whatever was due is made up before a transaction looks. So a chip costs nothing while nobody asks, and
 * what it says depends on the instants of the questions only as it does on the real part.
 */
import { Oscillator } from './oscillator.ts';
import type { Motion, SimulatedChip } from './simulated-chip.ts';
import type { NoiseRms, Surroundings } from './surroundings.ts';

/** One part's registers and what they do. Time comes in; a part keeps no clock. */
export interface Part {
  /** Power-up state. */
  reset(nowUs: number): void;
  /** Nominal rate of its time base as the registers say now, Hz; 0: it does not sample. */
  rateHz(): number;
  /** Takes a sample. @param step since the last start or change of rate, from 0 @returns whether it raises the interrupt */
  sample(motion: Motion, tUs: number, step: number): boolean;
  /** The address counter after `register` has been read or written. */
  next(register: number): number;
  read(register: number, nowUs: number): number;
  write(register: number, value: number, nowUs: number): void;
  /** STOP after a read: what happens only when a transaction ends. */
  stop?(): void;
  pin(): Pin;
  noise(): NoiseRms;
}

export interface Pin {
  readonly activeLow: boolean;
  /**
   * `off`: nothing drives it. `level`: as `asserted`, until a transaction changes that. `pulse`: for `pulseUs` after each
   * raise.
   */
  readonly mode: 'off' | 'level' | 'pulse';
  readonly asserted: boolean;
  readonly pulseUs: number;
}

/** For tests of timing: the instants that no driver can see. */
export interface TimedChip extends SimulatedChip {
  /** True instant of sample `index` since power-up on the simulation's clock, microseconds. */
  sampleTimeUs(index: number): number;
  /** Index of the first sample since the last start or change of rate. */
  firstSinceRateChange(): number;
}

/** Beyond this many samples nobody has asked for, the older are counted and not made: no FIFO reaches back so far. */
const REACH = 50_000;

export class PoweredChip implements TimedChip {
  readonly address: number;
  readonly companions?: readonly SimulatedChip[];
  readonly #part: Part;
  readonly #surroundings: Surroundings;
  readonly #oscillator: Oscillator;
  #powered = false;
  #register = 0;
  #raisedUs = Number.NEGATIVE_INFINITY;

  constructor(address: number, part: Part, surroundings: Surroundings, companions: readonly SimulatedChip[] = []) {
    this.address = address;
    this.companions = companions;
    this.#part = part;
    this.#surroundings = surroundings;
    this.#oscillator = new Oscillator(surroundings.faults);
  }

  write(bytes: Uint8Array, nowUs: number): void {
    this.#advance(nowUs);
    const [register, ...values] = bytes;
    if (register === undefined) return;
    this.#register = register;
    for (const value of values) {
      this.#part.write(this.#register, value, nowUs);
      this.#register = this.#part.next(this.#register);
    }
    this.#followRate(nowUs);
  }

  read(length: number, nowUs: number): Uint8Array {
    this.#advance(nowUs);
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      bytes[i] = this.#part.read(this.#register, nowUs);
      this.#register = this.#part.next(this.#register);
    }
    this.#part.stop?.();
    return bytes;
  }

  powerCycle(nowUs: number): void {
    this.#powered = true;
    this.#register = 0;
    this.#raisedUs = Number.NEGATIVE_INFINITY;
    this.#part.reset(nowUs);
    this.#oscillator.powerUp();
    this.#followRate(nowUs);
    for (const companion of this.companions ?? []) companion.powerCycle(nowUs);
  }

  interrupt(nowUs: number): { readonly level: 0 | 1; readonly nextUs: number | null } {
    this.#advance(nowUs);
    const pin = this.#part.pin();
    const pulseEndUs = this.#raisedUs + pin.pulseUs;
    const active = pin.mode === 'level' ? pin.asserted : pin.mode === 'pulse' && nowUs < pulseEndUs;
    const level = active !== pin.activeLow ? 1 : 0;
    if (pin.mode === 'off' || (pin.mode === 'level' && active)) return { level, nextUs: null };
    return { level, nextUs: active ? pulseEndUs : this.#oscillator.dueUs() };
  }

  measured(): number {
    return this.#oscillator.count;
  }

  sampleTimeUs(index: number): number {
    return this.#oscillator.timeUs(index);
  }

  firstSinceRateChange(): number {
    return this.#oscillator.restartIndex;
  }

  /** Takes the samples that were due. Power comes on at the first question. */
  #advance(nowUs: number): void {
    if (!this.#powered) this.powerCycle(nowUs);
    const oscillator = this.#oscillator;
    const behind = ((nowUs - (oscillator.dueUs() ?? nowUs)) / 1e6) * oscillator.rateHz;
    if (behind > REACH) oscillator.advance(Math.floor(behind - REACH));
    for (let dueUs = oscillator.dueUs(); dueUs !== null && dueUs <= nowUs; dueUs = oscillator.dueUs()) {
      const step = oscillator.count - oscillator.restartIndex;
      oscillator.advance(1);
      const raises = this.#part.sample(this.#surroundings.at(dueUs, this.#part.noise()), dueUs, step);
      if (raises) this.#raisedUs = dueUs;
      this.#followRate(dueUs);
    }
  }

  #followRate(nowUs: number): void {
    const rateHz = this.#part.rateHz();
    if (rateHz !== this.#oscillator.rateHz) this.#oscillator.restart(rateHz, nowUs);
  }
}
