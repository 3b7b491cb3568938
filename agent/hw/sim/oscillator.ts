/**
 * A chip's own clock: the instants at which it samples, which its bus only ever learns about too late.
 * After a start or a change of rate the first sample comes one period later. Instants are calculated from the last change, not
 * summed up, so they stay exact over days; each is kept findable by its index, for tests that ask how wrong a driver's
 * timestamps are.
 */
import type { ChipFaults } from './simulated-chip.ts';

interface Segment {
  /** Index of the first sample of the segment. */
  readonly index: number;
  /** One period before that sample. */
  readonly fromUs: number;
  readonly periodUs: number;
}

export class Oscillator {
  readonly #faults: ChipFaults;
  #segments: Segment[] = [];
  #count = 0;
  #rateHz = 0;
  #restartIndex = 0;

  constructor(faults: ChipFaults) {
    this.#faults = faults;
  }

  /** Nominal, Hz; 0: it stands. */
  get rateHz(): number {
    return this.#rateHz;
  }

  /** Samples since power-up. */
  get count(): number {
    return this.#count;
  }

  /** Index of the first sample since the last start or change of rate. */
  get restartIndex(): number {
    return this.#restartIndex;
  }

  powerUp(): void {
    this.#segments = [];
    this.#count = 0;
    this.#rateHz = 0;
    this.#restartIndex = 0;
  }

  /** @param rateHz nominal; 0 stops it */
  restart(rateHz: number, nowUs: number): void {
    this.#rateHz = rateHz;
    this.#restartIndex = this.#count;
    if (rateHz > 0) this.#segments.push({ index: this.#count, fromUs: nowUs, periodUs: this.#periodUs() });
  }

  /** When the next sample comes, microseconds; null: it stands. */
  dueUs(): number | null {
    const last = this.#segments.at(-1);
    if (this.#rateHz === 0 || last === undefined) return null;
    const periodUs = this.#periodUs();
    if (periodUs !== last.periodUs) {
      const fromUs = last.fromUs + (this.#count - last.index) * last.periodUs;
      this.#segments.push({ index: this.#count, fromUs, periodUs });
      return fromUs + periodUs;
    }
    return last.fromUs + (this.#count + 1 - last.index) * last.periodUs;
  }

  /** Counts `samples` as taken. */
  advance(samples: number): void {
    this.#count += samples;
  }

  /** True instant of sample `index` since power-up, past or, at the rate of now, to come; microseconds. NaN: there is none. */
  timeUs(index: number): number {
    const segment = this.#segments.findLast((one) => one.index <= index);
    return segment === undefined ? Number.NaN : segment.fromUs + (index + 1 - segment.index) * segment.periodUs;
  }

  #periodUs(): number {
    return 1e6 / (this.#rateHz * (1 + this.#faults.rateError));
  }
}

/** How many of the events of a stream at `rateHz` fall on step `step` (from 0) of a faster base clock: 0 or 1, evenly spread. */
export function falls(step: number, rateHz: number, baseHz: number): boolean {
  if (rateHz <= 0) return false;
  const share = Math.min(1, rateHz / baseHz);
  return Math.floor((step + 1) * share + 1e-9) > Math.floor(step * share + 1e-9);
}
