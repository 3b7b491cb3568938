import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { AppError } from '../../core/base/errors.ts';
import { loadReportAssets, type ReportAssets } from '../../scripts/report/assets.ts';
import { renderReport } from '../../scripts/report/html.ts';
import { html, inlineJson, inlineSource } from '../../scripts/report/markup.ts';
import { plotsOf } from '../../scripts/report/plots.ts';
import { roundLines, writeReport } from '../../scripts/report/write.ts';
import { FOUR_RUNS, makeRun } from '../report-runs.ts';

const META = { title: 'A <report> & more', date: '1 December 2026', version: '0.1.0' };
const HOSTILE = '</script><!--<script>"\'&';

describe('markup', () => {
  it('escapes what it is given and keeps markup', () => {
    const inner = html`<b>${'a<b'}</b>`;
    assert.equal(
      html`<p title="${'"x"'}">${inner}${[inner, inner]}${3}</p>`.markup,
      `<p title="&quot;x&quot;">${'<b>a&lt;b</b>'.repeat(3)}3</p>`,
    );
  });
  it('writes JSON that cannot end its script and reads back the same', () => {
    const { markup } = inlineJson({ text: HOSTILE });
    assert.ok(!markup.includes('<'));
    assert.deepEqual(JSON.parse(markup), { text: HOSTILE });
  });
  it('refuses source that would end its element', () => {
    assert.throws(() => inlineSource('x = "</SCRIPT>"'), RangeError);
  });
});

describe('the report as HTML', () => {
  let assets: ReportAssets;
  before(async () => {
    assets = await loadReportAssets();
  });

  it('inlines a page script without imports', () => {
    assert.doesNotMatch(assets.pageScript, /^\s*import\b/m);
    assert.ok(assets.plotLibrary.includes('uPlot'));
  });

  it('allows by policy exactly the scripts and the style that it holds, and no network', () => {
    const page = renderReport(FOUR_RUNS, META, assets);
    const policy = /Content-Security-Policy" content="([^"]+)"/.exec(page)?.[1]?.replaceAll('&#39;', "'") ?? '';
    assert.match(policy, /^default-src 'none'/);
    const contents = [...page.matchAll(/<(?:script|script type="module"|style)>([\s\S]*?)<\/(?:script|style)>/g)];
    const hashes = contents.map(
      ([, content = '']) => `'sha256-${createHash('sha256').update(content).digest('base64')}'`,
    );
    assert.deepEqual(new Set(policy.match(/'sha256-[^']+'/g)), new Set(hashes));
    assert.equal(hashes.length, 3);
    assert.doesNotMatch(page, /(src|href)="(?!data:)/);
  });

  it('carries the curves as data', () => {
    const page = renderReport(FOUR_RUNS, META, assets);
    const json = /id="plot-data">([\s\S]*?)<\/script>/.exec(page)?.[1] ?? '';
    const data: unknown = JSON.parse(json);
    const plots = plotsOf(FOUR_RUNS);
    assert.deepEqual(data, {
      rounds: plots.rounds,
      runs: [
        { letter: 'A', dash: [] },
        { letter: 'B', dash: [9, 4] },
        { letter: 'C', dash: [2, 3] },
        { letter: 'D', dash: [9, 3, 2, 3] },
      ],
      plots: [plots.accuracy, plots.online, ...plots.quality, ...plots.missing],
    });
  });

  it('lets no text of a run become markup', () => {
    const run = makeRun({ title: HOSTILE, strategy: HOSTILE, plateau: 0.9, rounds: 2, seeds: 1 });
    const perSeed = run.perSeed.map(({ seed, records }) => ({
      seed,
      records: records.map((record) => ({ ...record, devices: [HOSTILE], rejected: { [HOSTILE]: 1 } })),
    }));
    const named = { ...run, perSeed, dataSet: HOSTILE, backend: HOSTILE, commit: HOSTILE, modalities: [HOSTILE] };
    const page = renderReport([named], { title: HOSTILE, date: HOSTILE, version: HOSTILE, command: HOSTILE }, assets);
    assert.ok(!page.includes(HOSTILE));
    assert.ok(!page.includes('<!--'));
    assert.equal(page.match(/<script/g)?.length, 3);
  });

  it('is the same for the same runs', () => {
    assert.equal(renderReport(FOUR_RUNS, META, assets), renderReport(FOUR_RUNS, META, assets));
  });

  it('stays small and quick with a large fleet', () => {
    const fleet = makeRun({ title: 'fleet', strategy: 'f', plateau: 0.9, boards: 500, rounds: 100, seeds: 2 });
    const page = renderReport([fleet], META, assets);
    assert.match(page, /the 64 of 500 boards counted least often/);
    assert.ok(page.length < 2_000_000, `${page.length} bytes`);
  });
});

describe('writing the report', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-write-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('leaves three whole files and replaces them', async () => {
    const target = join(folder, 'new', 'report');
    await writeReport(target, FOUR_RUNS, META);
    const files = await writeReport(target, FOUR_RUNS.slice(0, 1), META);
    assert.deepEqual(await readdir(target), ['report.html', 'result.json', 'rounds.jsonl']);
    assert.deepEqual(JSON.parse(await readFile(files.result, 'utf8')), { meta: META, runs: FOUR_RUNS.slice(0, 1) });
    assert.equal(await readFile(files.rounds, 'utf8'), roundLines(FOUR_RUNS.slice(0, 1)));
    assert.match(await readFile(files.page, 'utf8'), /^<!doctype html>[\s\S]*<\/html>\n$/);
  });

  it('writes one line per run, seed and round', () => {
    const lines = roundLines(FOUR_RUNS).trimEnd().split('\n');
    assert.equal(lines.length, 4 * 3 * 34);
    const { run, strategy, seed, ...record } = JSON.parse(lines.at(-1) ?? '') as Record<string, unknown>;
    assert.deepEqual([run, strategy, seed], ['QQR, 2 bits', 'qqr-2bit', 3]);
    assert.deepEqual(record, FOUR_RUNS[3]?.perSeed[2]?.records[33]);
  });

  it('reports a folder that cannot be made', async () => {
    await writeFile(join(folder, 'taken'), '');
    await assert.rejects(
      writeReport(join(folder, 'taken', 'x'), FOUR_RUNS, META),
      (error: unknown) => error instanceof AppError && error.code === 'output-failed',
    );
  });
});
