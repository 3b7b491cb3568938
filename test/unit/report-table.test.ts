import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RunResult } from '../../scripts/replay/run-result.ts';
import { summarize } from '../../scripts/replay/run-result.ts';
import { formatBytes, formatCell, summaryRows } from '../../scripts/report/summary-rows.ts';
import { renderTable } from '../../scripts/report/table.ts';
import { FOUR_RUNS, makeRun } from '../report-runs.ts';

const BOLD = '\u001b[1m';
const TWO = FOUR_RUNS.slice(0, 2);

describe('numbers of the summary', () => {
  it('formats bytes by size, without ever showing 1000 of a unit', () => {
    const shown = [0, 96.4, 999.4, 999.5, 5_310, 9_949, 84_449, 99_949, 99_950, 999_499, 999_500, 2.5e6].map(
      formatBytes,
    );
    assert.deepEqual(shown, [
      ...[
        '0 B',
        '96 B',
        '999 B',
        '1.0 kB',
        '5.3 kB',
        '9.9 kB',
        '84.4 kB',
        '99.9 kB',
        '100 kB',
        '999 kB',
        '1.0 MB',
        '2.5 MB',
      ],
    ]);
  });

  it('shows a spread only when there is one', () => {
    assert.equal(formatCell({ mean: 0.8812, std: 0.0154 }, 'percent'), '88.1 ± 1.5 %');
    assert.equal(formatCell({ mean: 0.8812, std: null }, 'percent'), '88.1 %');
    assert.equal(formatCell({ mean: 0.8, std: 0.021 }, 'fraction', '+-'), '0.80 +- 0.02');
    assert.equal(formatCell(null, 'percent'), '–');
  });

  it('marks the better mean, and nobody in a tie', () => {
    const [a, b] = TWO as [RunResult, RunResult];
    const accuracy = (run: RunResult, clean: number): RunResult => ({
      ...run,
      accuracy: { ...run.accuracy, clean: summarize([clean]) },
    });
    assert.deepEqual(summaryRows([accuracy(a, 0.8), accuracy(b, 0.9)])[0]?.best, [false, true]);
    assert.deepEqual(summaryRows([accuracy(a, 0.8), accuracy(b, 0.8)])[0]?.best, [false, false]);
    assert.deepEqual(summaryRows([accuracy(a, 0.8)])[0]?.best, [false]);
  });

  it('keeps a row that only one of the runs has', () => {
    const [a, b] = TWO as [RunResult, RunResult];
    const noGyro: RunResult = {
      ...b,
      modalities: ['acc'],
      accuracy: { ...b.accuracy, missing: {}, degraded: {} },
      meanQuality: {},
    };
    const row = summaryRows([a, noGyro]).find(({ label }) => label === 'without gyr');
    assert.equal(row?.cells[1], null);
    assert.ok(row?.cells[0]);
    assert.deepEqual(row?.best, [false, false]);
  });

  it('computes what was saved, and does not hide a loss', () => {
    const [a] = TWO as [RunResult, RunResult];
    const saved = (total: number) => {
      const run = { ...a, bytes: { perBoardRound: { prototypes: 1, model: 2, total, fp32: 1000 } } };
      return summaryRows([run]).find(({ label }) => label === 'saved')?.cells[0]?.mean;
    };
    assert.equal(saved(100), 0.9);
    assert.equal(saved(1500), -0.5);
  });
});

describe('the terminal table', () => {
  it('stays within 100 columns of ASCII for any number of runs', () => {
    for (let count = 1; count <= 9; count++) {
      const runs = Array.from({ length: count }, (_, i) =>
        makeRun({
          title: `run ${i} with Averylongwordthatdoesnotfitanywhereatall`,
          strategy: `s${i}`,
          plateau: 0.8,
          rounds: 3,
          seeds: 2,
        }),
      );
      const table = renderTable(runs);
      for (const line of table.split('\n')) assert.ok(line.length <= 100, `${count} runs: ${line.length}: ${line}`);
      assert.match(table, /^[\n\x20-\x7e]*$/);
      for (let i = 0; i < count; i++) assert.match(table, new RegExp(`run ${i}`));
      assert.equal(table.match(/all sensors healthy/g)?.length, Math.ceil(count / 4));
    }
  });

  it('aligns every column to the right', () => {
    const lines = renderTable(FOUR_RUNS)
      .split('\n')
      .filter((line) => /^ {2}\S.* {3}/.test(line));
    assert.ok(lines.length >= 12);
    assert.deepEqual(new Set(lines.map((line) => line.length)), new Set([lines[0]?.length]));
  });

  it('emphasizes on a terminal only', () => {
    assert.ok(!renderTable(FOUR_RUNS).includes('\u001b'));
    const table = renderTable(FOUR_RUNS, { bold: true });
    const healthy = table.split('\n').find((line) => line.includes('all sensors healthy')) ?? '';
    assert.equal(healthy.split(BOLD).length - 1, 1);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes are what is stripped
    assert.equal(table.replace(/\u001b\[\d+m/g, ''), renderTable(FOUR_RUNS));
  });

  it('says what +- means only when it is there', () => {
    assert.match(renderTable(FOUR_RUNS), /\+- is the sample standard deviation/);
    assert.doesNotMatch(renderTable([makeRun({ title: 'once', strategy: 'x', plateau: 0.9, seeds: 1 })]), /\+-/);
  });
});
