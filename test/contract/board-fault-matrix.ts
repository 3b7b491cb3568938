/**
 * What a fault of one chip does to the board's windows, as one table: the sensor, the recorder and its judge run over a board on which
 * one thing after the other goes wrong. Beside what `board-faults.ts` asks of the sensor, a row has what quality said of the failing
 * modality and of the other one, for what reason, and how many windows were lost.
 * One board and one history for all rows, as in life: the windows after one fault are those before the next.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import type { Fault } from '../../agent/sensors/fault-watch.ts';
import type { MeasuredWindow } from '../../agent/store/windows.ts';
import { createRecorder } from '../../agent/stream/recorder.ts';
import { mean, quantile } from '../../core/math/stats.ts';
import type { Why } from '../../core/qqr/quality.ts';
import { createQualityJudge } from '../../core/qqr/quality-judge.ts';
import type { FaultRig, Injection } from './board-faults.ts';

export interface MatrixCase {
  /** For people, and for docs/faults.md. */
  readonly name: string;
  readonly injection: Injection;
  readonly holdMs: number;
  /** Null: nothing but quality can see it. */
  readonly expected: Fault | null;
  /** The fault shows only when the chip can be read again: it is counted from there. */
  readonly showsAtEnd?: boolean;
  /** One of them is the commonest reason of the windows that it makes bad; none: no sample is lost or wrong, quality has nothing to see. */
  readonly because: readonly Why[];
}

export interface MatrixRow {
  readonly name: string;
  /** Every fault that was raised, in order. */
  readonly named: readonly Fault[];
  /** From the beginning of the cause to the expected fault, milliseconds; null when none is expected. */
  readonly foundMs: number | null;
  /** From the end of the cause to the last fault being over, milliseconds. */
  readonly healedMs: number;
  readonly quality: Course;
  /** Why the failing modality's windows were bad, most frequent first. */
  readonly why: readonly Why[];
  /**
   * From the beginning of the cause to the end of the first window whose quality is below half of what it was before (of the same
   * window of the twin, when there is one), milliseconds; null: none.
   */
  readonly lowMs: number | null;
  readonly other: Course;
  /** Of the failing modality: windows that the fault touched, those of them without values, and bad ones with values. */
  readonly windows: { readonly touched: number; readonly lost: number; readonly bad: number };
}

/** Quality of one modality. */
export interface Course {
  /** Median of the last windows before. */
  readonly before: number;
  /** Of the windows that the fault touched: the worst for the modality that fails, the mean for the other. */
  readonly during: number;
  /** Median of those that begin after all faults are over. */
  readonly after: number;
  /** As `during`, in the same windows of a board on which nothing went wrong; null without such a twin. */
  readonly undisturbed: number | null;
}

export interface MatrixOptions {
  /** Healthy time before the first fault, and after each, milliseconds. */
  readonly warmUpMs: number;
  readonly settleMs: number;
  readonly cases: readonly MatrixCase[];
  /** Both chips are on one bus: one that hangs takes the other's samples, too, and where nothing has samples there are no windows. */
  readonly isOneBus?: boolean;
}

/** D of the reference model. */
const WINDOW_S = 2.56;
const WINDOW_US = WINDOW_S * 1e6;
/** Back-off up to 5 s, and a chip's set-up. */
const HEALED_WITHIN_MS = 6000;
const STEP_MS = 250;
/** Two boards' windows that begin so close together are the same. */
const SAME_US = 20_000;
/** How many windows before and after count. */
const AROUND = 8;
/** From a window's beginning to the next one's, at an overlap of a half. */
const HOP_MS = 500 * WINDOW_S;

const LOST: readonly Why[] = ['completeness'];
const BIASED: readonly Why[] = ['tilt', 'level', 'offset', 'ramp', 'bias', 'gravity'];

export const MATRIX_CASES: readonly MatrixCase[] = [
  { name: 'no acknowledge for 0.3 s', injection: 'contact lost', holdMs: 300, expected: 'no-answer', because: [] },
  { name: 'no acknowledge for 4 s', injection: 'contact lost', holdMs: 4000, expected: 'no-answer', because: LOST },
  { name: 'unplugged for 8 s', injection: 'unplugged', holdMs: 8000, expected: 'unplugged', because: LOST },
  { name: 'bus hung', injection: 'bus hung', holdMs: 4000, expected: 'bus-hung', because: LOST },
  { name: 'power dip', injection: 'power dip', holdMs: 0, expected: 'reset', because: LOST },
  { name: 'stuck', injection: 'stuck', holdMs: 6000, expected: 'stuck', because: ['held'] },
  { name: 'too strong', injection: 'too strong', holdMs: 6000, expected: 'saturated', because: ['clip', 'held'] },
  { name: 'oscillator 15 % fast', injection: 'oscillator', holdMs: 6000, expected: 'wrong-rate', because: LOST },
  {
    name: 'not read for 0.9 s',
    injection: 'not read',
    holdMs: 900,
    expected: 'overflow',
    because: LOST,
    showsAtEnd: true,
  },
  { name: 'drift', injection: 'drift', holdMs: 12_000, expected: null, because: BIASED },
];

const SKIPPED_WHEN_BRIEF: readonly Injection[] = ['contact lost', 'drift'];

/**
 * For a board that is slow to watch: two minutes. Without drift, which takes its time, and without a long loss of contact. Between two rows
 * there are six windows, more than the first, which an oscillator may cost while its rate is found, and the last, whose end an overflow takes.
 * A stuck chip is set up again, which costs two windows: there have to be more that are held.
 */
export const BRIEF: MatrixOptions = {
  warmUpMs: 5500,
  settleMs: 10_000,
  cases: MATRIX_CASES.filter(
    ({ injection, because }) => because.length === 0 || !SKIPPED_WHEN_BRIEF.includes(injection),
  ).map(shortened),
};

function shortened(one: MatrixCase): MatrixCase {
  const holdMs = Math.min(one.holdMs, one.injection === 'stuck' ? 4000 : 2500);
  return { ...one, holdMs, name: one.name.replace(/ for .* s$/, ` for ${holdMs / 1000} s`) };
}

/** The judge has enough windows of each kind of motion to go by its own history. */
export const LONG: MatrixOptions = { warmUpMs: 120_000, settleMs: 20_000, cases: MATRIX_CASES };

/** @param report is given the table after the last row */
export function testBoardFaultMatrix(
  where: string,
  open: () => Promise<FaultRig>,
  options: MatrixOptions & { readonly isTwinned?: boolean; readonly skip?: string | false },
  report: (rows: readonly MatrixRow[]) => void,
): void {
  describe(`faults through the whole board: ${where}`, { skip: options.skip ?? false }, () => {
    let rows: readonly MatrixRow[] = [];
    before(async () => {
      const rigs = [await open()];
      if (options.isTwinned) rigs.push(await open());
      const [rig, twin] = rigs as [FaultRig, FaultRig?];
      try {
        rows = await boardFaultMatrix(rig, options, twin);
      } finally {
        for (const each of rigs) await each.close();
      }
      report(rows);
    });
    for (const one of options.cases) {
      const sees = one.because.length === 0 ? 'quality has nothing to see' : 'quality falls';
      test(`${one.name}: ${one.expected ?? 'no fault'} within a window, ${sees}, the other modality keeps its own`, () => {
        const row = rows.find(({ name }) => name === one.name);
        assert.ok(row !== undefined, 'the row is there');
        assertRow(row, one, options.isOneBus);
      });
    }
  });
}

function assertRow(
  { named, foundMs, healedMs, quality, why, windows, lowMs, other }: MatrixRow,
  one: MatrixCase,
  isOneBus = false,
): void {
  if (one.expected === null) assert.deepEqual(named, []);
  else assert.ok(foundMs !== null && foundMs <= 1000 * WINDOW_S, `${one.expected} found after ${foundMs} ms`);
  assert.ok(healedMs <= HEALED_WITHIN_MS, `healed after ${healedMs} ms`);
  assert.ok(quality.before > 0.8 && other.before > 0.8, `good before: ${quality.before}, ${other.before}`);
  const takesBoth = isOneBus && one.injection === 'bus hung';
  if (takesBoth) {
    const usual = Math.floor((one.holdMs + healedMs + 1000 * WINDOW_S) / HOP_MS);
    assert.ok(
      windows.touched <= usual - 2,
      `${windows.touched} windows in a time of ${usual}, most of it without samples`,
    );
  } else if (one.because.length === 0) {
    assert.equal(windows.lost, 0);
    assertKept(quality);
  } else {
    assert.ok(lowMs !== null, `falls to less than half: ${quality.before} → ${quality.during}`);
    assert.ok(why[0] !== undefined && one.because.includes(why[0]), `because of ${why.join(', ')}`);
  }
  assert.ok(quality.after > 0.8, `good again: ${quality.after}`);
  if (!takesBoth) assertKept(other);
}

/** Motion itself moves quality up and down: where there is a twin with the same motion it says what would have been. */
function assertKept({ before, during, undisturbed }: Course): void {
  const expected = undisturbed ?? before;
  assert.ok(during > expected - 0.15, `keeps its quality: ${during} instead of ${expected}`);
}

/** @param twin a board with the same motion to which nothing is done, to compare with. Both are left stopped, not closed */
export async function boardFaultMatrix(rig: FaultRig, options: MatrixOptions, twin?: FaultRig): Promise<MatrixRow[]> {
  const recording = await recordWindows(rig);
  const sound = twin && (await recordWindows(twin));
  const run = async (ms: number) => {
    await rig.run(ms);
    await twin?.run(ms);
  };
  await run(options.warmUpMs);
  const rows: MatrixRow[] = [];
  let healthySinceUs = 0;
  for (const one of options.cases) {
    assert.deepEqual(openFaults(rig), [], `nothing is wrong before: ${one.name}`);
    const told = rig.faults.length;
    const beganUs = rig.nowUs();
    await rig.begin(one.injection);
    await run(one.holdMs);
    const endedUs = rig.nowUs();
    await rig.end(one.injection);
    const giveUpUs = endedUs + HEALED_WITHIN_MS * 1000;
    do await run(STEP_MS);
    while (openFaults(rig).length > 0 && rig.nowUs() < giveUpUs);
    const events = rig.faults.slice(told);
    const healedUs = Math.max(endedUs, ...events.map(({ tUs }) => tUs));
    await run(options.settleMs);
    const raised = events.filter(({ phase }) => phase === 'raised');
    const found = raised.find(({ fault }) => fault === one.expected);
    rows.push({
      name: one.name,
      named: [...new Set(raised.map(({ fault }) => fault))],
      foundMs: found === undefined ? null : (found.tUs - (one.showsAtEnd ? endedUs : beganUs)) / 1000,
      healedMs: (healedUs - endedUs) / 1000,
      ...judgedAround(recording.windows, sound?.windows ?? null, rig, { healthySinceUs, beganUs, healedUs }),
    });
    healthySinceUs = healedUs;
  }
  assert.deepEqual(openFaults(rig), [], 'all is well at the end');
  await recording.stop();
  await sound?.stop();
  return rows;
}

function openFaults({ faults }: FaultRig): Fault[] {
  const open = new Map<string, Fault>();
  for (const { chip, fault, phase, modalities } of faults) {
    const key = `${chip}/${fault}/${modalities}`;
    if (phase === 'raised') open.set(key, fault);
    else open.delete(key);
  }
  return [...open.values()];
}

type JudgedWindow = MeasuredWindow & { readonly why: readonly (Why | null)[] };

/** The agent's own path from the sensor to what it would store; `why`, which it does not store, from a second judge of the same windows. */
async function recordWindows({ sensor, run }: FaultRig) {
  const stopping = new AbortController();
  const { header } = sensor;
  const modalities = header.modalities.map((of) => ({ ...of, samples: Math.round(WINDOW_S * of.sampleRateHz) }));
  const recorder = createRecorder({
    header,
    modalities,
    windowSeconds: WINDOW_S,
    overlap: 0.5,
    flushSeconds: 1,
    position: null,
    qualityState: null,
  });
  const second = createQualityJudge({ modalities });
  const windows: JudgedWindow[] = [];
  const taking = (async () => {
    for await (const event of sensor.events(0, stopping.signal)) {
      recorder.push(event);
      for (const window of recorder.take({ streamEnded: false }).windows) {
        const { why, quality } = second.judge(window);
        assert.deepEqual(quality, window.quality, 'both judges agree');
        windows.push({ ...window, why });
      }
    }
  })();
  const started = sensor.start(stopping.signal);
  await run(1000);
  await started;
  return {
    windows: windows as readonly JudgedWindow[],
    async stop() {
      stopping.abort();
      const stopped = sensor.stop();
      await run(100);
      await Promise.all([taking, stopped]);
    },
  };
}

interface Instants {
  readonly healthySinceUs: number;
  readonly beganUs: number;
  readonly healedUs: number;
}

function judgedAround(
  windows: readonly JudgedWindow[],
  undisturbed: readonly JudgedWindow[] | null,
  { sensor, modality, other }: FaultRig,
  { healthySinceUs, beganUs, healedUs }: Instants,
): Pick<MatrixRow, 'quality' | 'why' | 'lowMs' | 'other' | 'windows'> {
  const indexOf = (name: string) => sensor.header.modalities.findIndex((of) => of.name === name);
  const [failing, sound] = [indexOf(modality), indexOf(other)];
  const before = windows.filter(({ tStartUs: t }) => t >= healthySinceUs && t + WINDOW_US <= beganUs).slice(-AROUND);
  const isTouched = ({ tStartUs: t }: JudgedWindow) => t < healedUs && t + WINDOW_US > beganUs;
  const touched = windows.filter(isTouched);
  const spared = undisturbed?.filter(isTouched) ?? null;
  const after = windows.filter(({ tStartUs }) => tStartUs >= healedUs).slice(0, AROUND);
  const qualities = (of: readonly JudgedWindow[], m: number) => of.map(({ quality }) => quality[m] as number);
  const course = (m: number, during: (values: number[]) => number): Course => ({
    before: quantile(qualities(before, m), 0.5),
    during: during(qualities(touched, m)),
    after: quantile(qualities(after, m), 0.5),
    undisturbed: spared && during(qualities(spared, m)),
  });
  const quality = course(failing, (values) => Math.min(...values));
  const isLow = (window: JudgedWindow) => {
    const same = spared?.find(({ tStartUs }) => Math.abs(tStartUs - window.tStartUs) < SAME_US);
    return (window.quality[failing] as number) < (same?.quality[failing] ?? quality.before) / 2;
  };
  const low = touched.filter(isLow);
  const isLost = ({ values }: JudgedWindow) => values[failing] === null;
  return {
    quality,
    why: byFrequency(low.flatMap(({ why }) => why[failing] ?? [])),
    lowMs: low[0] === undefined ? null : (low[0].tStartUs + WINDOW_US - beganUs) / 1000,
    other: course(sound, mean),
    windows: {
      touched: touched.length,
      lost: touched.filter(isLost).length,
      bad: low.filter((window) => !isLost(window)).length,
    },
  };
}

function byFrequency<T>(all: readonly T[]): T[] {
  const counts = new Map<T, number>();
  for (const one of all) counts.set(one, (counts.get(one) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a).map(([one]) => one);
}

/** The table as Markdown. */
export function matrixTable(rows: readonly MatrixRow[]): string {
  const s = (ms: number | null) => (ms === null ? '–' : `${(ms / 1000).toFixed(2)} s`);
  const course = ({ before: was, during, after, undisturbed }: Course) => {
    const instead = undisturbed === null ? '' : ` (${undisturbed.toFixed(2)})`;
    return `${was.toFixed(2)} → ${during.toFixed(2)}${instead} → ${after.toFixed(2)}`;
  };
  return [
    '| what happens | faults | found after | its quality | because of | low after | windows: touched, lost, bad | other quality | healed after |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rows.map(({ name, named, foundMs, quality, why, lowMs, windows: { touched, lost, bad }, other, healedMs }) => {
      const cells = [
        name,
        named.join(', ') || 'none',
        s(foundMs),
        course(quality),
        why.join(', ') || '–',
        s(lowMs),
        `${touched}, ${lost}, ${bad}`,
        course(other),
        s(healedMs),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  ].join('\n');
}
