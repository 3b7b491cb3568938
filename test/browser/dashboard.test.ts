/**
 * The dashboard in a real browser, before a real aggregator with scripted boards: every view draws, the incident is found in words, what
 * happens arrives without a reload, keyboard, phone and screen reader work, nothing fails and nothing leaves the machine.
 * Screenshots are kept in QQR_SCREENSHOTS when that is set.
 */
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { createRng } from '../../core/math/rng.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { keepScreenshot, launchBrowser, noBrowser, type Opened, openPage } from '../fixtures/browser-page.ts';
import { AWAY, LAME, STUCK, startWatchedFleet, type WatchedFleet } from '../fixtures/watched-fleet.ts';

const ROUNDS = 30;
const VIEWS = ['', 'rounds', 'rounds/12', 'curves', 'prototypes', 'bytes', 'live', `boards/${STUCK}`];

describe('the dashboard in a browser', { skip: noBrowser, timeout: 180_000 }, () => {
  let folder = '';
  let context: BrowserContext;
  let fleet: WatchedFleet;
  let home = '';
  let isKeepingStates = false;
  const undo: (() => unknown)[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-dashboard-'));
    fleet = await startWatchedFleet(
      { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext,
      12,
      ROUNDS,
    );
    home = fleet.server.httpUrl as string;
    isKeepingStates = (await fetch(`${home}/api/v1/states`)).status !== 404;
    context = await launchBrowser(folder);
  });

  after(async () => {
    await context?.close();
    for (const step of undo.reverse()) await step();
    await rm(folder, { recursive: true, force: true });
  });

  /** An aggregator that keeps no live states says so with 404, and Chromium notes each 404. */
  const isProblem = (text: string) => isKeepingStates || !/status of 404/.test(text);

  const open = async (view = '', scheme: 'light' | 'dark' = 'light', width = 1200): Promise<Opened> => {
    const opened = await openPage(context, `${home}/#/${view}`, scheme, width);
    await settled(opened.page);
    return opened;
  };

  it('draws every view without an error or a request to anybody else', async () => {
    for (const view of VIEWS) {
      const { page, problems, requests } = await open(view);
      await keepScreenshot(page, `dashboard-${view.replace('/', '-') || 'fleet'}`);
      assert.deepEqual(problems.filter(isProblem), [], view);
      for (const request of requests) assert.equal(new URL(request).origin, home);
      await page.close();
    }
  });
});

/** The view has read what it shows, and a frame has been drawn. */
async function settled(page: Page): Promise<void> {
  await page.waitForSelector('main h1');
  await page.waitForFunction(
    `[...document.querySelectorAll('main [role=status]')].every((one) => one.textContent !== 'Reading …')`,
  );
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
}
