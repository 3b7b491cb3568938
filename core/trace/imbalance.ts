/**
 * Quantity and quality imbalance by seed (docs/algorithm.md §1): per block of windows (a board's round) one modality vanishes with a rate,
 * and one is degraded with a rate, each degraded window with its own kind of fault and severity.
 * Every block draws from a fork of its own, so that neither more blocks nor other rates shift what a block meets.
 * Nothing is ever taken from a window that has one modality only: a window without any would not exist.
 */
import type { Rng } from '../math/rng.ts';
import type { Window } from '../stream/window.ts';
import { applyFault, drawFault, type Fault, type FaultKind } from './faults.ts';
import type { RecordedModality, Recording } from './recording.ts';

export interface ImbalanceOptions {
  /** Probability per block that a modality, chosen uniformly, is missing. */
  readonly missingRate: number;
  /** Probability per block that a modality, chosen uniformly, is degraded (if it is there). */
  readonly degradedRate: number;
  readonly kinds: readonly FaultKind[];
  /** Range of the severity; the reference uses [0.4, 1]. */
  readonly severity: readonly [number, number];
  /** Per modality and channel, see `acStdOf`. */
  readonly acStd: readonly Float32Array[];
  readonly rng: Rng;
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
  const { kinds, severity, acStd, rng, blockWindows } = options;
  const truth: ModalityTruth[][] = [];
  const changed = windows.map((window, i) => {
    const ofBlock = rng.fork(`block/${Math.floor(i / blockWindows)}`);
    const { missing, degraded } = drawBlock(ofBlock, acStd.length, options);
    const isLast = window.values.filter((values) => values !== null).length === 1;
    const ofWindow = ofBlock.fork(`window/${i % blockWindows}`);
    const fault = drawFault(kinds, severity, ofWindow);
    const done = window.values.map((values, m): ModalityTruth => {
      if (values === null || (m === missing && !isLast)) return { missing: true, fault: null };
      return { missing: false, fault: m === degraded ? fault : null };
    });
    truth.push(done);
    return changeWindow(window, done, acStd, ofWindow);
  });
  return { windows: changed, truth };
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
  { kinds, severity, acStd, rng }: Pick<ImbalanceOptions, 'kinds' | 'severity' | 'acStd' | 'rng'>,
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
  const blockUs = Math.round(options.blockSeconds * 1e6);
  const endUs = Math.max(0, ...recording.modalities.map(({ tUs }) => (tUs[tUs.length - 1] ?? -1) + 1));
  const count = recording.modalities.length;
  const truth: StretchTruth[] = [];
  for (let block = 0; block * blockUs < endUs; block++) {
    const ofBlock = options.rng.fork(`block/${block}`);
    const { missing, degraded: faulty } = drawBlock(ofBlock, count, options);
    const fault = drawFault(options.kinds, options.severity, ofBlock);
    const [fromUs, toUs] = [block * blockUs, (block + 1) * blockUs];
    if (missing >= 0 && count > 1) truth.push({ fromUs, toUs, modality: missing, missing: true, fault: null });
    const isThere = faulty !== missing || count === 1;
    if (faulty >= 0 && isThere) truth.push({ fromUs, toUs, modality: faulty, missing: false, fault });
  }
  const modalities = recording.modalities.map((modality, m) => {
    const stretches = truth.filter((stretch) => stretch.modality === m);
    return changeStretches(modality, stretches, options.acStd[m] as Float32Array, options.rng.fork(`modality/${m}`));
  });
  return { recording: { ...recording, modalities }, truth };
}

/** Index of the modality that is missing, and of the one that is degraded; −1 for none. Always draws four numbers. */
function drawBlock(
  rng: Rng,
  modalities: number,
  { missingRate, degradedRate }: ImbalanceOptions,
): { missing: number; degraded: number } {
  const isMissing = rng.next() < missingRate;
  const missing = rng.int(modalities);
  const isDegraded = rng.next() < degradedRate;
  const faulty = rng.int(modalities);
  return { missing: isMissing ? missing : -1, degraded: isDegraded ? faulty : -1 };
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

function changeStretches(
  modality: RecordedModality,
  stretches: readonly StretchTruth[],
  acStd: Float32Array,
  rng: Rng,
): RecordedModality {
  const width = modality.channels.length;
  const values = modality.values.slice();
  const isKept = new Uint8Array(modality.tUs.length).fill(1);
  for (const { fromUs, toUs, fault } of stretches) {
    const from = indexAt(modality.tUs, fromUs);
    const to = indexAt(modality.tUs, toUs);
    if (from === to) continue;
    if (fault === null) isKept.fill(0, from, to);
    else {
      const of = applyFault(
        values.subarray(from * width, to * width),
        width,
        fault,
        acStd,
        rng.fork(`stretch/${fromUs}`),
      );
      values.set(of, from * width);
    }
  }
  return {
    ...modality,
    tUs: modality.tUs.filter((_, i) => isKept[i] === 1),
    values: values.filter((_, i) => isKept[Math.floor(i / width)] === 1),
  };
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
