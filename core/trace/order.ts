/**
 * The order in which a board meets its subject's motion.
 * 'recorded' is life: one recording after the other, hours of one activity, neighbouring windows overlap.
 * 'shuffled' is the reference experiment: single windows in random order, each played as a burst of its own between two holes,
 * so that the board's windower, which knows nothing of experiments, cuts exactly those windows again.
 */
import { AppError } from '../base/errors.ts';
import type { Rng } from '../math/rng.ts';
import type { WindowModality } from '../stream/align.ts';
import type { Window } from '../stream/window.ts';
import { createWindower } from '../stream/windower.ts';
import type { RecordedModality, Recording } from './recording.ts';
import { eventsOf } from './recording-events.ts';

const DEFAULT_GAP_US = 1_000_000;

export interface PlaylistOptions {
  /** The model's modalities. */
  readonly wanted: readonly WindowModality[];
  readonly windowSeconds: number;
  readonly overlap: number;
  /** Labels that a shuffled playlist keeps; a recorded one keeps all, unlabelled windows too. */
  readonly classes: readonly string[];
  readonly order: 'shuffled' | 'recorded';
  readonly rng: Rng;
}

/** The windows of one subject's recordings, numbered in the order of playing; `tStartUs` is the time in the joined recording. */
export function playlist(recordings: readonly Recording[], options: PlaylistOptions): Window[] {
  const windows = windowsOf(joinRecordings(recordings), options);
  if (options.order === 'recorded') return windows;
  const labelled = windows.filter(({ label }) => label !== null && options.classes.includes(label));
  return options.rng.shuffled(labelled).map((window, index) => ({ ...window, index }));
}

/** What the board's windower makes of a recording. */
export function windowsOf(
  recording: Recording,
  options: Pick<PlaylistOptions, 'wanted' | 'windowSeconds' | 'overlap'>,
): Window[] {
  const windows: Window[] = [];
  const { wanted, windowSeconds, overlap } = options;
  const settings = { modalities: recording.modalities, wanted, windowSeconds, overlap };
  const windower = createWindower(settings, (window) => windows.push(window));
  for (const event of eventsOf(recording)) windower.push(event);
  windower.end();
  return windows;
}

/**
 * A recording that plays each window as a burst of its own, `gapUs` after the one before.
 * Windows without any modality leave no trace in it.
 * @param modalities in the order of `Window.values`
 * @param gapUs longer than 1.5 periods of every modality
 */
export function recordingOf(
  windows: readonly Pick<Window, 'label' | 'values'>[],
  {
    subject,
    modalities,
    gapUs = DEFAULT_GAP_US,
  }: { subject: string; modalities: readonly WindowModality[]; gapUs?: number },
): Recording {
  const everyUs = burstUs(modalities) + gapUs;
  const startUs = (index: number) => index * everyUs;
  return {
    subject,
    modalities: modalities.map(({ name, unit, channels, sampleRateHz, samples }, m): RecordedModality => {
      const has = [...windows.keys()].filter((index) => windows[index]?.values[m] != null);
      const tUs = new Float64Array(has.length * samples);
      const values = new Float32Array(has.length * samples * channels.length);
      has.forEach((index, place) => {
        values.set(windows[index]?.values[m] as Float32Array, place * samples * channels.length);
        for (let i = 0; i < samples; i++)
          tUs[place * samples + i] = startUs(index) + Math.round((i * 1e6) / sampleRateHz);
      });
      return { name, unit, channels, sampleRateHz, tUs, values };
    }),
    labels: withoutRepeats(windows.map(({ label }, index) => ({ tUs: startUs(index), label }))),
  };
}

/**
 * The windows that a windower cuts from `recordingOf(windows)` with its default gap: the same samples and labels, numbered and
 * stamped as the bursts are played. Each must have at least one modality.
 */
export function asPlayed(windows: readonly Window[], modalities: readonly WindowModality[]): Window[] {
  const everyUs = burstUs(modalities) + DEFAULT_GAP_US;
  return windows.map(({ label, values }, index) => ({
    index,
    tStartUs: index * everyUs,
    label,
    values,
    completeness: values.map((of) => (of === null ? 0 : 1)),
  }));
}

/** Length of one window played as a burst, microseconds. */
function burstUs(modalities: readonly WindowModality[]): number {
  return Math.ceil(Math.max(...modalities.map(({ samples, sampleRateHz }) => (samples * 1e6) / sampleRateHz)));
}

/**
 * One recording after the other on one time axis, with a hole of `gapUs` between and no label carried over it.
 * @throws AppError `data-format` when they do not have the same modalities
 */
export function joinRecordings(recordings: readonly Recording[], gapUs = DEFAULT_GAP_US): Recording {
  const [first] = recordings;
  if (first === undefined) throw new AppError('data-format', 'there is no recording to play');
  for (const recording of recordings) assertSameModalities(first, recording);
  const offsets: number[] = [];
  let endUs = -gapUs;
  for (const recording of recordings) {
    const offset = endUs + gapUs;
    offsets.push(offset);
    endUs = offset + lastUs(recording);
  }
  return {
    subject: first.subject,
    modalities: first.modalities.map((modality, m) => {
      const parts = recordings.map(({ modalities }) => modalities[m] as RecordedModality);
      const tUs = new Float64Array(parts.reduce((sum, part) => sum + part.tUs.length, 0));
      const values = new Float32Array(parts.reduce((sum, part) => sum + part.values.length, 0));
      let at = 0;
      parts.forEach((part, i) => {
        for (let j = 0; j < part.tUs.length; j++) tUs[at + j] = (part.tUs[j] as number) + (offsets[i] as number);
        values.set(part.values, at * modality.channels.length);
        at += part.tUs.length;
      });
      return { ...modality, tUs, values };
    }),
    labels: withoutRepeats(
      recordings.flatMap(({ labels }, i) => {
        const offset = offsets[i] as number;
        const moved = labels.map(({ tUs, label }) => ({ tUs: tUs + offset, label }));
        return moved[0]?.tUs === offset ? moved : [{ tUs: offset, label: null }, ...moved];
      }),
    ),
  };
}

function lastUs({ modalities }: Recording): number {
  return Math.max(0, ...modalities.map(({ tUs }) => tUs[tUs.length - 1] ?? 0));
}

function withoutRepeats(labels: Recording['labels']): Recording['labels'] {
  return labels.filter(({ label }, i) => label !== (labels[i - 1]?.label ?? null));
}

function assertSameModalities(first: Recording, other: Recording): void {
  const describe = ({ modalities }: Recording) =>
    modalities
      .map(({ name, unit, channels, sampleRateHz }) => `${name} ${channels.join('')} ${unit} ${sampleRateHz} Hz`)
      .join(', ');
  if (describe(first) === describe(other)) return;
  throw new AppError('data-format', `recordings of one subject differ: ${describe(first)} against ${describe(other)}`, {
    where: `subject ${first.subject}`,
    hint: 'Give recordings of different devices different subjects.',
  });
}
