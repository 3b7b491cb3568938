/**
 * Cuts a stream into windows. Pure push: events in, windows out through a callback, synchronously and in order.
 * Segment: a maximal run under one label that some modality covers without a hole. The grid of windows starts at the segment's
 * first sample and has a window every D·(1 − overlap), so L samples give ⌊(L − T)/hop⌋ + 1 windows.
 * Invariants: no window spans a change of label or a hole; the result depends on the samples' times, not on how they came in
 * blocks; a new windower that is given `position()` and the stream again goes on with exactly the next window.
 */
import { alignModalities, type WindowModality } from './align.ts';
import type { SampleBlock, StreamEvent, StreamModality } from './event.ts';
import { ABSENT, appendBlock, createSampleTrack, cutTrack, HOLE_PERIODS, type SampleTrack } from './sample-track.ts';
import type { Window } from './window.ts';

export interface WindowerOptions {
  /** Of the stream's header; `SampleBlock.modality` counts in them. */
  readonly modalities: readonly StreamModality[];
  /** Of the model; `Window.values` counts in them. */
  readonly wanted: readonly WindowModality[];
  /** D, seconds. */
  readonly windowSeconds: number;
  /** Share of a window that the next one shares with it, in [0, 1). */
  readonly overlap: number;
  /** Where an earlier windower stopped. */
  readonly resume?: WindowPosition;
  /** A modality this far behind the others is no longer waited for, microseconds. Default 1 s. */
  readonly latenessUs?: number;
}

/**
 * Enough to go on after a crash. Valid on the clock that stamped the stream (a reboot starts a new one: keep `nextIndex`, set
 * `resumeAtUs` to 0), and only if the stream is fed again from its start or from at least two sample periods before `resumeAtUs`.
 */
export interface WindowPosition {
  /** Index of the next window. */
  readonly nextIndex: number;
  /** No window starts before it, and the segment that runs there has a window starting at it. 0: from the beginning. */
  readonly resumeAtUs: number;
}

export interface WindowerStats {
  readonly windows: number;
  /** Places on the grid where every modality had a hole: nothing was emitted. */
  readonly empty: number;
  /** Modalities of windows that were interpolated onto the nominal rate. */
  readonly resampled: number;
  /** Samples that came after their time had been decided, or out of order. */
  readonly lateSamples: number;
}

export interface Windower {
  /** Takes times ≥ 0 that increase within a modality. Copies what it needs. */
  push(event: StreamEvent): void;
  /** The stream is over: emits what is complete. No push after it. */
  end(): void;
  /** Counts the windows emitted so far, the one being emitted included. */
  position(): WindowPosition;
  stats(): WindowerStats;
}

/** @throws AppError `shape-mismatch` when the stream cannot serve the model (see `alignModalities`). */
export function createWindower(options: WindowerOptions, onWindow: (window: Window) => void): Windower {
  return new GridWindower(options, onWindow);
}

class GridWindower implements Windower {
  readonly #onWindow: (window: Window) => void;
  /** One per modality of the model; null where the stream has none. */
  readonly #tracks: readonly (SampleTrack | null)[];
  /** The tracks that exist, in the model's order. */
  readonly #live: readonly SampleTrack[];
  /** Per modality of the stream. */
  readonly #trackOf: readonly (SampleTrack | undefined)[];
  readonly #lengthUs: number;
  readonly #hopUs: number;
  readonly #latenessUs: number;
  readonly #shortestHalfUs: number;
  readonly #longestHalfUs: number;
  readonly #resumeAtUs: number;

  /** Changes of label that no sample has reached yet. */
  readonly #labels: { readonly tUs: number; readonly label: string | null }[] = [];
  #label: string | null = null;
  #isOpen = false;
  /** A sample after it has no neighbour in any modality: the segment is over. */
  #coveredUntilUs = 0;
  /** Where the segment ends if no further sample comes: each sample stands for one period. */
  #segmentEndUs = 0;
  #nextStartUs: number;
  #nextIndex: number;
  #newestBlockUs = Number.NEGATIVE_INFINITY;
  #scannedUs = Number.NEGATIVE_INFINITY;
  #windows = 0;
  #empty = 0;
  #resampled = 0;
  #lateSamples = 0;

  constructor(options: WindowerOptions, onWindow: (window: Window) => void) {
    const { modalities, wanted, resume = { nextIndex: 0, resumeAtUs: 0 } } = options;
    const indices = alignModalities(modalities, wanted);
    this.#onWindow = onWindow;
    this.#tracks = wanted.map((spec, m) => ((indices[m] as number) < 0 ? null : createSampleTrack(spec)));
    this.#live = this.#tracks.filter((track) => track !== null);
    this.#trackOf = modalities.map((_, i) => this.#tracks[indices.indexOf(i)] ?? undefined);
    this.#lengthUs = Math.round(options.windowSeconds * 1e6);
    this.#hopUs = Math.max(1, Math.round(options.windowSeconds * (1 - options.overlap) * 1e6));
    this.#latenessUs = options.latenessUs ?? 1e6;
    this.#shortestHalfUs = Math.min(...this.#live.map(({ periodUs }) => periodUs / 2));
    this.#longestHalfUs = Math.max(...this.#live.map(({ periodUs }) => periodUs / 2));
    this.#resumeAtUs = resume.resumeAtUs;
    this.#nextStartUs = resume.resumeAtUs;
    this.#nextIndex = resume.nextIndex;
  }

  push(event: StreamEvent): void {
    if (event.kind === 'label') this.#labels.push(event);
    else this.#pushBlock(event);
  }

  end(): void {
    this.#scan(Number.POSITIVE_INFINITY);
    this.#endSegments(Number.POSITIVE_INFINITY);
  }

  position(): WindowPosition {
    return { nextIndex: this.#nextIndex, resumeAtUs: this.#nextStartUs };
  }

  stats(): WindowerStats {
    const [windows, empty, resampled] = [this.#windows, this.#empty, this.#resampled];
    return { windows, empty, resampled, lateSamples: this.#lateSamples };
  }

  #pushBlock(block: SampleBlock): void {
    const track = this.#trackOf[block.modality];
    if (track === undefined || block.tUs.length === 0) return;
    this.#lateSamples += appendBlock(track, block, this.#scannedUs, this.#nextStartUs - this.#longestHalfUs);
    this.#newestBlockUs = Math.max(this.#newestBlockUs, block.tUs[0] as number);
    let allUntilUs = Number.POSITIVE_INFINITY;
    for (const { lastUs } of this.#live) allUntilUs = Math.min(allUntilUs, lastUs);
    this.#scan(Math.max(allUntilUs, this.#newestBlockUs - this.#latenessUs));
  }

  /** Takes the samples up to `untilUs` in order of time over all modalities. */
  #scan(untilUs: number): void {
    for (;;) {
      let earliest: SampleTrack | undefined;
      let tUs = Number.POSITIVE_INFINITY;
      for (const track of this.#live) {
        if (track.scan < track.tail && (track.tUs[track.scan] as number) < tUs) {
          earliest = track;
          tUs = track.tUs[track.scan] as number;
        }
      }
      if (earliest === undefined || tUs > untilUs) break;
      this.#beforeSample(tUs);
      earliest.scan++;
      this.#coveredUntilUs = Math.max(this.#coveredUntilUs, tUs + HOLE_PERIODS * earliest.periodUs);
      this.#segmentEndUs = Math.max(this.#segmentEndUs, tUs + earliest.periodUs);
    }
    this.#scannedUs = Math.max(this.#scannedUs, untilUs);
  }

  /** What the next sample being at `tUs` decides. */
  #beforeSample(tUs: number): void {
    this.#endSegments(tUs);
    if (this.#isOpen) this.#emitUntil(tUs);
    else this.#openSegment(tUs);
  }

  /** Ends the segment if the label changes by `tUs`, or if no sample covers the time up to `tUs`. */
  #endSegments(tUs: number): void {
    const isHole = tUs > this.#coveredUntilUs;
    const endUs = isHole ? this.#segmentEndUs : tUs;
    for (let next = this.#labels[0]; next !== undefined && next.tUs <= tUs; next = this.#labels[0]) {
      if (next.label !== this.#label && this.#isOpen) this.#closeSegment(Math.min(next.tUs, endUs));
      this.#label = next.label;
      this.#labels.shift();
    }
    if (isHole && this.#isOpen) this.#closeSegment(endUs);
  }

  #openSegment(tUs: number): void {
    const isBeforeResumption = tUs < this.#resumeAtUs - this.#shortestHalfUs;
    this.#nextStartUs = isBeforeResumption ? this.#resumeAtUs : tUs;
    for (const track of this.#live) track.head = track.scan;
    this.#coveredUntilUs = tUs;
    this.#segmentEndUs = tUs;
    this.#isOpen = true;
  }

  #closeSegment(endUs: number): void {
    this.#emitUntil(endUs);
    this.#isOpen = false;
  }

  /** Emits the windows that end by `tUs`, when all samples before `tUs` have been taken. */
  #emitUntil(tUs: number): void {
    while (this.#nextStartUs + this.#lengthUs - this.#shortestHalfUs <= tUs) this.#emitNext();
  }

  #emitNext(): void {
    const tStartUs = this.#nextStartUs;
    const cuts = this.#tracks.map((track) => (track === null ? ABSENT : cutTrack(track, tStartUs, this.#lengthUs)));
    this.#nextStartUs += this.#hopUs;
    if (cuts.every(({ values }) => values === null)) {
      this.#empty++;
      return;
    }
    const index = this.#nextIndex++;
    this.#windows++;
    for (const { resampled } of cuts) if (resampled) this.#resampled++;
    this.#onWindow({
      index,
      tStartUs,
      label: this.#label,
      values: cuts.map(({ values }) => values),
      completeness: cuts.map(({ completeness }) => completeness),
    });
  }
}
