/**
 * How well the quality tells faults from healthy windows, per kind of fault and modality: the tables of docs/quality.md.
 * `node dist/scripts/bench/quality-auc.js HAPT-ARCHIVE [--dirty]`. Every training subject of HAPT is a board: two of three blocks of 20
 * windows are its stream and teach it, the third is scored without teaching, as it is and with each fault. The test subjects are not
 * looked at. `--dirty`: half of the windows of the stream have a fault of any kind in one of the two sensors.
 */
import { createRng, type Rng } from '../../core/math/rng.ts';
import { createQualityJudge, type Judgement, type QualityJudge } from '../../core/qqr/quality-judge.ts';
import { mergeSketches, priorOf, sketchOf } from '../../core/qqr/quality-sketch.ts';
import type { Window } from '../../core/stream/window.ts';
import { openDataSet } from '../../core/trace/data-set.ts';
import { acStdOf, applyFault, drawFault, FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { windowsOf } from '../../core/trace/order.ts';
import { spoilWindow } from '../../core/trace/spoil.ts';
import { dataDirectory } from '../data/data-directory.ts';

const MODALITIES = [
  { name: 'acc', unit: 'mps2', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
  { name: 'gyr', unit: 'radps', channels: ['x', 'y', 'z'], sampleRateHz: 50, samples: 128 },
] as const;
const SEVERITIES = [
  [0.4, 1],
  [0.15, 0.4],
] as const;
const BLOCK = 20;
const WAYS = ['robust', 'scorer', 'quality'] as const;

/** Of many windows of one modality, three ways. */
type Scores = Record<(typeof WAYS)[number], number[]>;

interface Outcome {
  /** By `acc`, or `acc drift 0.4-1` for windows with a fault. */
  readonly scores: Map<string, Scores>;
  /** Windows below ½ by modality, fault and reason. */
  readonly whys: Map<string, number>;
  /** Faulty windows whose other sensor, healthy and good before, is below ½ now: tilt blamed the wrong one. */
  readonly wronged: Map<string, number>;
}

const path = process.argv[2];
if (path === undefined) throw new Error('usage: quality-auc.js HAPT-ARCHIVE [--dirty]');
const isDirty = process.argv.includes('--dirty');
const hapt = await openDataSet(path, dataDirectory());
const boards = new Map<string, Window[]>();
for (const recording of hapt.recordings) {
  if (hapt.publishedTestSubjects?.includes(recording.subject)) continue;
  const windows = windowsOf(recording, { wanted: MODALITIES, windowSeconds: 2.56, overlap: 0.5 });
  boards.set(recording.subject, [...(boards.get(recording.subject) ?? []), ...windows]);
}
const acStd = acStdOf([...boards.values()].flat(), [3, 3]);
const spent = { us: 0, windows: 0 };

const all = evaluate((subject, windows) => taughtJudge(subject, windows, FAULT_KINDS));
console.log(
  'areas under the curve: robust, scorer, smaller of both | the scorer not trained on this kind: scorer, both',
);
console.log('| shares below ½: robust, scorer, both');
printHealthy(all);
for (const kind of FAULT_KINDS) {
  const without = evaluate((subject, windows) =>
    taughtJudge(
      subject,
      windows,
      FAULT_KINDS.filter((other) => other !== kind),
    ),
  );
  for (const { name } of MODALITIES) {
    for (const key of SEVERITIES.map((range) => keyOf(name, kind, range))) {
      const unseen = areas(without, key, name).slice(1).join(' ');
      console.log(`${key.padEnd(20)} ${areas(all, key, name).join(' ')} | ${unseen} | ${badShares(all, key)}`);
    }
  }
}
console.log('reasons of windows below ½, as windows:');
for (const [key, count] of [...all.whys].sort()) console.log(`  ${key} ${count}`);
console.log('the healthy sensor blamed by tilt:', Object.fromEntries(all.wronged));
console.log(`a window of both sensors, scored and learned from: ${(spent.us / spent.windows).toFixed(0)} µs of CPU`);
printFleetStart();

/** A new board without history: from the built-in prior, and from the sketches of the other twenty. */
function printFleetStart(): void {
  const sketches = new Map<string, ReturnType<typeof sketchOf>[]>();
  for (const [subject, windows] of boards) {
    const judge = createQualityJudge({ modalities: MODALITIES });
    const measures = windows.map((window) => judge.score(window).measures);
    sketches.set(
      subject,
      MODALITIES.map((_, m) => sketchOf(measures.flatMap((of) => of[m] ?? []))),
    );
  }
  const fleetFor = (subject: string) =>
    MODALITIES.map((_, m) => {
      const others = [...sketches].filter(([other]) => other !== subject);
      return priorOf(mergeSketches(others.flatMap(([, of]) => of[m] ?? [])));
    });
  for (const [name, judgeFor] of [
    ['built-in prior', () => createQualityJudge({ modalities: MODALITIES })],
    [
      'sketches of the others',
      (subject: string) => createQualityJudge({ modalities: MODALITIES, fleet: fleetFor(subject) }),
    ],
  ] as const) {
    const outcome = evaluate(judgeFor);
    console.log(`a board's first window, ${name}:`);
    printHealthy(outcome);
    for (const modality of MODALITIES) {
      const of = FAULT_KINDS.map((kind) => {
        const key = keyOf(modality.name, kind, SEVERITIES[0]);
        return `${kind} ${areas(outcome, key, modality.name)[0]}`;
      });
      console.log(`  ${modality.name}: ${of.join(', ')}`);
    }
  }
}

function taughtJudge(subject: string, windows: readonly Window[], kinds: readonly FaultKind[]): QualityJudge {
  const judge = createQualityJudge({
    modalities: MODALITIES,
    scorer: { spoil: (values, width, sigma, rng) => spoilWindow(values, width, sigma, rng, kinds), seed: subject },
  });
  const rng = createRng(`quality-auc/dirt/${subject}`);
  const stream = windows
    .filter((_, i) => Math.floor(i / BLOCK) % 3 !== 2)
    .map((window) => (isDirty && rng.next() < 0.5 ? spoil(window, rng.int(2), FAULT_KINDS, [0.4, 1], rng) : window));
  const start = process.cpuUsage();
  for (const window of stream) judge.judge(window);
  const { user, system } = process.cpuUsage(start);
  spent.us += user + system;
  spent.windows += stream.length;
  return judge;
}

function evaluate(judgeFor: (subject: string, windows: readonly Window[]) => QualityJudge): Outcome {
  const outcome: Outcome = { scores: new Map(), whys: new Map(), wronged: new Map() };
  for (const [subject, windows] of boards) {
    const judge = judgeFor(subject, windows);
    const rng = createRng(`quality-auc/${subject}`);
    for (const window of windows.filter((_, i) => Math.floor(i / BLOCK) % 3 === 2)) {
      const whole = judge.score(window);
      for (const [m, { name }] of MODALITIES.entries()) {
        put(outcome, name, name, whole, m);
        for (const kind of FAULT_KINDS) {
          for (const range of SEVERITIES) {
            const faulty = judge.score(spoil(window, m, [kind], range, rng));
            put(outcome, keyOf(name, kind, range), `${name} ${kind}`, faulty, m);
            const isWronged = (whole.quality[1 - m] as number) >= 0.5 && (faulty.quality[1 - m] as number) < 0.5;
            if (isWronged) count(outcome.wronged, `${name} ${kind}`);
          }
        }
      }
    }
  }
  return outcome;
}

function put({ scores, whys }: Outcome, key: string, name: string, of: Judgement, m: number): void {
  const to = scores.get(key) ?? { robust: [], scorer: [], quality: [] };
  scores.set(key, to);
  for (const way of WAYS) to[way].push(of[way][m] as number);
  if ((of.quality[m] as number) < 0.5) count(whys, `${name} ${of.why[m]}`);
}

function count(of: Map<string, number>, key: string): void {
  of.set(key, (of.get(key) ?? 0) + 1);
}

function spoil(window: Window, m: number, kinds: readonly FaultKind[], range: readonly [number, number], rng: Rng) {
  const fault = drawFault(kinds, range, rng);
  const values = window.values.map((of, other) =>
    of === null || other !== m ? of : applyFault(of, 3, fault, acStd[m] as Float32Array, rng),
  );
  return { ...window, values };
}

function keyOf(name: string, kind: FaultKind, [from, to]: readonly [number, number]): string {
  return `${name} ${kind} ${from}-${to}`;
}

function printHealthy(outcome: Outcome): void {
  for (const { name } of MODALITIES) console.log(`  healthy ${name} below ½: ${badShares(outcome, name)}`);
}

function areas({ scores }: Outcome, faulty: string, healthy: string): string[] {
  return WAYS.map((way) =>
    areaUnderCurve(scores.get(faulty)?.[way] ?? [], scores.get(healthy)?.[way] ?? []).toFixed(3),
  );
}

function badShares({ scores }: Outcome, key: string): string {
  return WAYS.map((way) => {
    const of = scores.get(key)?.[way] ?? [];
    return `${((100 * of.filter((quality) => quality < 0.5).length) / of.length).toFixed(1)} %`;
  }).join(' ');
}

/** How often a faulty window scores below a healthy one, ties counting half. */
function areaUnderCurve(faulty: readonly number[], healthy: readonly number[]): number {
  const scores = [...faulty.map((score) => [score, 1] as const), ...healthy.map((score) => [score, 0] as const)];
  scores.sort(([a], [b]) => a - b);
  let rankSum = 0;
  for (let from = 0; from < scores.length; ) {
    let to = from;
    while (to < scores.length && scores[to]?.[0] === scores[from]?.[0]) to++;
    for (let i = from; i < to; i++) rankSum += ((scores[i]?.[1] ?? 0) * (from + to + 1)) / 2;
    from = to;
  }
  return 1 - (rankSum - (faulty.length * (faulty.length + 1)) / 2) / (faulty.length * healthy.length);
}
