/** From finished trials to tables, CSV, Markdown and page. */
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { experimentNamed } from '../../scripts/experiment/catalogue.ts';
import { resultsCsv } from '../../scripts/experiment/csv.ts';
import type { Experiment, Figure } from '../../scripts/experiment/experiment.ts';
import { losses } from '../../scripts/experiment/losses.ts';
import { experimentMarkdown, type Provenance, seedText } from '../../scripts/experiment/markdown.ts';
import { experimentPage } from '../../scripts/experiment/page.ts';
import { resultsDocument } from '../../scripts/experiment/results-document.ts';
import { summarizeExperiment } from '../../scripts/experiment/summary.ts';
import type { FinishedTrial } from '../../scripts/experiment/trial.ts';
import { writeOutcome } from '../../scripts/experiment/write-outcome.ts';
import { finishedTrial } from '../fixtures/finished-trials.ts';

const FIGURE: Figure = {
  id: 'f',
  title: 'A figure',
  caption: 'What it shows.',
  xLabel: 'rate',
  x: 'linear',
  metrics: ['clean', 'missing/'],
  baseline: 'plain',
};
const EXPERIMENT: Experiment = { ...experimentNamed('quantity'), claims: ['more.'], figures: [FIGURE] };
const PROVENANCE: Provenance = {
  data: 'made up',
  seeds: [1, 2, 3],
  commits: ['abc123'],
  version: '0.1.0',
  command: 'qqr experiment quantity',
  isQuick: false,
  failed: 0,
};

const trial = (series: string, x: number, seed: number, clean: number) =>
  finishedTrial({ series, x, seed, metrics: { clean, 'missing/acc': clean / 2 } });

/** Seeds differ a lot, series by 2 points at rate 0 and by 4 at rate 0.5. */
const TRIALS: FinishedTrial[] = [1, 2, 3].flatMap((seed) => [
  trial('plain', 0.5, seed, 0.5 + 0.1 * seed),
  trial('plain', 0, seed, 0.6 + 0.1 * seed),
  trial('ours', 0, seed, 0.62 + 0.1 * seed),
  trial('ours', 0.5, seed, 0.54 + 0.1 * seed),
]);

const round = (value: number | null | undefined) => Number((value ?? Number.NaN).toFixed(6));

describe('the summary of finished trials', () => {
  const [summary] = summarizeExperiment(EXPERIMENT, TRIALS);
  const clean = summary?.metrics[0];

  it('has places in order, every series and every metric that some trial has', () => {
    assert.deepEqual(summary?.places, [0, 0.5]);
    assert.deepEqual(summary?.series, ['plain', 'ours']);
    assert.deepEqual(
      summary?.metrics.map(({ metric }) => metric.label),
      ['all sensors healthy', 'without accelerometer'],
    );
  });

  it('pairs by seed: what seeds share cancels out', () => {
    const cell = clean?.cells.find(({ series, x }) => series === 'ours' && x === 0.5);
    assert.deepEqual([cell?.estimate.n, round(cell?.estimate.mean), round(cell?.estimate.std)], [3, 0.74, 0.1]);
    assert.deepEqual([round(cell?.difference?.mean), round(cell?.difference?.std)], [0.04, 0]);
    const [overall] = clean?.overall ?? [];
    assert.deepEqual([overall?.series, round(overall?.difference.mean), overall?.difference.n], ['ours', 0.03, 3]);
  });

  it('compares nothing with itself and nothing without a baseline', () => {
    assert.ok(clean?.cells.filter(({ series }) => series === 'plain').every(({ difference }) => difference === null));
    const [alone] = summarizeExperiment({ ...EXPERIMENT, figures: [{ ...FIGURE, baseline: null }] }, TRIALS);
    assert.deepEqual(alone?.metrics[0]?.overall, []);
  });

  it('leaves out figures without a trial, and seeds that only one side has', () => {
    assert.deepEqual(summarizeExperiment(EXPERIMENT, []), []);
    const some = TRIALS.filter(({ trial: { arms, seed } }) => arms[0]?.series === 'plain' || seed !== 3);
    const cell = summarizeExperiment(EXPERIMENT, some)[0]?.metrics[0]?.cells.find(({ series }) => series === 'ours');
    assert.equal(cell?.difference?.n, 2);
  });

  it('bins a curve of many rounds, leaving out rounds that were not measured', () => {
    const values = Array.from({ length: 100 }, (_, i) => (i < 4 ? null : i + 1));
    const curve: Figure = { ...FIGURE, x: 'curve', metrics: ['clean'] };
    const line = finishedTrial({ series: 's', x: 'run', seed: 1, metrics: {}, curves: { clean: values } });
    const [figure] = summarizeExperiment({ ...EXPERIMENT, figures: [curve] }, [line]);
    assert.equal(figure?.places.length, 24);
    const [first] = figure?.metrics[0]?.cells ?? [];
    assert.deepEqual([first?.x, first?.estimate.mean], [8, 6.5]);
  });
});

describe('what is written', () => {
  const figures = summarizeExperiment(EXPERIMENT, TRIALS);

  it('is a CSV row per trial and metric, quoted where need be', () => {
    const odd = finishedTrial({ series: 'a "b", c', x: 1, seed: 4, metrics: { clean: 0.25 } });
    const rows = resultsCsv([...TRIALS, odd]).split('\r\n');
    assert.equal(rows.length, 1 + 2 * TRIALS.length + 1 + 1);
    assert.equal(rows[0], 'figure,series,x,strategy,seed,fold,metric,value,boards,rounds,seconds,key');
    assert.match(rows.at(-2) ?? '', /^f,"a ""b"", c",1,qqr,4,,clean,0.25,3,4,1.5,[0-9a-f]{16}$/);
  });

  it('is Markdown with a table per metric, the comparison in words, and where it comes from', () => {
    const text = experimentMarkdown(EXPERIMENT, figures, PROVENANCE);
    assert.match(text, /^## Missing modalities\n/);
    assert.match(text, /Claimed: more\./);
    assert.match(
      text,
      /Recordings: made up\. Seeds: 1–3\. qqr-edge 0\.1\.0, commit abc123\. Again: `qqr experiment quantity`/,
    );
    assert.match(text, /\| rate \| plain \| ours \|\n\|---\|---\|---\|\n\| 0 \| 80\.0 ± 10\.0 \| 82\.0 ± 10\.0 \|/);
    assert.match(text, /Against plain, paired, over all rows: ours \+3\.0 \[\+3\.0, \+3\.0\]\./);
    const short = experimentMarkdown(EXPERIMENT, figures, { ...PROVENANCE, isQuick: true, failed: 2 });
    assert.match(short, /Short form/);
    assert.match(short, /2 trials gave no result/);
  });

  it('compares a curve over its whole length', () => {
    const lines = [1, 2].flatMap((seed) =>
      ['plain', 'ours'].map((series, i) => {
        const curves = { clean: [0.1 * seed, 0.1 * seed + 0.02 * i] };
        return finishedTrial({ series, x: 'run', seed, metrics: {}, curves });
      }),
    );
    const curve: Figure = { ...FIGURE, x: 'curve', metrics: ['clean'] };
    const text = experimentMarkdown(
      EXPERIMENT,
      summarizeExperiment({ ...EXPERIMENT, figures: [curve] }, lines),
      PROVENANCE,
    );
    assert.match(text, /Against plain, paired, over the whole run: ours \+1\.0 \[\+1\.0, \+1\.0\]\./);
  });

  it('names seeds as ranges', () => {
    assert.equal(seedText([3, 1, 2, 2, 7, 1001, 1002]), '1–3, 7, 1001–1002');
  });

  it('is a page without scripts, in which names are text', () => {
    const hostile = [1, 2].map((seed) =>
      finishedTrial({ series: '<script>alert(1)</script>', x: 1, seed, metrics: { clean: 0.5 } }),
    );
    const page = experimentPage(EXPERIMENT, summarizeExperiment(EXPERIMENT, hostile), PROVENANCE, 'today');
    assert.doesNotMatch(page, /<script/);
    assert.match(page, /&lt;script&gt;/);
    assert.match(page, /default-src &#39;none&#39;; style-src &#39;sha256-/);
  });
});

describe('what speaks against QQR', () => {
  /** The series `name`, 3 points worse than `plain` in every seed, or better by as much. */
  const against = (name: string, sign: 1 | -1, changes: Partial<Figure> = {}) => {
    const lines = [1, 2, 3].flatMap((seed) =>
      (['plain', name] as const).map((series) => {
        const at = 0.5 + 0.1 * seed + (series === 'plain' ? 0 : 0.03 * sign);
        const curves = { clean: [null, at, at + 0.01] };
        return finishedTrial({
          series,
          x: 0.5,
          seed,
          metrics: { clean: at, 'online/loss': at, 'bytes/total': at },
          curves,
        });
      }),
    );
    return losses(
      summarizeExperiment({ ...EXPERIMENT, figures: [{ ...FIGURE, metrics: ['clean'], ...changes }] }, lines),
    );
  };

  it('is where qqr, a variant of it or lean is clearly worse, and only there', () => {
    const told = ['A figure, rate 0.5, all sensors healthy: qqr −3.0 [−3.0, −3.0] against plain'];
    assert.deepEqual(against('qqr', -1), told);
    assert.deepEqual(against('qqr', 1), []);
    assert.equal(against('qqr, own scale', -1).length, 1);
    assert.equal(against('lean', -1).length, 1);
    assert.deepEqual(against('fedprox', -1), []);
    assert.deepEqual(against('qqr', -1, { baseline: null }), []);
  });

  it('is where a variant is better than the qqr that a figure compares with', () => {
    const better = 'A figure, rate 0.5, all sensors healthy: plain +3.0 [+3.0, +3.0] against qqr';
    assert.deepEqual(against('qqr', -1, { baseline: 'qqr' }), [better]);
    assert.deepEqual(against('qqr', 1, { baseline: 'qqr' }), []);
  });

  it('is a whole run where rounds are shown, once', () => {
    const told = 'A figure, over the whole run, all sensors healthy: qqr −3.0 [−3.0, −3.0] against plain';
    assert.deepEqual(against('qqr', -1, { x: 'curve' }), [told]);
  });

  it('knows that less loss is better, and leaves bytes to their own tables', () => {
    const metrics = ['online/loss', 'bytes/total'];
    assert.deepEqual(against('qqr', -1, { metrics }), []);
    assert.equal(against('qqr', 1, { metrics }).length, 1);
  });

  it('is not what may be chance', () => {
    const lines = [1, 2, 3].flatMap((seed) => [
      trial('plain', 0, seed, 0.5),
      trial('qqr', 0, seed, 0.5 + 0.03 * (seed - 2.2)),
    ]);
    assert.deepEqual(losses(summarizeExperiment(EXPERIMENT, lines)), []);
  });
});

describe('docs/results.md', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-results-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('is made from folders in the catalogue’s order, the same each time', async () => {
    const folders = await Promise.all(
      ['quantity', 'headline'].map(async (name) => {
        const path = join(folder, name);
        await mkdir(path);
        const experiment = { ...experimentNamed(name), figures: [FIGURE] };
        await writeOutcome(path, { experiment, finished: TRIALS, provenance: PROVENANCE, date: 'today' });
        return path;
      }),
    );
    const text = await resultsDocument(folders);
    assert.ok(text.indexOf('## The headline rows') < text.indexOf('## Missing modalities'));
    assert.ok(text.indexOf('## Missing modalities') < text.indexOf('## Where QQR does not help'));
    assert.equal(await resultsDocument([...folders].reverse()), text);
    assert.doesNotMatch(text, /today/);
    assert.match(text, /## Where QQR does not help\n\n[^#]+\n\nThere is none\.\n$/);
    await assert.rejects(resultsDocument([folders[0] as string, folders[0] as string]), { code: 'usage' });
    assert.equal(JSON.parse(await readFile(join(folders[0] as string, 'summary.json'), 'utf8')).experiment, 'quantity');
  });

  it('judges figures anew, whatever sentences an earlier version has left', async () => {
    const path = join(folder, 'ablation');
    await mkdir(path);
    const experiment = {
      ...experimentNamed('ablation'),
      figures: [{ ...FIGURE, metrics: ['clean'], baseline: 'qqr' }],
    };
    const finished = [1, 2, 3].flatMap((seed) => [
      trial('qqr', 0, seed, 0.1 * seed),
      trial('less', 0, seed, 0.1 * seed + 0.02),
    ]);
    await writeOutcome(path, { experiment, finished, provenance: PROVENANCE, date: 'today' });
    const file = join(path, 'summary.json');
    await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, 'utf8')), losses: [] }));
    const line = /\n- [^:]+: A figure, rate 0, all sensors healthy: less \+2\.0 \[\+2\.0, \+2\.0\] against qqr\n$/;
    assert.match(await resultsDocument([path]), line);
  });

  it('refuses a folder without an outcome', async () => {
    await assert.rejects(resultsDocument([join(folder, 'nothing')]), { code: 'input-missing', hint: /--out/ });
  });
});
