/** From a data set and options to boards and test windows, for every regime that can be asked for. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Window } from '../../core/stream/window.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import type { ReplayOptions } from '../../scripts/replay/options.ts';
import { planFleet } from '../../scripts/replay/plan.ts';
import { SMALL_FLEET } from '../fixtures/small-fleet.ts';
import { SMALL_MOTION, syntheticMotion } from '../fixtures/synthetic-motion.ts';

const B = 5;
const MOTION = syntheticMotion({
  ...SMALL_MOTION,
  subjects: ['ada', 'bo', 'cy', 'di', 'ed', 'flo'],
  secondsPerClass: 40,
});
const HEALTHY: Partial<ReplayOptions> = { missingRate: 0, degradedRate: 0 };
const DEALT: Partial<ReplayOptions> = { boards: { kind: 'dirichlet', boards: 4, alpha: 0.5 } };

const plan = (options: Partial<ReplayOptions> = {}, dataSet: DataSet = MOTION, seed = 7) =>
  planFleet(dataSet, { ...SMALL_FLEET, ...options }, B, seed);
const countOf = (windows: readonly Window[], label: string) =>
  windows.filter((window) => window.label === label).length;

const REGIMES: Record<string, Partial<ReplayOptions>> = {
  'shuffled, failing': {},
  'recorded, failing': { order: 'recorded' },
  'recorded, one modality': { order: 'recorded', modalities: ['gyr'] },
  'dealt by class, filled up': { ...DEALT, fillUp: true, rounds: 30 },
  'partly labelled': { labelled: 0.3 },
  'one modality': { modalities: ['acc'] },
  'a sensor dead from the start': { outages: [{ boards: 1, modality: 'acc', fromRound: 1, untilRound: null }] },
};
for (const [name, options] of Object.entries(REGIMES)) {
  test(`the windows of a plan are what the windower cuts from its recording: ${name}`, () => {
    const { boards, modalities } = plan(options);
    assert.ok(boards.length > 1);
    for (const board of boards) {
      const cut = windowsOf(board.recording(), { wanted: modalities, windowSeconds: 2.56, overlap: 0.5 });
      assert.deepEqual(cut, board.windows);
      assert.equal(board.truth.length, board.windows.length);
    }
  });
  test(`a seed decides all of a plan: ${name}`, () => {
    const [first, again, other] = [plan(options), plan(options), plan(options, MOTION, 8)];
    assert.deepEqual(again.holdout, first.holdout);
    assert.deepEqual(windowsIn(again), windowsIn(first));
    assert.notDeepEqual(windowsIn(other), windowsIn(first));
  });
}

function windowsIn({ boards }: ReturnType<typeof plan>) {
  return boards.map(({ device, windows, truth }) => ({ device, windows, truth }));
}

test('dealing by class gives every training window to one board, and classes unevenly', () => {
  const bySubject = plan(HEALTHY).boards.flatMap(({ windows }) => windows);
  const { boards } = plan({ ...HEALTHY, ...DEALT, boardsLeft: 0 });
  assert.deepEqual(
    boards.map(({ device }) => device),
    ['board-1', 'board-2', 'board-3', 'board-4'],
  );
  const sums = (windows: readonly Window[]) =>
    windows.map(({ values }) => values[0]?.reduce((a, b) => a + b, 0) as number).sort((a, b) => a - b);
  assert.deepEqual(sums(boards.flatMap(({ windows }) => windows)), sums(bySubject));
  const shares = boards.map(({ windows }) => countOf(windows, 'rest') / windows.length);
  assert.ok(Math.max(...shares) - Math.min(...shares) > 0.3, shares.join());
});

test('filled up, every board has windows for every round, each lived again before any is lived a third time', () => {
  const few = plan(HEALTHY);
  const { boards, rounds } = plan({ ...HEALTHY, fillUp: true, rounds: 60 });
  assert.equal(rounds, 60);
  boards.forEach(({ windows }, b) => {
    const own = few.boards[b]?.windows as readonly Window[];
    assert.equal(windows.length, 60 * B);
    const text = ({ values }: Window) => String(values[0]?.subarray(0, 9));
    assert.deepEqual(windows.slice(0, own.length).map(text), own.map(text));
    assert.equal(new Set(windows.slice(own.length, 2 * own.length).map(text)).size, new Set(own.map(text)).size);
  });
});

test('without filling up, boards stop when their windows are used', () => {
  const { boards, rounds } = plan({ ...HEALTHY, rounds: 40, boardsLeft: 1 });
  assert.equal(rounds, Math.floor(Math.min(...boards.map(({ windows }) => windows.length)) / B));
});

test('a share of the windows keeps its label, the truth is known of all, and a board trains on labelled ones', () => {
  const { boards, rounds } = plan({ ...HEALTHY, labelled: 0.25, boardsLeft: 1 });
  const all = plan({ ...HEALTHY, boardsLeft: 1 });
  assert.equal(rounds, Math.floor(Math.min(...boards.map(({ windows }) => Math.ceil(windows.length / 4))) / B));
  boards.forEach(({ windows, truth }, b) => {
    const labelled = windows.filter(({ label }) => label !== null);
    assert.equal(labelled.length, Math.ceil(windows.length / 4));
    assert.ok(windows.every(({ label }, i) => label === null || label === truth[i]));
    assert.deepEqual(truth, all.boards[b]?.truth);
  });
});

test('with pseudo-labels unlabelled windows make rounds too', () => {
  const few: Partial<ReplayOptions> = { ...HEALTHY, labelled: 0.25, boardsLeft: 1 };
  assert.equal(plan({ ...few, settings: { pseudoLabels: 0.9 } }).rounds, plan({ ...HEALTHY, boardsLeft: 1 }).rounds);
  assert.ok(plan(few).rounds < plan({ ...HEALTHY, boardsLeft: 1 }).rounds);
});

test('a choice of modalities is all that boards and test have', () => {
  const { modalities, boards, holdout } = plan({ modalities: ['gyr'], degradedRate: 1 });
  assert.deepEqual(
    modalities.map(({ name }) => name),
    ['gyr'],
  );
  assert.ok(boards.every(({ windows }) => windows.every(({ values }) => values.length === 1 && values[0] !== null)));
  assert.deepEqual(Object.keys(holdout.degraded), ['gyr']);
  assert.equal(holdout.clean[0]?.values.length, 1);
});

test('further test conditions: each kind, each kind at a severity, nothing present', () => {
  const { holdout } = plan({ testFaults: ['kinds', 0.5, 'nothing'] });
  const kinds = ['noise', 'clip', 'stuck', 'drift', 'burst'];
  const ofModality = (name: string) => [
    name,
    ...kinds.map((k) => `${name}/${k}`),
    ...kinds.map((k) => `${name}/${k}/0.5`),
  ];
  assert.deepEqual(Object.keys(holdout.degraded), [...ofModality('acc'), ...ofModality('gyr'), 'nothing']);
  assert.ok(
    holdout.degraded['nothing']?.every(
      ({ values, quality }) => values.every((v) => v === null) && !Math.max(...quality),
    ),
  );
  const stuck = holdout.degraded['gyr/stuck'] ?? [];
  assert.equal(stuck.length, holdout.clean.length);
  stuck.forEach(({ values, label }, i) => {
    const [acc, gyr] = values;
    assert.equal(label, holdout.clean[i]?.label);
    assert.equal(acc, holdout.clean[i]?.values[0]);
    assert.deepEqual(gyr?.slice(-3), gyr?.slice(-6, -3), 'the last reading repeats');
  });
  assert.deepEqual(plan().holdout.degraded['acc'], holdout.degraded['acc'], 'more conditions do not change the others');
});

test('severity bounds what is injected', () => {
  const mild = plan({ ...HEALTHY, degradedRate: 1, kinds: ['noise'], severity: [0, 0] });
  const severe = plan({ ...HEALTHY, degradedRate: 1, kinds: ['noise'], severity: [1, 1] });
  const clean = plan(HEALTHY).holdout.clean;
  const error = ({ holdout }: typeof mild) =>
    (holdout.degraded['acc'] ?? []).reduce((sum, { values }, i) => {
      const own = clean[i]?.values[0] as Float32Array;
      return sum + own.reduce((a, v, at) => a + (v - (values[0]?.[at] as number)) ** 2, 0);
    }, 0);
  assert.ok(Math.abs(Math.log10(error(severe) / error(mild)) - 2.5) < 0.1, '25 dB between the ends of the range');
});

test('leave-one-out goes through the subjects with the seed', () => {
  const split = { kind: 'leave-one-out' } as const;
  const boards = (seed: number) => plan({ split }, MOTION, seed).boards.map(({ device }) => device.slice(6));
  const subjects = ['ada', 'bo', 'cy', 'di', 'ed', 'flo'];
  for (const seed of [1, 2, 6, 7]) {
    const held = subjects[(seed - 1) % 6];
    assert.deepEqual(
      boards(seed),
      subjects.filter((subject) => subject !== held),
    );
  }
});

test('a validation split leaves the published test subjects out altogether', () => {
  const published = { ...MOTION, publishedTestSubjects: ['ada', 'flo'] };
  for (let seed = 1; seed <= 8; seed++) {
    const { boards, holdout } = plan({ split: { kind: 'validation', testSubjects: 1 } }, published, seed);
    assert.equal(boards.length, 3);
    assert.ok(boards.every(({ device }) => device !== 'board-ada' && device !== 'board-flo'));
    assert.ok(holdout.clean.length > 0);
  }
});

const IMPOSSIBLE: Record<string, Partial<ReplayOptions>> = {
  'a modality that is not there': { modalities: ['mag'] },
  'a missing modality that is not chosen': { modalities: ['acc'], missingModality: 'gyr' },
  'an outage of what is not there': { outages: [{ boards: 1, modality: 'mag', fromRound: 1, untilRound: 2 }] },
  'phases out of order': { phases: [{ untilRound: 9 }, { untilRound: 9 }] },
  'recorded order and dealing by class': { order: 'recorded', ...DEALT },
  'recorded order and filling up': { order: 'recorded', fillUp: true },
  'no label at all': { labelled: 0 },
  'no board to deal to': { boards: { kind: 'dirichlet', boards: 0, alpha: 1 } },
  'an outage of nobody': { outages: [{ boards: 'zoe', modality: 'acc', fromRound: 1, untilRound: 2 }] },
  'a validation split without a published one': { split: { kind: 'validation', testSubjects: 1 } },
};
for (const [name, options] of Object.entries(IMPOSSIBLE)) {
  test(`refused: ${name}`, () => {
    assert.throws(() => plan(options), { code: 'usage' });
  });
}
