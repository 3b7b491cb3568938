/**
 * Quantity and quality imbalance by seed (docs/algorithm.md §1): per block of windows (a board's round) modalities vanish and one is
 * degraded as a schedule says, each degraded window with its own kind of fault and severity.
 * What a block meets depends on its number and the seed only.
 * Nothing is ever taken from a window that has one modality only: a window without any would not exist.
 */
import type { Rng } from '../math/rng.ts';
import type { Window } from '../stream/window.ts';
import type { FailureSchedule } from './failure-schedule.ts';
import { applyFault, drawFault, type Fault, type FaultKind } from './faults.ts';
import type { RecordedModality, Recording } from './recording.ts';

export interface FaultOptions {
  readonly kinds: readonly FaultKind[];
  /** Range of the severity; the reference uses [0.4, 1]. */
  readonly severity: readonly [number, number];
  /** Per modality and channel, see `acStdOf`. */
  readonly acStd: readonly Float32Array[];
  readonly rng: Rng;
}

export interface ImbalanceOptions extends FaultOptions {
  readonly schedule: FailureSchedule;
}

/** What was done to one modality of one window. */
export interface ModalityTruth {
  /** It is not there, taken away or absent before. */
  readonly missing: boolean;
  readonly fault: Fault | null;
}

/** What was done to a stretch [fromUs, toUs) of a recording; untouched stretches are not listed. */
export interface StretchTruth extends ModalityTruth {
  readonly fromUs: number;
  readonly toUs: number;
  readonly modality: number;
}

/** The windows with imbalance put in, and per window and modality what was done. */
export function imbalance(
  windows: readonly Window[],
  options: ImbalanceOptions & { readonly blockWindows: number },
): { windows: Window[]; truth: ModalityTruth[][] } {
  const { kinds, severity, acStd, rng, schedule, blockWindows } = options;
  const truth: ModalityTruth[][] = [];
  let block = -1;
  let failures = schedule(0);
  const changed = windows.map((window, i) => {
    const place = i % blockWindows;
    if (place === 0) failures = schedule(++block);
    const ofWindow = rng.fork(`block/${block}`).fork(`window/${place}`);
    const gone = takenAway(
      window.values.map((values) => values !== null),
      failures.missing,
    );
    const fault = failures.degraded < 0 ? null : drawFault(kinds, severity, ofWindow);
    const done = window.values.map((values, m): ModalityTruth => {
      if (values === null || gone.has(m)) return { missing: true, fault: null };
      return { missing: false, fault: m === failures.degraded ? fault : null };
    });
    truth.push(done);
    return changeWindow(window, done, acStd, ofWindow);
  });
  return { windows: changed, truth };
}

/** Which of the modalities in `wanted` vanish so that at least one of those that are there is left. */
function takenAway(isThere: readonly boolean[], wanted: readonly number[]): ReadonlySet<number> {
  const left = isThere.filter((there) => there).length;
  return new Set(wanted.filter((m) => isThere[m] === true).slice(0, Math.max(0, left - 1)));
}

/** Modality `m` taken from every window; windows that had nothing else are left out. For evaluation. */
export function withoutModality(windows: readonly Window[], m: number): Window[] {
  return windows
    .filter(({ values }) => values.some((of, other) => other !== m && of !== null))
    .map((window) => {
      const done = window.values.map((values, other) => ({ missing: values === null || other === m, fault: null }));
      return changeWindow(window, done, [], null);
    });
}

/** Modality `m` of every window degraded, each window with its own kind and severity. For evaluation. */
export function degraded(
  windows: readonly Window[],
  m: number,
  { kinds, severity, acStd, rng }: FaultOptions,
): Window[] {
  return windows.map((window, i) => {
    const ofWindow = rng.fork(`window/${i}`);
    const fault = drawFault(kinds, severity, ofWindow);
    const done = window.values.map((values, other) => {
      return { missing: values === null, fault: other === m && values !== null ? fault : null };
    });
    return changeWindow(window, done, acStd, ofWindow);
  });
}

/**
 * The same on stretches of `blockSeconds` of a recording, for recorded order, where windows overlap and must agree on their samples.
 * A block has one fault with one severity from its first sample to its last.
 */
export function imbalanceRecording(
  recording: Recording,
  options: ImbalanceOptions & { readonly blockSeconds: number },
): { recording: Recording; truth: StretchTruth[] } {
  const { kinds, severity, rng, schedule, blockSeconds } = options;
  const blockUs = Math.round(blockSeconds * 1e6);
  const endUs = Math.max(0, ...recording.modalities.map(({ tUs }) => (tUs[tUs.length - 1] ?? -1) + 1));
  const isThere = recording.modalities.map(({ tUs }) => tUs.length > 0);
  const truth: StretchTruth[] = [];
  for (let block = 0; block * blockUs < endUs; block++) {
    const failures = schedule(block);
    const gone = takenAway(isThere, failures.missing);
    const [fromUs, toUs] = [block * blockUs, (block + 1) * blockUs];
    for (const modality of gone) truth.push({ fromUs, toUs, modality, missing: true, fault: null });
    if (failures.degraded < 0 || gone.has(failures.degraded)) continue;
    const fault = drawFault(kinds, severity, rng.fork(`fault/${block}`));
    truth.push({ fromUs, toUs, modality: failures.degraded, missing: false, fault });
  }
  const modalities = recording.modalities.map((modality, m) => {
    const stretches = truth.filter((stretch) => stretch.modality === m);
    return changeStretches(modality, stretches, options.acStd[m] as Float32Array, rng.fork(`modality/${m}`));
  });
  return { recording: { ...recording, modalities }, truth };
}

function changeWindow(
  window: Window,
  done: readonly ModalityTruth[],
  acStd: readonly Float32Array[],
  rng: Rng | null,
): Window {
  if (done.every(({ missing, fault }, m) => fault === null && missing === (window.values[m] === null))) return window;
  const values = window.values.map((of, m) => {
    if (of === null || done[m]?.missing) return null;
    const fault = done[m]?.fault;
    const sigma = acStd[m];
    return fault && rng && sigma ? applyFault(of, sigma.length, fault, sigma, rng) : of;
  });
  const completeness = window.completeness.map((share, m) =>
    values[m] === null && window.values[m] !== null ? 0 : share,
  );
  return { ...window, values, completeness };
}

/** @param stretches of this modality, ascending, apart from each other */
function changeStretches(
  modality: RecordedModality,
  stretches: readonly StretchTruth[],
  acStd: Float32Array,
  rng: Rng,
): RecordedModality {
  if (stretches.length === 0) return modality;
  const width = modality.channels.length;
  const tUs = new Float64Array(modality.tUs.length);
  const values = new Float32Array(modality.values.length);
  let kept = 0;
  const keep = (from: number, to: number, of: Float32Array) => {
    tUs.set(modality.tUs.subarray(from, to), kept);
    values.set(of, kept * width);
    kept += to - from;
  };
  let done = 0;
  const keepUntil = (to: number) => {
    keep(done, to, modality.values.subarray(done * width, to * width));
    done = to;
  };
  for (const { fromUs, toUs, fault } of stretches) {
    const to = indexAt(modality.tUs, toUs);
    keepUntil(indexAt(modality.tUs, fromUs));
    if (fault !== null && to > done) {
      const stretch = modality.values.subarray(done * width, to * width);
      keep(done, to, applyFault(stretch, width, fault, acStd, rng.fork(`stretch/${fromUs}`)));
    }
    done = to;
  }
  keepUntil(modality.tUs.length);
  return { ...modality, tUs: tUs.slice(0, kept), values: values.slice(0, kept * width) };
}

/** Index of the first time at or after `atUs`. */
function indexAt(tUs: Float64Array, atUs: number): number {
  let low = 0;
  let high = tUs.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tUs[middle] as number) < atUs) low = middle + 1;
    else high = middle;
  }
  return low;
}
