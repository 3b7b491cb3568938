/**
 * From a data set to a fleet, for one seed: which subjects are boards and which are held out, in what order each board lives its
 * recording, and which sensors fail when. Everything random comes from the seed; adding a board does not change another's stream.
 */
import { AppError } from '../../core/base/errors.ts';
import { createRng, type Rng } from '../../core/math/rng.ts';
import type { BatchWindow } from '../../core/model/batch.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { acStdOf } from '../../core/trace/faults.ts';
import { degraded, type ImbalanceOptions, imbalance, imbalanceRecording } from '../../core/trace/imbalance.ts';
import { joinRecordings, playlist, recordingOf } from '../../core/trace/order.ts';
import type { DataSet, Recording } from '../../core/trace/recording.ts';
import type { HoldoutWindows } from '../../server/holdout.ts';
import type { ReplayOptions } from './options.ts';

/** Severity of injected faults, drawn uniformly per window. */
const SEVERITY: readonly [number, number] = [0.4, 1];

export interface BoardPlan {
  readonly device: string;
  readonly recording: Recording;
  /** Labelled windows that it will be cut into. */
  readonly windows: number;
}

export interface FleetPlan {
  readonly modalities: readonly WindowModality[];
  readonly classes: readonly string[];
  readonly boards: readonly BoardPlan[];
  /** Training rounds to play, at least 1. */
  readonly rounds: number;
  readonly holdout: HoldoutWindows;
}

/** @param windowsPerRound B: a board's faults come and go in blocks of that many windows */
export function planFleet(dataSet: DataSet, options: ReplayOptions, windowsPerRound: number, seed: number): FleetPlan {
  const rng = createRng(seed);
  const modalities = modalitiesOf(dataSet, options.windowSeconds);
  const classes = chosenClasses(dataSet, options);
  const subjects = [...new Set(dataSet.recordings.map(({ subject }) => subject))];
  const held = testSubjects(dataSet, subjects, options, rng);
  if (subjects.every((subject) => held.includes(subject))) throw tooManyHeld(held.length, subjects);
  const cutting = { wanted: modalities, windowSeconds: options.windowSeconds, overlap: options.overlap, classes };
  const windowsOf = (subject: string, order: ReplayOptions['order']) =>
    playlist(recordingsOf(dataSet, subject), { ...cutting, order, rng: rng.fork(`order/${subject}`) }).filter(
      ({ label }) => label !== null && classes.includes(label),
    );

  const streams = subjects
    .filter((subject) => !held.includes(subject))
    .map((subject) => ({ subject, windows: windowsOf(subject, options.order) }))
    .filter(({ windows }) => windows.length >= windowsPerRound);
  if (streams.length === 0) throw noBoards(dataSet, windowsPerRound);
  const acStd = acStdOf(
    streams.flatMap(({ windows }) => windows),
    modalities.map(({ channels }) => channels.length),
  );
  const faults = { kinds: options.kinds, severity: SEVERITY, acStd };
  const boards = streams.map(({ subject, windows }) => {
    const { missingRate, degradedRate } = options;
    const failing = { ...faults, missingRate, degradedRate, rng: rng.fork(`imbalance/${subject}`) };
    const recording = boardRecording(dataSet, subject, windows, failing);
    return { device: `board-${subject}`, recording, windows: windows.length };
  });

  function boardRecording(
    from: DataSet,
    subject: string,
    windows: readonly Window[],
    failing: ImbalanceOptions,
  ): Recording {
    if (options.order === 'recorded') {
      const blockSeconds = windowsPerRound * options.windowSeconds * (1 - options.overlap);
      return imbalanceRecording(joinRecordings(recordingsOf(from, subject)), { ...failing, blockSeconds }).recording;
    }
    const changed = imbalance(windows, { ...failing, blockWindows: windowsPerRound });
    return recordingOf(changed.windows, { subject, modalities });
  }

  const testWindows = held.flatMap((subject) => windowsOf(subject, 'recorded'));
  const chosen = limited(testWindows, options.maxTestWindows, rng.fork('test'));
  if (chosen.length === 0) throw noTestWindows(held, classes);
  return {
    modalities,
    classes,
    boards,
    rounds: roundsFor(boards, options, windowsPerRound),
    holdout: {
      clean: batchWindows(chosen, classes),
      degraded: Object.fromEntries(
        modalities.map(({ name }, m) => [
          name,
          batchWindows(degraded(chosen, m, { ...faults, rng: rng.fork(`degraded/${name}`) }), classes),
        ]),
      ),
    },
  };
}

/** Rounds in which at least `boardsLeft` of the boards can take part, and not more than are wanted. */
function roundsFor(
  boards: readonly BoardPlan[],
  { rounds, boardsLeft }: ReplayOptions,
  windowsPerRound: number,
): number {
  const longestFirst = boards.map(({ windows }) => Math.floor(windows / windowsPerRound)).sort((a, b) => b - a);
  const needed = Math.max(1, Math.ceil(boardsLeft * boards.length));
  return Math.min(rounds, longestFirst[needed - 1] as number);
}

function recordingsOf(dataSet: DataSet, subject: string): Recording[] {
  return dataSet.recordings.filter((recording) => recording.subject === subject);
}

/** The union of the recordings' modalities; those of one name must agree, which the windower checks. */
function modalitiesOf(dataSet: DataSet, windowSeconds: number): WindowModality[] {
  const byName = new Map<string, WindowModality>();
  for (const { modalities } of dataSet.recordings) {
    for (const { name, unit, channels, sampleRateHz } of modalities) {
      if (byName.has(name)) continue;
      byName.set(name, { name, unit, channels, sampleRateHz, samples: Math.round(windowSeconds * sampleRateHz) });
    }
  }
  return [...byName.values()];
}

function testSubjects(
  dataSet: DataSet,
  subjects: readonly string[],
  { split }: ReplayOptions,
  rng: Rng,
): readonly string[] {
  switch (split.kind) {
    case 'published':
      if (dataSet.publishedTestSubjects !== null) return dataSet.publishedTestSubjects;
      throw new AppError('usage', `${dataSet.name} has no published split`, {
        hint: 'use --split random:N or --test-subjects',
      });
    case 'random':
      if (split.testSubjects >= subjects.length) throw tooManyHeld(split.testSubjects, subjects);
      return rng.fork('split').shuffled(subjects).slice(0, split.testSubjects);
    case 'named': {
      const unknown = split.testSubjects.filter((name) => !subjects.includes(name));
      if (unknown.length > 0) {
        throw new AppError('usage', `no such subject: ${unknown.join(', ')}`, {
          hint: `${dataSet.name} has ${subjects.join(', ')}`,
        });
      }
      return [...new Set(split.testSubjects)];
    }
  }
}

function chosenClasses(dataSet: DataSet, options: ReplayOptions): readonly string[] {
  if (options.classes === null) return dataSet.classes;
  const known = new Set(dataSet.recordings.flatMap(({ labels }) => labels.map(({ label }) => label)));
  const unknown = options.classes.filter((name) => !known.has(name));
  if (unknown.length === 0) return options.classes;
  const labels = [...known].filter((label) => label !== null).sort();
  throw new AppError('usage', `no recording is labelled ${unknown.join(', ')}`, {
    hint: `labels that occur: ${labels.join(', ')}`,
  });
}

function noTestWindows(held: readonly string[], classes: readonly string[]): AppError {
  return new AppError('usage', `no labelled window is left for test (test subjects: ${held.join(', ') || 'none'})`, {
    hint: `hold out at least one subject who did ${classes.join(', ')}`,
  });
}

function tooManyHeld(wanted: number, subjects: readonly string[]): AppError {
  return new AppError(
    'usage',
    `${wanted} subjects for test leave no board: there are ${subjects.length} (${subjects.join(', ')})`,
    {
      hint: 'use --split random:N with a smaller N, or add recordings of more people',
    },
  );
}

function noBoards(dataSet: DataSet, windowsPerRound: number): AppError {
  return new AppError(
    'data-format',
    `no subject of ${dataSet.name} has ${windowsPerRound} labelled windows, which is one round`,
    {
      hint: 'record for longer, label more, or use --set windowsPerRound=N with a smaller N',
    },
  );
}

function limited(windows: readonly Window[], most: number | null, rng: Rng): readonly Window[] {
  if (most === null || windows.length <= most) return windows;
  return rng.shuffled(windows).slice(0, most);
}

function batchWindows(windows: readonly Window[], classes: readonly string[]): BatchWindow[] {
  return windows.map(({ values, label }) => ({
    values,
    quality: values.map((v) => (v === null ? 0 : 1)),
    label: classes.indexOf(label ?? ''),
  }));
}
