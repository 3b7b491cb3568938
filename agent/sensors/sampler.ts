/**
 * One chip's loop: identify, configure, read for ever. Everything that goes wrong on the way is a fault that is raised, counted and, when
 * the chip is there again, cleared; the loop ends only when it is told to, or on a defect of the program.
 * Invariant: what comes out are samples that the chip measured, once and in order. For what is lost there is nothing.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError, describeError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { backoffMs } from '../../core/base/retry.ts';
import type { GpioInput } from '../hw/gpio.ts';
import type { I2cBus } from '../hw/i2c.ts';
import type { SerialQueue } from '../hw/serial-queue.ts';
import type { Burst, Chip, Identity } from './chip.ts';
import { type ChipTracks, type ChipTracksParts, createChipTracks } from './chip-tracks.ts';
import { createFaultWatch, type Fault, type FaultEvent, type FaultWatch } from './fault-watch.ts';
import { createReadPause, type ReadPause } from './read-pause.ts';
import { createReadSchedule, type ReadSchedule } from './read-schedule.ts';

export interface SamplerParts {
  readonly chip: Chip;
  /** Names the chip in events and errors: `mpu6050@1:0x68`. */
  readonly id: string;
  readonly bus: Pick<I2cBus, 'recover'>;
  /** Shared by the chips of a bus: a read that waits for another chip's would not know when its level was read. */
  readonly inTurn: SerialQueue;
  readonly dataReady?: GpioInput;
  readonly clock: Clock;
  /** Stream time, microseconds. */
  readonly nowUs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly onSamples: ChipTracksParts['onSamples'];
  readonly onFault: (event: FaultEvent) => void;
  readonly log: Log;
}

export interface SamplerStats {
  /** Null until the chip answered. */
  readonly identity: Identity | null;
  /** Per modality; estimated samples per second, null in the first seconds. */
  readonly rateHz: readonly (number | null)[];
  readonly samples: number;
  /** Transactions that were not acknowledged and tried again at once. */
  readonly retries: number;
  /** How often the chip has been set up. */
  readonly setUps: number;
  readonly faults: Readonly<Record<Fault, number>>;
  readonly raised: readonly FaultEvent[];
}

export interface Sampler {
  /**
   * Resolves when the chip has been set up, or did not answer, which is a fault and no error: it may come later.
   * @throws AppError `chip-unknown` when another kind of chip answers; the loop is not begun then
   */
  start(signal: AbortSignal): Promise<void>;
  /** After `start`: resolves when the signal has aborted and nothing runs any more; rejects with a defect. */
  finished(): Promise<void>;
  /** Grows with each ended access to the chip, good or bad. A loop that no longer turns shows in that it does not. */
  progress(): number;
  stats(): SamplerStats;
}

/** Of an access that was not acknowledged, at once: bad contacts and busy chips miss single transactions. */
const RETRIES = 2;
const BACKOFF = { baseMs: 50, capMs: 5000 } as const;
const UNPLUGGED_AFTER_US = 1_000_000;
const CHECK_EVERY_US = 1_000_000;
/** Sooner when there should have been samples: after so many intervals between reads, and not more often than this. */
const EMPTY_INTERVALS = 1.5;
const CHECK_EMPTY_US = 100_000;
/** A chip that answers but brings no sample for so long is set up anew; the wrong rate has been found by then. */
const SILENT_US = 2_200_000;
const SILENT_PERIODS = 22;
/** Of the time between reads: for so long the interrupt pin is waited for. */
const PIN_PATIENCE = 1.25;
/** Over as soon as samples come again. */
const OVER_WITH_SAMPLES = ['no-answer', 'unplugged', 'bus-hung', 'wrong-chip', 'overflow', 'reset'] as const;

export function createSampler(parts: SamplerParts): Sampler {
  return new ChipSampler(parts);
}

class ChipSampler implements Sampler {
  readonly #parts: SamplerParts;
  readonly #watch: FaultWatch;
  readonly #tracks: ChipTracks;
  readonly #schedule: ReadSchedule;
  readonly #silentUs: number;
  /** `unsure`: it did not answer, and may or may not have kept its settings. */
  #state: 'down' | 'unsure' | 'up' = 'down';
  #identity: Identity | null = null;
  #running: Promise<void> = Promise.resolve();
  /** Since samples came last. */
  #failures = 0;
  #failingSinceUs: number | null = null;
  #checkedUs = 0;
  #sampledUs = 0;
  #foundSamples = false;
  #progress = 0;
  #retries = 0;
  #setUps = 0;
  #samples = 0;

  constructor(parts: SamplerParts) {
    const { chip, id, onFault, onSamples, random } = parts;
    const rates = chip.modalities.map((modality) => modality.sampleRateHz);
    this.#parts = parts;
    this.#watch = createFaultWatch({ chip: id, modalities: chip.modalities.map(({ name }) => name), onFault });
    this.#tracks = createChipTracks({ chip, watch: this.#watch, onSamples });
    this.#schedule = createReadSchedule({ fifoSeconds: chip.fifoSeconds, sampleRateHz: Math.max(...rates) }, random);
    this.#silentUs = Math.max(SILENT_US, (SILENT_PERIODS * 1e6) / Math.min(...rates));
  }

  async start(signal: AbortSignal): Promise<void> {
    try {
      await this.#setUp();
    } catch (error) {
      if (error instanceof AppError && error.code === 'chip-unknown') throw error;
      await this.#failed(error);
    }
    this.#running = this.#run(signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    this.#running.catch(() => undefined); // told by `finished`
  }

  finished(): Promise<void> {
    return this.#running;
  }

  progress(): number {
    return this.#progress;
  }

  stats(): SamplerStats {
    return {
      identity: this.#identity,
      rateHz: this.#tracks.rateHz(),
      samples: this.#samples,
      retries: this.#retries,
      setUps: this.#setUps,
      faults: this.#watch.counts(),
      raised: this.#watch.raised(),
    };
  }

  async #run(signal: AbortSignal): Promise<void> {
    const pause = createReadPause(this.#parts.clock, this.#parts.dataReady);
    try {
      while (!signal.aborted) {
        if (this.#failures > 0) await this.#parts.clock.sleep(this.#backoffMs(), signal);
        try {
          if (this.#state !== 'up') await this.#setUp();
          while (this.#state === 'up') {
            await this.#pauseBeforeRead(pause, signal);
            await this.#readOnce();
          }
        } catch (error) {
          signal.throwIfAborted();
          await this.#failed(error);
        }
      }
    } finally {
      pause.close();
      if (this.#state === 'up') await this.#parts.chip.sleep().catch(() => undefined); // it has lost nothing that matters now
    }
  }

  async #pauseBeforeRead(pause: ReadPause, signal: AbortSignal): Promise<void> {
    const { chip, dataReady } = this.#parts;
    const nowUs = this.#parts.nowUs();
    if (dataReady === undefined) {
      const dueUs = this.#schedule.nextUs(nowUs, this.#foundSamples, this.#tracks.clock());
      return await pause.wait(0, (dueUs - nowUs) / 1000, signal);
    }
    const intervalMs = this.#schedule.intervalUs / 1000;
    await pause.wait(chip.fifoSeconds === 0 ? 0 : intervalMs / 4, PIN_PATIENCE * intervalMs, signal);
  }

  /** Access to the chip: what is not acknowledged is tried again at once. */
  async #access<T>(call: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await call();
      } catch (error) {
        if (attempt === RETRIES || !(error instanceof AppError) || error.code !== 'bus-no-answer') throw error;
        this.#retries++;
      } finally {
        this.#progress++;
      }
    }
  }

  async #setUp(): Promise<void> {
    const { chip, nowUs } = this.#parts;
    if (this.#state === 'unsure') {
      if (await this.#access(() => chip.isConfigured())) {
        this.#state = 'up';
        this.#tracks.restart(false);
        return;
      }
      this.#wasReset();
    }
    const identity = await this.#access(() => chip.identify());
    await this.#access(() => chip.configure());
    this.#note(identity);
    this.#setUps++;
    this.#state = 'up';
    this.#checkedUs = nowUs();
    this.#sampledUs = nowUs();
    this.#tracks.restart(true);
  }

  #note(identity: Identity): void {
    const { id, log } = this.#parts;
    if (this.#identity?.whoAmI === identity.whoAmI) return;
    this.#identity = identity;
    if (identity.warning === undefined) log.info({ chip: id, part: identity.part }, 'sensor found');
    else log.warn({ chip: id, part: identity.part, warning: identity.warning }, 'sensor found');
  }

  async #readOnce(): Promise<void> {
    const { chip, inTurn, nowUs } = this.#parts;
    this.#take(await this.#access(() => inTurn(() => chip.read())));
    const sinceUs = nowUs() - this.#checkedUs;
    const isEmpty = !this.#foundSamples && nowUs() - this.#sampledUs > EMPTY_INTERVALS * this.#schedule.intervalUs;
    if (sinceUs < (isEmpty ? CHECK_EMPTY_US : CHECK_EVERY_US) || this.#state !== 'up') return;
    this.#checkedUs = nowUs();
    if (await this.#access(() => chip.isConfigured())) return;
    this.#wasReset();
    this.#state = 'down';
  }

  #take(burst: Burst): void {
    const { knownUs, overflowed } = burst;
    if (overflowed) {
      this.#watch.raise('overflow', knownUs, 'the FIFO was full, samples are lost');
      this.#tracks.restart(true);
    }
    const wasStuck = this.#tracks.isStuck();
    const samples = this.#tracks.take(burst);
    this.#samples += samples;
    this.#foundSamples = samples > 0;
    if (overflowed) this.#tracks.restart(true); // the FIFO began anew after what it still had
    if (this.#foundSamples) this.#sampledUs = knownUs;
    if (this.#foundSamples && !overflowed) this.#recovered(knownUs);
    if (knownUs - this.#sampledUs > this.#silentUs) {
      this.#failures++; // so that the next attempts wait longer and longer
      this.#state = 'down';
    }
    // Nothing is lost by setting it up anew, and perhaps it helps; once, since what is broken stays so.
    if (!wasStuck && this.#tracks.isStuck()) this.#state = 'down';
  }

  #recovered(tUs: number): void {
    this.#failures = 0;
    this.#failingSinceUs = null;
    for (const fault of OVER_WITH_SAMPLES) this.#watch.clear(fault, tUs);
  }

  #wasReset(): void {
    if (this.#watch.isRaised('unplugged')) return;
    this.#watch.raise('reset', this.#parts.nowUs(), 'the settings were gone');
  }

  /** @throws `error` when it is not one of those that a chip or a bus makes */
  async #failed(error: unknown): Promise<void> {
    const fault = faultOf(error);
    if (fault === null) throw error;
    const tUs = this.#parts.nowUs();
    this.#failures++;
    this.#failingSinceUs ??= tUs;
    this.#watch.raise(fault, tUs, describeError(error));
    if (fault === 'no-answer' && tUs - this.#failingSinceUs >= UNPLUGGED_AFTER_US) {
      this.#watch.raise('unplugged', tUs, 'no answer for a second');
    }
    // A transaction that broke off may have taken part of a frame with it: only a missing acknowledge leaves the FIFO as it was.
    if (fault !== 'no-answer') this.#state = 'down';
    else if (this.#state === 'up') this.#state = 'unsure';
    if (fault === 'bus-hung') await this.#parts.bus.recover();
  }

  /** Not beyond the instant at which silence becomes an unplugged chip. */
  #backoffMs(): number {
    const pauseMs = backoffMs(this.#failures - 1, BACKOFF, this.#parts.random);
    if (this.#failingSinceUs === null || this.#watch.isRaised('unplugged')) return pauseMs;
    const leftMs = (this.#failingSinceUs + UNPLUGGED_AFTER_US - this.#parts.nowUs()) / 1000;
    return leftMs > 0 ? Math.min(pauseMs, leftMs + 1) : pauseMs; // the clock's grain
  }
}

/** Null: not a fault of chip or bus. A bus that vanished (a USB adapter) is one that does not answer. */
function faultOf(error: unknown): Fault | null {
  if (!(error instanceof AppError)) return null;
  if (error.code === 'bus-no-answer' || error.code === 'bus-missing') return 'no-answer';
  if (error.code === 'bus-hung') return 'bus-hung';
  return error.code === 'chip-unknown' ? 'wrong-chip' : null;
}
