import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunResult } from '../../scripts/replay/run-result.ts';
import { participationOf } from '../../scripts/report/participation-figure.ts';
import { lastOf, plotsOf } from '../../scripts/report/plots.ts';
import { runClass, runDash, runLetter } from '../../scripts/report/run-key.ts';
import { FOUR_RUNS, makeRun } from '../report-runs.ts';

const sparse = makeRun({ title: 'sparse', strategy: 's', plateau: 0.9, rounds: 12, seeds: 2, evaluateEvery: 5 });

describe('curves of the report', () => {
  it('has an entry per round, and none where nothing was measured', () => {
    const { rounds, accuracy, online } = plotsOf([sparse]);
    assert.deepEqual(
      rounds,
      Array.from({ length: 13 }, (_, i) => i),
    );
    const clean = accuracy.views[0]?.curves[0];
    const measured = clean?.mean.flatMap((value, i) => (value === null ? [] : [i]));
    assert.deepEqual(measured, [5, 10, 12]);
    assert.equal(online.views[0]?.curves[0]?.mean[0], null, 'round 0 predicts nothing');
  });

  it('ends at the accuracy of the summary', () => {
    const { rounds, accuracy } = plotsOf(FOUR_RUNS);
    for (const [index, run] of FOUR_RUNS.entries()) {
      for (const [key, summary] of [
        ['clean', run.accuracy.clean],
        ['missing-acc', run.accuracy.missing['acc']],
        ['degraded-gyr', run.accuracy.degraded['gyr']],
      ] as const) {
        const curve = accuracy.views.find((view) => view.key === key)?.curves[index];
        assert.ok(curve && summary);
        const last = lastOf(curve, rounds);
        assert.equal(last?.round, 33);
        assert.ok(Math.abs((last?.value ?? 0) - summary.mean) <= 5e-5);
        assert.ok(Math.abs((curve.band?.high.at(-1) ?? 0) - (summary.mean + summary.std)) <= 5e-5);
      }
    }
  });

  it('has no band over a single seed', () => {
    const once = makeRun({ title: 'once', strategy: 'o', plateau: 0.9, seeds: 1 });
    assert.equal(plotsOf([once]).accuracy.views[0]?.curves[0]?.band, null);
  });

  it('aligns runs of different lengths on the union of their rounds', () => {
    const long = makeRun({ title: 'long', strategy: 'l', plateau: 0.9, rounds: 20 });
    const { rounds, accuracy } = plotsOf([sparse, long]);
    assert.equal(rounds.length, 21);
    const [short, other] = accuracy.views[0]?.curves ?? [];
    assert.equal(short?.mean.length, 21);
    assert.equal(short?.mean[20], null);
    assert.equal(lastOf(other ?? { run: 0, mean: [], band: null }, rounds)?.round, 20);
  });

  it('keeps everything drawn inside the axis', () => {
    for (const runs of [FOUR_RUNS, [sparse]]) {
      const { accuracy, online } = plotsOf(runs);
      for (const plot of [accuracy, online]) {
        const [low, high] = plot.range;
        assert.ok(low >= 0 && high <= 1 && low < high);
        for (const { mean, band } of plot.views.flatMap((view) => view.curves)) {
          for (const value of [...mean, ...(band?.low ?? []), ...(band?.high ?? [])]) {
            assert.ok(value === null || (value >= low && value <= high));
          }
        }
      }
    }
  });

  it('survives a run without any evaluation', () => {
    const perSeed = sparse.perSeed.map(({ seed, records }) => ({
      seed,
      records: records.map((record) => ({ ...record, evaluation: null })),
    }));
    const { accuracy } = plotsOf([{ ...sparse, perSeed }]);
    assert.deepEqual(accuracy.range, [0, 1]);
    assert.ok(accuracy.views[0]?.curves[0]?.mean.every((value) => value === null));
  });

  it('plots quality and absence per modality', () => {
    const { quality, missing } = plotsOf([sparse]);
    assert.deepEqual(
      quality.map(({ id }) => id),
      ['quality-acc', 'quality-gyr'],
    );
    assert.deepEqual(
      missing.map(({ id }) => id),
      ['missing-acc', 'missing-gyr'],
    );
  });
});

describe('participation', () => {
  it('counts a board over the seeds that had the round', () => {
    const [first, second] = sparse.perSeed;
    assert.ok(first && second);
    const only = (records: typeof first.records, devices: string[]) =>
      records.slice(0, 2).map((record) => ({ ...record, devices }));
    const run: RunResult = {
      ...sparse,
      perSeed: [
        { seed: 1, records: only(first.records, ['b', 'a']) },
        { seed: 2, records: only(second.records, ['b']).slice(0, 1) },
      ],
    };
    assert.deepEqual(participationOf(run), {
      rounds: [0, 1],
      boards: [
        { name: 'a', shares: [0.5, 1] },
        { name: 'b', shares: [1, 1] },
      ],
    });
  });
});

describe('what tells runs apart', () => {
  it('gives each of many runs its own letter, and each of eight its own dashes and colour', () => {
    const indices = Array.from({ length: 60 }, (_, i) => i);
    assert.equal(new Set(indices.map(runLetter)).size, 60);
    const eight = indices.slice(0, 8);
    assert.equal(new Set(eight.map((i) => runDash(i).join(' '))).size, 8);
    assert.equal(new Set(eight.map(runClass)).size, 8);
  });
});
