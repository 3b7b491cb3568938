/** Which sensors fail when: for one board, for all, for good, by phase, and by outage. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRng } from '../../core/math/rng.ts';
import {
  type BlockFailures,
  type FailurePlan,
  failureSchedule,
  NO_FAILURES,
} from '../../core/trace/failure-schedule.ts';

const BOARDS = Array.from({ length: 20 }, (_, i) => `b${i}`);
const ROUNDS = 200;

/** Per board, what fails in each block. */
function failures(plan: Partial<FailurePlan>, boards = BOARDS, seed = 1): BlockFailures[][] {
  const rng = createRng(seed);
  const fleet = { boards, modalities: ['acc', 'gyr'], rng: rng.fork('failures') };
  return boards.map((board) => {
    const schedule = failureSchedule({ ...NO_FAILURES, ...plan }, fleet, board, rng.fork(board));
    return Array.from({ length: ROUNDS }, (_, block) => schedule(block));
  });
}

const missingShare = (of: readonly BlockFailures[]) =>
  of.filter(({ missing }) => missing.length > 0).length / of.length;

test('per board and round, rates hold, both modalities are hit, and boards differ', () => {
  const all = failures({ missingRate: 0.4, degradedRate: 0.3 }).flat();
  const share = (is: (of: BlockFailures) => boolean) => all.filter(is).length / all.length;
  assert.ok(Math.abs(missingShare(all) - 0.4) < 0.02);
  for (const m of [0, 1]) {
    assert.ok(Math.abs(share(({ missing }) => missing[0] === m) - 0.2) < 0.02);
    assert.ok(Math.abs(share(({ degraded }) => degraded === m) - 0.15) < 0.02);
  }
});

test('per round, all boards lack the same modality in the same rounds, and fail on their own otherwise', () => {
  const boards = failures({ missingRate: 0.5, missingPer: 'round', degradedRate: 0.5 });
  const missing = boards.map((of) => of.map((block) => block.missing));
  for (const of of missing) assert.deepEqual(of, missing[0]);
  assert.ok(Math.abs(missingShare(boards[0] as BlockFailures[]) - 0.5) < 0.12);
  const degraded = boards.map((of) => of.map((block) => block.degraded).join());
  assert.equal(new Set(degraded).size, BOARDS.length);
});

test('per board, an exact share of the boards never has one modality, half of them either', () => {
  const boards = failures({ missingRate: 0.5, missingPer: 'board' });
  const missing = boards.map((of) => new Set(of.map((block) => block.missing.join())));
  assert.ok(missing.every((kinds) => kinds.size === 1));
  const count = (which: string) => missing.filter((kinds) => kinds.has(which)).length;
  assert.deepEqual([count('0'), count('1'), count('')], [5, 5, 10]);
});

test('a named modality is the one that fails', () => {
  for (const missingPer of ['board-round', 'round', 'board'] as const) {
    const all = failures({
      missingRate: 0.5,
      missingPer,
      missingModality: 'gyr',
      degradedRate: 1,
      degradedModality: 'acc',
    });
    assert.deepEqual(new Set(all.flat().flatMap(({ missing }) => missing)), new Set([1]), missingPer);
    assert.ok(all.flat().every(({ degraded }) => degraded === 0));
  }
});

test('phases change the pattern up to their last round, and then it holds', () => {
  const phases = [
    { untilRound: 10, missingRate: 1 },
    { untilRound: 20, missingRate: 1, missingModality: 'acc', degradedRate: 1 },
  ];
  for (const of of failures({ degradedModality: 'gyr', phases })) {
    assert.equal(missingShare(of.slice(0, 20)), 1);
    assert.equal(missingShare(of.slice(20)), 0);
    assert.ok(of.slice(10, 20).every(({ missing, degraded }) => missing[0] === 0 && degraded === 1));
    assert.ok(of.slice(0, 10).every(({ degraded }) => degraded === -1));
  }
});

test('a phase that changes another rate leaves the rest as it would have been', () => {
  const before = failures({ missingRate: 0.5 });
  const after = failures({ missingRate: 0.5, phases: [{ untilRound: 50, degradedRate: 0.5 }] });
  assert.deepEqual(
    after.map((of) => of.map(({ missing }) => missing)),
    before.map((of) => of.map(({ missing }) => missing)),
  );
});

test('a sensor of one board dies and returns; of a share of the boards it dies for good', () => {
  const outages = [
    { boards: 'b3', modality: 'gyr', fromRound: 5, untilRound: 8 },
    { boards: 0.25, modality: 'acc', fromRound: 100, untilRound: null },
  ];
  const boards = failures({ outages });
  const without = (of: readonly BlockFailures[], m: number) =>
    of.flatMap(({ missing }, block) => (missing.includes(m) ? [block + 1] : []));
  for (const [b, of] of boards.entries()) assert.deepEqual(without(of, 1), b === 3 ? [5, 6, 7, 8] : []);
  const dead = boards.map((of) => without(of, 0)).filter(({ length }) => length > 0);
  assert.equal(dead.length, 5);
  for (const rounds of dead) assert.deepEqual([rounds[0], rounds.length], [100, 101]);
});

test('an outage comes before what is drawn, so that it is the one to be taken', () => {
  const plan = { missingRate: 1, outages: [{ boards: 1, modality: 'gyr', fromRound: 1, untilRound: null }] };
  for (const { missing } of failures(plan).flat()) assert.equal(missing[0], 1);
});

test('one more board changes nobody else in what is drawn per board-round or per round', () => {
  for (const missingPer of ['board-round', 'round'] as const) {
    const plan = { missingRate: 0.5, missingPer };
    assert.deepEqual(failures(plan, [...BOARDS, 'new']).slice(0, -1), failures(plan));
  }
});
