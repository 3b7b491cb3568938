/**
 * An experiment's page in a real browser, from the file it is written to: nothing fails or is fetched, metrics and colours are
 * switched by keyboard, and a phone needs no sideways scrolling of the page.
 * Playwright's own screenshots are kept in QQR_SCREENSHOTS when that is set.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { BrowserContext } from 'playwright-core';
import type { Experiment, Figure } from '../../scripts/experiment/experiment.ts';
import { writeOutcome } from '../../scripts/experiment/write-outcome.ts';
import { keepScreenshot, launchBrowser, noBrowser, openPage } from '../fixtures/browser-page.ts';
import { finishedTrial } from '../fixtures/finished-trials.ts';
import { TINY } from '../fixtures/tiny-experiment.ts';

const figure = (id: string, x: Figure['x'], metrics: readonly string[]): Figure => ({
  id,
  title: `A figure that is ${x}`,
  caption: 'What it shows, in a sentence.',
  xLabel: x === 'curve' ? 'round' : 'place',
  x,
  metrics,
  baseline: 'plain',
});
const EXPERIMENT: Experiment = {
  ...TINY,
  claims: ['something.'],
  figures: [
    figure('rates', 'linear', ['clean', 'missing/', 'bytes/total']),
    figure('rows', 'ordinal', ['clean', 'missing/']),
    figure('rounds', 'curve', ['onlineAccuracy', 'clean']),
  ],
};
const SERIES = ['plain', 'ours', 'ours without a part that has a long name', '<b>theirs</b>'];

function trials() {
  return SERIES.flatMap((series, s) =>
    [1, 2, 3].flatMap((seed) => {
      const clean = (x: number) => 0.7 + 0.02 * s - 0.1 * x + 0.03 * Math.sin(seed * (s + 2));
      const metrics = (x: number) => ({ 'clean': clean(x), 'missing/acc': clean(x) / 2, 'bytes/total': 900 * (s + 1) });
      const curve = Array.from(
        { length: 60 },
        (_, i) => 0.8 - 0.5 / (1 + i / 8) + 0.01 * s + 0.01 * Math.sin(seed + i),
      );
      return [
        ...[0, 0.5, 0.9].map((x) => finishedTrial({ figure: 'rates', series, x, seed, metrics: metrics(x) })),
        ...['healthy', 'missing 50 %, degraded 50 %', 'missing 90 %, degraded 90 %'].map((x, i) =>
          finishedTrial({ figure: 'rows', series, x, seed, metrics: metrics(i / 2) }),
        ),
        finishedTrial({
          figure: 'rounds',
          series,
          x: 'run',
          seed,
          metrics: {},
          curves: { onlineAccuracy: curve, clean: curve.map((value, i) => (i % 4 === 3 ? value : null)) },
        }),
      ];
    }),
  );
}

describe('an experiment’s page in a browser', { skip: noBrowser, timeout: 120_000 }, () => {
  let folder = '';
  let context: BrowserContext;
  let address = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-experiment-page-'));
    const provenance = {
      data: 'made up',
      seeds: [1, 2, 3],
      commits: ['0123456789ab'],
      version: '0.1.0',
      command: 'qqr experiment tiny --data made-up-recordings.tar.xz --seeds 3 --quick',
      isQuick: false,
      failed: 0,
    };
    const outcome = { experiment: EXPERIMENT, finished: trials(), provenance, date: '24 November 2026' };
    address = pathToFileURL(await writeOutcome(folder, outcome)).href;
    context = await launchBrowser(folder);
  });

  after(async () => {
    await context?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('shows one chart per figure, without an error or a request', async () => {
    const { page, problems, requests } = await openPage(context, address);
    assert.equal(await page.locator('figure.switched').count(), 3);
    assert.equal(await page.locator('.view:visible').count(), 3);
    const rates = page.locator('#figure-rates .view:visible');
    assert.equal(await rates.locator('.chart circle').count(), SERIES.length * 3);
    assert.equal(await rates.locator('.chart polyline').count(), SERIES.length);
    assert.equal(await rates.locator('.chart .spread').count(), SERIES.length * 3, 'an error bar each');
    assert.equal(await page.locator('#figure-rounds .view:visible polyline').count(), SERIES.length);
    assert.equal(await page.locator('b', { hasText: 'theirs' }).count(), 0, 'names are text');
    assert.deepEqual(problems, []);
    assert.deepEqual(requests, [address]);
    await keepScreenshot(page, 'experiment-light');
    await page.close();
  });

  it('draws every point inside of its chart, higher values higher', async () => {
    const { page } = await openPage(context, address);
    const boxes =
      (await page.evaluate(`[...document.querySelectorAll('#figure-rates .view')].slice(0, 1).map((view) => {
      const frame = view.querySelector('.chart > svg').getBoundingClientRect();
      return [...view.querySelectorAll('.chart circle')].map((dot) => {
        const { x, y } = dot.getBoundingClientRect();
        return [x - frame.x, y - frame.y, frame.width, frame.height];
      });
    })[0]`)) as [number, number, number, number][];
    for (const [x, y, width, height] of boxes) assert.ok(x > 0 && x < width && y >= -4 && y < height, `${x}, ${y}`);
    const [healthy, , worst] = boxes;
    assert.ok((healthy?.[0] ?? 0) < (worst?.[0] ?? 0) && (healthy?.[1] ?? 0) < (worst?.[1] ?? 0));
    await page.close();
  });

  it('switches the metric by keyboard', async () => {
    const { page } = await openPage(context, address);
    const rates = page.locator('#figure-rates');
    await rates.locator('input').first().focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await rates.locator('.view:visible').getAttribute('aria-label'), 'without accelerometer');
    await page.keyboard.press('ArrowRight');
    assert.equal(await rates.locator('.view:visible').getAttribute('aria-label'), 'everything on the socket');
    assert.equal(await page.locator('#figure-rows .view:visible').getAttribute('aria-label'), 'all sensors healthy');
    await page.close();
  });

  it('gives the values and the paired differences as tables', async () => {
    const { page } = await openPage(context, address);
    const view = page.locator('#figure-rates .view:visible');
    await view.locator('summary').first().focus();
    await page.keyboard.press('Enter');
    assert.match(
      (await view.locator('table.values tbody tr').first().textContent()) ?? '',
      /^0\d\d\.\d ± \d\.\d \(3\)/,
    );
    const differences = view.locator('table').nth(1).locator('tbody tr');
    assert.equal(await differences.count(), SERIES.length - 1);
    assert.match((await differences.first().textContent()) ?? '', /ours.*all places.*\[/);
    await page.close();
  });

  it('follows the system’s colours and the choice', async () => {
    const { page } = await openPage(context, address, 'dark');
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    assert.equal(await background(), 'rgb(20, 21, 23)');
    await keepScreenshot(page, 'experiment-dark');
    await page.locator('#theme-system').focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await background(), 'rgb(253, 253, 251)');
    await page.close();
  });

  it('fits a phone', async () => {
    const { page, problems } = await openPage(context, address, 'light', 390);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await page.evaluate('document.querySelectorAll("details").forEach((details) => { details.open = true })');
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    assert.deepEqual(problems, []);
    await keepScreenshot(page, 'experiment-phone');
    await page.close();
  });
});
