/**
 * A board's database against what its simulated chip really felt and when. The chip's own instants are on the simulation's clock, the
 * stored times on the board's; a fit of the two clocks stands between (`clock-fit.ts`).
 * Expected codes are calculated here, from the recording and the datasheets' sensitivities, not taken from driver or chip.
 */
import assert from 'node:assert/strict';
import type { TimedChip } from '../../agent/hw/sim/powered-chip.ts';
import type { Motion, MotionSource } from '../../agent/hw/sim/simulated-chip.ts';
import type { ChipName } from '../../agent/sensors/registry.ts';
import type { AgentStore, MeasuredWindow } from '../../agent/store/agent-store.ts';
import { createRecorder } from '../../agent/stream/recorder.ts';
import { windowModalities } from '../../agent/stream/window-modalities.ts';
import type { StreamEvent, StreamHeader } from '../../core/stream/event.ts';
import { type ClockFit, type ClockReading, fitClock } from './clock-fit.ts';
import { ACTIVITY } from './inside/wiring.ts';

export interface ChipTruth {
  readonly name: ChipName;
  readonly chip: TimedChip;
  readonly motion: MotionSource;
}

/** Of a stretch of stored samples. */
export interface Samples {
  /** Per modality. */
  readonly stored: number;
  /** Measured between the first and the last of them, but not there. */
  readonly lost: number;
  /** Marked ones. */
  readonly gaps: number;
  /** From the first of them to the last. */
  readonly spanS: number;
}

export interface RunFindings {
  readonly all: Samples;
  readonly watched: Samples;
  /** Something that the chip has never measured, or a loss without a gap; null: nothing of the kind. */
  readonly wrong: string | null;
  readonly windows: readonly MeasuredWindow[];
  /** Of the recording at the stored times, by a recorder of its own. */
  readonly replayed: readonly MeasuredWindow[];
  /** Stored minus true time of the samples with which the watched windows begin, microseconds. */
  readonly startErrorsUs: readonly number[];
  readonly clockErrorUs: number;
  readonly clockRate: number;
  readonly faults: readonly string[];
}

const GRAVITY_MPS2 = 9.80665;
const DEGREE = Math.PI / 180;
/** Codes per m/s² and per rad/s at ±4 g and ±500 °/s: PS-MPU-6000A, 6.1 and 6.2; DS12814, mechanical characteristics. */
const SENSITIVITY: Partial<Record<ChipName, readonly [number, number]>> = {
  mpu6050: [8192 / GRAVITY_MPS2, 65.5 / DEGREE],
  lsm6dsox: [1000 / 0.122 / GRAVITY_MPS2, 1000 / 17.5 / DEGREE],
};
const WINDOW_S = 2.56;
const OVERLAP = 0.5;
const GAP_PERIODS = 1.5;
/** So far from where its time says is a stretch looked for. */
const SEARCH_S = 0.2;

type Codes = readonly number[];

/** `[n]` times, `[n, 3]` values per modality. */
interface Stored {
  readonly tUs: Float64Array;
  readonly values: Float32Array;
}

/** @param store of a board that has stopped; the readings are of its clock (near) and the simulation's (far), while it was watched */
export function heldAgainst(
  truth: ChipTruth,
  store: AgentStore,
  {
    readings,
    fromUs,
    toUs,
  }: { readonly readings: readonly ClockReading[]; readonly fromUs: number; readonly toUs: number },
): RunFindings {
  const header = store.recordingHeader()?.header;
  assert.ok(header !== undefined, 'the board has stored nothing');
  const events = [...store.readRecording(0)];
  const modalities = header.modalities.map((_, m) => samplesOf(events, m));
  const { tUs } = modalities[0] as Stored;
  for (const other of modalities) assert.deepEqual(other.tUs, tUs, 'one chip, one time');
  const fit = fitClock(readings);
  const codesOf = createCodes(truth);
  const indices = new Int32Array(tUs.length);
  const found = stretches(tUs, header);
  let wrong: string | null = null;
  for (const [from, to] of found) {
    const codes = storedCodes(truth.name, modalities, from, to);
    const first = findStretch(truth.chip, codesOf, codes, fit.toFar(tUs[from] as number));
    if (first === null) wrong ??= `samples ${from} to ${to} (${tUs[from]} us) are none that the chip has measured`;
    for (let i = from; i < to; i++) indices[i] = first === null ? -1 : first + i - from;
  }
  const query = { afterIndex: -1, classes: [ACTIVITY], unlabelled: true, limit: 1e6 };
  const windows = store.nextWindows(query) as MeasuredWindow[];
  const samples = (from: number, to: number): Samples => ({
    stored: to - from,
    lost: (indices[to - 1] as number) - (indices[from] as number) + 1 - (to - from),
    gaps: found.filter(([start]) => start > from && start < to).length,
    spanS: ((tUs[to - 1] as number) - (tUs[from] as number)) / 1e6,
  });
  const watched = windows.filter(({ tStartUs }) => tStartUs >= fromUs && tStartUs <= toUs);
  const played = wrong === null ? replay(header, events, exactValues(truth, codesOf, indices)) : [];
  return {
    all: samples(0, tUs.length),
    watched: samples(
      tUs.findIndex((t) => t >= fromUs),
      tUs.findLastIndex((t) => t <= toUs) + 1,
    ),
    wrong,
    windows,
    replayed: played.slice(0, windows.length), // at its end the board was stopped before the last one was complete
    startErrorsUs: wrong === null ? startErrors(truth.chip, watched, tUs, indices, fit) : [],
    clockErrorUs: fit.errorUs,
    clockRate: fit.rate,
    faults: store.faults(1000).map(({ fault, phase }) => `${fault} ${phase}`),
  };
}

function samplesOf(events: readonly StreamEvent[], modality: number): Stored {
  const blocks = events.filter((event) => event.kind === 'samples').filter((event) => event.modality === modality);
  return {
    tUs: Float64Array.from(blocks.flatMap(({ tUs }) => [...tUs])),
    values: Float32Array.from(blocks.flatMap(({ values }) => [...values])),
  };
}

/** From, to (exclusive) of what lies between two gaps. */
function stretches(tUs: Float64Array, { modalities }: StreamHeader): (readonly [number, number])[] {
  const longestUs = (GAP_PERIODS * 1e6) / (modalities[0]?.sampleRateHz ?? 1);
  const starts = [0];
  for (let i = 1; i < tUs.length; i++) if ((tUs[i] as number) - (tUs[i - 1] as number) > longestUs) starts.push(i);
  return starts.map((from, s) => [from, starts[s + 1] ?? tUs.length]);
}

function sensitivityOf(name: ChipName): readonly [number, number] {
  const found = SENSITIVITY[name];
  assert.ok(found !== undefined, `the sensitivity of ${name} is not in the table`);
  return found;
}

function codesOfMotion({ acc, gyr }: Motion, [ofAcc, ofGyr]: readonly [number, number]): Codes {
  const code = (value: number, perUnit: number) => Math.min(32767, Math.max(-32768, Math.round(value * perUnit)));
  return [...acc.map((value) => code(value, ofAcc)), ...gyr.map((value) => code(value, ofGyr))];
}

/** What the chip must have measured as its sample `index`. */
function createCodes({ name, chip, motion }: ChipTruth): (index: number) => Codes {
  const known = new Map<number, Codes>();
  return (index) => {
    const codes = known.get(index) ?? codesOfMotion(motion(chip.sampleTimeUs(index)), sensitivityOf(name));
    known.set(index, codes);
    return codes;
  };
}

/** The codes that the stored values stand for. NaN for a value that is not a code's. */
function storedCodes(name: ChipName, modalities: readonly Stored[], from: number, to: number): Codes[] {
  return Array.from({ length: to - from }, (_, i) =>
    modalities.flatMap(({ values }, m) =>
      [...values.subarray(3 * (from + i), 3 * (from + i) + 3)].map((value) => {
        const code = value * (sensitivityOf(name)[m] ?? 0);
        return Math.abs(code - Math.round(code)) < 0.01 ? Math.round(code) : Number.NaN;
      }),
    ),
  );
}

/** Index of the chip's sample with which `stretch` begins, if the chip has measured the whole of it; else null. */
function findStretch(
  chip: TimedChip,
  codesOf: (index: number) => Codes,
  stretch: readonly Codes[],
  trueUs: number,
): number | null {
  const expected = indexAt(chip, trueUs);
  const perSecond = 1e6 / (chip.sampleTimeUs(expected + 1) - chip.sampleTimeUs(expected));
  const isHere = (first: number) =>
    stretch.every((codes, i) => codesOf(first + i).every((code, at) => code === codes[at]));
  for (let distance = 0; distance < SEARCH_S * perSecond; distance++) {
    if (isHere(expected + distance)) return expected + distance;
    if (expected >= distance && isHere(expected - distance)) return expected - distance;
  }
  return null;
}

/** Of the sample nearest to an instant. */
function indexAt(chip: TimedChip, trueUs: number): number {
  let low = 0;
  let high = chip.measured();
  while (low + 1 < high) {
    const middle = (low + high) >> 1;
    if (chip.sampleTimeUs(middle) <= trueUs) low = middle;
    else high = middle;
  }
  return trueUs - chip.sampleTimeUs(low) < chip.sampleTimeUs(low + 1) - trueUs ? low : low + 1;
}

/** `[n, 3]` per modality: the recording in the chip's resolution. */
function exactValues(
  { name }: ChipTruth,
  codesOf: (index: number) => Codes,
  indices: Int32Array,
): readonly Float32Array[] {
  return sensitivityOf(name).map((perUnit, m) =>
    Float32Array.from(
      [...indices].flatMap((index) =>
        codesOf(index)
          .slice(3 * m, 3 * m + 3)
          .map((code) => code / perUnit),
      ),
    ),
  );
}

/** The stored stream with other values in the place of its own, through the agent's recorder. */
function replay(
  header: StreamHeader,
  events: readonly StreamEvent[],
  values: readonly Float32Array[],
): readonly MeasuredWindow[] {
  const recorder = createRecorder({
    header,
    modalities: windowModalities(header, WINDOW_S),
    windowSeconds: WINDOW_S,
    overlap: OVERLAP,
    flushSeconds: 1,
    position: null,
    qualityState: null,
  });
  const at = values.map(() => 0);
  for (const event of events) {
    if (event.kind === 'label') recorder.push(event);
    else {
      const from = at[event.modality] as number;
      at[event.modality] = from + event.values.length;
      const own = (values[event.modality] as Float32Array).subarray(from, from + event.values.length);
      recorder.push({ ...event, values: own });
    }
  }
  recorder.end();
  return recorder.take({ streamEnded: true }).windows;
}

function startErrors(
  chip: TimedChip,
  windows: readonly MeasuredWindow[],
  tUs: Float64Array,
  indices: Int32Array,
  fit: ClockFit,
): number[] {
  const halfUs = tUs.length < 2 ? 0 : ((tUs.at(-1) as number) - (tUs[0] as number)) / (tUs.length - 1) / 2;
  return windows.map(({ tStartUs }) => {
    const i = tUs.findIndex((t) => t >= tStartUs - halfUs);
    return fit.toFar(tUs[i] as number) - chip.sampleTimeUs(indices[i] as number);
  });
}
