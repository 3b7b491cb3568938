/**
 * From a data set to a fleet, for one seed: which subjects are boards and which are held out, in what order each board lives its
 * recording, and which sensors fail when. Everything random comes from the seed; adding a board does not change another's stream.
 */
import { AppError } from '../../core/base/errors.ts';
import { createRng, type Rng } from '../../core/math/rng.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { type Fleet, failureSchedule } from '../../core/trace/failure-schedule.ts';
import { acStdOf } from '../../core/trace/faults.ts';
import { type ImbalanceOptions, imbalance, imbalanceRecording } from '../../core/trace/imbalance.ts';
import { asPlayed, recordingOf, windowsOf } from '../../core/trace/order.ts';
import type { DataSet, Recording } from '../../core/trace/recording.ts';
import type { HoldoutWindows } from '../../server/holdout.ts';
import { createStrategy } from '../../server/strategies/registry.ts';
import { checkOptions, checkOutages } from './check-options.ts';
import type { ReplayOptions } from './options.ts';
import { type BoardStream, dealtByClass, filledUp, toldLabels } from './streams.ts';
import { type Cutting, subjectRecording, subjectWindows, withModalities } from './subject-windows.ts';
import { splitSubjects } from './subjects.ts';
import { testWindows } from './test-windows.ts';

export interface BoardPlan {
  readonly device: string;
  /** Exactly what the board's windower cuts from `recording()`, in order, unlabelled windows too. */
  readonly windows: readonly Window[];
  /** What each of them truly is, whether or not the board is told. */
  readonly truth: readonly (string | null)[];
  /** What the board's sensor plays; made when it is asked for. */
  recording(): Recording;
}

export interface FleetPlan {
  readonly modalities: readonly WindowModality[];
  readonly classes: readonly string[];
  readonly boards: readonly BoardPlan[];
  /** Training rounds to play, at least 1. */
  readonly rounds: number;
  readonly holdout: HoldoutWindows;
}

/** What the steps of making a plan share. */
interface Planning {
  readonly dataSet: DataSet;
  readonly options: ReplayOptions;
  readonly windowsPerRound: number;
  readonly cutting: Cutting;
  readonly classes: readonly string[];
  readonly rng: Rng;
}

/**
 * @param windowsPerRound B: a board's faults come and go in blocks of that many windows
 * @throws AppError `usage` or `data-format` when the options do not fit each other or the data set
 */
export function planFleet(dataSet: DataSet, options: ReplayOptions, windowsPerRound: number, seed: number): FleetPlan {
  checkOptions(dataSet, options);
  const rng = createRng(seed);
  const wanted = modalitiesOf(dataSet, options);
  const classes = chosenClasses(dataSet, options);
  const { training, test } = splitSubjects(dataSet, options.split, seed, rng);
  const cutting = { wanted, windowSeconds: options.windowSeconds, overlap: options.overlap };
  const planning: Planning = { dataSet, options, windowsPerRound, cutting, classes, rng };

  const streams = boardStreams(planning, training);
  const acStd = acStdOf(
    [...new Set(streams.flatMap(({ windows }) => windows))],
    wanted.map(({ channels }) => channels.length),
  );
  checkOutages(
    options,
    streams.map(({ name }) => name),
  );
  const boards = failingBoards(planning, streams, acStd);
  const subjectOf = new Map(
    test.flatMap((subject) => labelledWindows(planning, subject).map((window) => [window, subject])),
  );
  const chosen = limited([...subjectOf.keys()], options.maxTestWindows, rng.fork('test'));
  if (chosen.length === 0) throw noTestWindows(test, classes);
  const isJudged = createStrategy(options.strategy, options.settings).settings.gateWeight > 0;
  return {
    modalities: wanted,
    classes,
    boards,
    rounds: roundsFor(boards, planning),
    holdout: {
      ...testWindows(chosen, { modalities: wanted, classes, options, isJudged, acStd, rng }),
      subjects: chosen.map((window) => subjectOf.get(window) as string),
    },
  };
}

/** The boards that have enough windows to take part, and the windows that they live. */
function boardStreams(planning: Planning, subjects: readonly string[]): BoardStream[] {
  const { options, windowsPerRound, rng } = planning;
  const streams =
    options.boards.kind === 'dirichlet'
      ? dealtByClass(
          subjects.flatMap((subject) => labelledWindows(planning, subject)),
          options.boards,
          rng.fork('dirichlet'),
        )
      : subjects.map((name) => ({ name, windows: subjectStream(planning, name) }));
  const filled = streams.map(({ name, windows }): BoardStream => {
    if (!options.fillUp) return { name, windows };
    return { name, windows: filledUp(windows, options.rounds * windowsPerRound, rng.fork(`fill/${name}`)) };
  });
  const able = filled.filter(({ windows }) => windows.length >= windowsPerRound);
  if (able.length > 0) return able;
  throw noRound(windowsPerRound);
}

function subjectStream(planning: Planning, subject: string): readonly Window[] {
  const windows = labelledWindows(planning, subject);
  return planning.options.order === 'recorded' ? windows : planning.rng.fork(`order/${subject}`).shuffled(windows);
}

/** A subject's windows of the model's classes, as recorded. */
function labelledWindows({ dataSet, cutting, classes }: Planning, subject: string): readonly Window[] {
  return subjectWindows(dataSet, subject, cutting).filter(({ label }) => label !== null && classes.includes(label));
}

function failingBoards(
  planning: Planning,
  streams: readonly BoardStream[],
  acStd: readonly Float32Array[],
): BoardPlan[] {
  const { options, cutting, rng } = planning;
  const fleet: Fleet = {
    boards: streams.map(({ name }) => name),
    modalities: cutting.wanted.map(({ name }) => name),
    rng: rng.fork('failures'),
  };
  return streams.map((stream): BoardPlan => {
    const own = rng.fork(`imbalance/${stream.name}`);
    const { kinds, severity } = options;
    const failing = { schedule: failureSchedule(options, fleet, stream.name, own), kinds, severity, acStd, rng: own };
    const device = `board-${stream.name}`;
    if (options.order === 'recorded') return { device, ...asRecorded(planning, stream.name, failing) };
    return { device, ...shuffled(planning, stream, failing) };
  });
}

function asRecorded(
  { dataSet, options, windowsPerRound, cutting }: Planning,
  subject: string,
  failing: ImbalanceOptions,
): Omit<BoardPlan, 'device'> {
  const blockSeconds = windowsPerRound * options.windowSeconds * (1 - options.overlap);
  const whole = withModalities(subjectRecording(dataSet, subject), cutting.wanted);
  const { recording } = imbalanceRecording(whole, { ...failing, blockSeconds });
  const modalities = recording.modalities.filter((_, m) => whole.modalities[m]?.tUs.length !== 0);
  const windows = windowsOf({ ...recording, modalities }, cutting);
  return { windows, truth: windows.map(({ label }) => label), recording: () => ({ ...recording, modalities }) };
}

function shuffled(
  { options, windowsPerRound, cutting, rng }: Planning,
  { name, windows }: BoardStream,
  failing: ImbalanceOptions,
): Omit<BoardPlan, 'device'> {
  const isTold = toldLabels(windows.length, options.labelled, rng.fork(`labels/${name}`));
  const told = imbalance(windows, { ...failing, blockWindows: windowsPerRound }).windows.map((window, i) =>
    isTold[i] ? window : { ...window, label: null },
  );
  const played = asPlayed(told, cutting.wanted);
  return {
    windows: played,
    truth: windows.map(({ label }) => label),
    recording: () => recordingOf(played, { subject: name, modalities: cutting.wanted }),
  };
}

/** Rounds in which at least `boardsLeft` of the boards can take part, and not more than are wanted. */
function roundsFor(boards: readonly BoardPlan[], { options, windowsPerRound, classes }: Planning): number {
  const usesUnlabelled = createStrategy(options.strategy, options.settings).settings.pseudoLabels > 0;
  const usable = ({ label }: Window) => (label === null ? usesUnlabelled : classes.includes(label));
  const longestFirst = boards
    .map(({ windows }) => Math.floor(windows.filter(usable).length / windowsPerRound))
    .sort((a, b) => b - a);
  const needed = Math.max(1, Math.ceil(options.boardsLeft * boards.length));
  const rounds = Math.min(options.rounds, longestFirst[needed - 1] as number);
  if (rounds > 0) return rounds;
  throw noRound(windowsPerRound);
}

/** Those of the union of the recordings' modalities that are wanted; those of one name must agree, which the windower checks. */
function modalitiesOf(dataSet: DataSet, { windowSeconds, modalities }: ReplayOptions): WindowModality[] {
  const byName = new Map<string, WindowModality>();
  for (const { name, unit, channels, sampleRateHz } of dataSet.recordings.flatMap(
    (recording) => recording.modalities,
  )) {
    if (byName.has(name) || modalities?.includes(name) === false) continue;
    byName.set(name, { name, unit, channels, sampleRateHz, samples: Math.round(windowSeconds * sampleRateHz) });
  }
  return [...byName.values()];
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

function noRound(windowsPerRound: number): AppError {
  return new AppError('data-format', `too few boards have ${windowsPerRound} labelled windows, which is one round`, {
    hint: 'record for longer, label more, or use --set windowsPerRound=N with a smaller N',
  });
}

function noTestWindows(held: readonly string[], classes: readonly string[]): AppError {
  return new AppError('usage', `no labelled window is left for test (test subjects: ${held.join(', ') || 'none'})`, {
    hint: `hold out at least one subject who did ${classes.join(', ')}`,
  });
}

function limited(windows: readonly Window[], most: number | null, rng: Rng): readonly Window[] {
  if (most === null || windows.length <= most) return windows;
  return rng.shuffled(windows).slice(0, most);
}
