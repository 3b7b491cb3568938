/**
 * The report in a real browser, from the file it is written to: nothing fails, everything is drawn, keyboard and phone work.
 * Playwright's own screenshots are kept in QQR_SCREENSHOTS when that is set.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { writeReport } from '../../scripts/report/write.ts';
import { keepScreenshot, launchBrowser, noBrowser, type Opened, openPage } from '../fixtures/browser-page.ts';
import { FOUR_RUNS, makeRun } from '../report-runs.ts';

const META = { title: 'Four ways to learn while sensors fail', date: '24 November 2026', version: '0.1.0' };
const COMMAND = 'qqr replay --data HAPT-Data-Set.tar.xz --missing 50% --degraded 50% --seeds 3';
/** accuracy, stream accuracy, and per modality quality and missing share. */
const PLOTS = 6;

describe('the report in a browser', { skip: noBrowser, timeout: 120_000 }, () => {
  let folder = '';
  let context: BrowserContext;
  let address = '';

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-report-'));
    const { page } = await writeReport(folder, FOUR_RUNS, { ...META, command: COMMAND });
    address = pathToFileURL(page).href;
    context = await launchBrowser(folder);
  });

  after(async () => {
    await context?.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('draws every plot without an error or a request', async () => {
    const { page, problems, requests } = await open(context, address);
    assert.equal(await page.locator('.plot canvas').count(), PLOTS);
    assert.deepEqual(await drawn(page), Array(PLOTS).fill(true));
    assert.equal(
      await page.locator('.bytes .mark').count(),
      4 * 4 - 1,
      'all bytes but the prototypes that FedAvg lacks',
    );
    assert.equal(await page.locator('svg.fleet').count(), FOUR_RUNS.length);
    assert.deepEqual(problems, []);
    assert.deepEqual(requests, [address]);
    await keepScreenshot(page, 'report-light');
    await page.close();
  });

  it('switches the condition by keyboard and reads another accuracy', async () => {
    const { page, problems } = await open(context, address);
    const accuracy = page.locator('[data-plot="accuracy"]');
    const value = accuracy.locator('output').first();
    const picture = `document.querySelector('[data-plot="accuracy"] canvas').toDataURL()`;
    const clean = await value.textContent();
    const drawnClean = await page.evaluate(picture);
    await accuracy.locator('input').first().focus();
    await page.keyboard.press('ArrowRight');
    assert.equal(await accuracy.locator('input:checked').getAttribute('value'), 'missing-acc');
    assert.notEqual(await value.textContent(), clean);
    await nextFrame(page);
    assert.notEqual(await page.evaluate(picture), drawnClean);
    const shown = FOUR_RUNS[0]?.accuracy.missing['acc']?.mean ?? Number.NaN;
    assert.equal(await value.textContent(), `${(shown * 100).toFixed(1)} %`);
    await keepScreenshot(page, 'report-without-acc', accuracy);
    assert.deepEqual(problems, []);
    await page.close();
  });

  it('reads out any round by keyboard', async () => {
    const { page } = await open(context, address);
    const accuracy = page.locator('[data-plot="accuracy"]');
    const slider = accuracy.getByRole('slider');
    await slider.focus();
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await slider.getAttribute('aria-valuenow'), '31');
    assert.match((await slider.getAttribute('aria-valuetext')) ?? '', /^round 31: A \d+\.\d %, B /);
    assert.equal(await accuracy.locator('.at').textContent(), 'Round 31');
    await page.keyboard.press('Home');
    assert.equal(await slider.getAttribute('aria-valuenow'), '0');
    await page.close();
  });

  it('follows the system’s theme and the toggle', async () => {
    const { page, problems } = await open(context, address, 'dark');
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    assert.equal(await background(), 'rgb(20, 21, 23)');
    assert.deepEqual(await drawn(page), Array(PLOTS).fill(true));
    await keepScreenshot(page, 'report-dark');
    const pictures = () =>
      page.evaluate(`[...document.querySelectorAll('.plot canvas')].map((canvas) => canvas.toDataURL())`);
    const dark = (await pictures()) as string[];
    await page.locator('#theme').focus();
    await page.keyboard.press('Enter');
    assert.equal(await background(), 'rgb(253, 253, 251)');
    await nextFrame(page);
    for (const picture of (await pictures()) as string[])
      assert.ok(!dark.includes(picture), 'drawn in the other colours');
    assert.equal(await page.locator('#theme').getAttribute('aria-pressed'), 'false');
    assert.deepEqual(problems, []);
    await page.close();
  });

  it('fits a phone', async () => {
    const { page, problems } = await open(context, address, 'light', 390);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    assert.deepEqual(await drawn(page), Array(PLOTS).fill(true));
    await page.evaluate('document.querySelectorAll("details").forEach((details) => { details.open = true })');
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await keepScreenshot(page, 'report-phone');
    assert.deepEqual(problems, []);
    await page.close();
  });

  it('shows text of a run as text', async () => {
    const hostile = makeRun({
      title: '</script><script>alert(1)</script><img src=x onerror=alert(2)>',
      strategy: '"&\'<',
      plateau: 0.8,
      seeds: 1,
      rounds: 2,
    });
    const files = await writeReport(join(folder, 'hostile'), [hostile], META);
    const { page, problems } = await open(context, pathToFileURL(files.page).href);
    assert.equal(await page.locator('img').count(), 0);
    assert.equal(await page.locator('#summary thead th').last().textContent(), `A${hostile.title}`);
    assert.deepEqual(problems, []);
    await page.close();
  });
});

/** With everything drawn. */
async function open(...args: Parameters<typeof openPage>): Promise<Opened> {
  const opened = await openPage(...args);
  await nextFrame(opened.page);
  return opened;
}

/** uPlot draws in a microtask and a resize is observed a frame later. */
async function nextFrame(page: Page): Promise<void> {
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}

/** Per canvas: whether it has pixels of at least eight colours, as axes, letters and lines do and a blank one does not. */
async function drawn(page: Page): Promise<boolean[]> {
  await nextFrame(page);
  return page.evaluate(`[...document.querySelectorAll('.plot canvas')].map((canvas) => {
    const pixels = new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer);
    return new Set(pixels).size >= 8;
  })`);
}
