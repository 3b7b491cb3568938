/**
 * The dashboard in a real browser, before a real aggregator with scripted boards: what a fleet that replays recordings cannot be made to
 * do at the right moment. Troubles in words to the round, the keyboard, live states, a restart, the token.
 * Every view before such a fleet: dashboard-replay.test.ts.
 * Screenshots are kept in QQR_SCREENSHOTS when that is set.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import type { BrowserContext } from 'playwright-core';
import { keepScreenshot, launchBrowser, noBrowser, type Opened, openPage } from '../fixtures/browser-page.ts';
import { goTo, seriousFindings, settled, until } from '../fixtures/dashboard-page.ts';
import { startHttpFleet, TOKEN } from '../fixtures/http-fleet.ts';
import { AWAY, LAME, STUCK, startWatchedFleet, type WatchedFleet } from '../fixtures/watched-fleet.ts';

const ROUNDS = 30;

describe('the dashboard in a browser', { skip: noBrowser, timeout: 300_000 }, () => {
  let folder = '';
  let context: BrowserContext;
  let fleet: WatchedFleet;
  let home = '';
  const undo: (() => unknown)[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-dashboard-'));
    fleet = await startWatchedFleet(
      { after: (step: () => unknown) => undo.push(step) } as unknown as TestContext,
      12,
      ROUNDS,
    );
    home = fleet.server.httpUrl as string;
    context = await launchBrowser(folder);
  });

  after(async () => {
    await context?.close();
    for (const step of undo.reverse()) await step();
    await rm(folder, { recursive: true, force: true });
  });

  const open = async (view = '', scheme: 'light' | 'dark' = 'light', width = 1200): Promise<Opened> => {
    const opened = await openPage(context, `${home}/#/${view}`, scheme, width);
    await settled(opened.page);
    return opened;
  };

  it('names the failing sensor in words on the first screen', async () => {
    const { page } = await open();
    const first = page.locator('.incidents li').first();
    assert.equal(await first.textContent(), `✕${STUCK}: gyroscope stuck for 13 rounds`);
    const box = await first.boundingBox();
    assert.ok(box !== null && box.y + box.height < 300, 'without scrolling');
    const incidents = await page.locator('.incidents li').allTextContents();
    assert.equal(incidents[1], `✕${LAME}: accelerometer missing for 6 rounds`);
    assert.match(incidents[2] ?? '', new RegExp(`^!${AWAY}: offline, last heard `));
    assert.equal(incidents.length, 3);
    const names = await page.locator('.virtual .row a').allTextContents();
    assert.deepEqual(names.slice(0, 4), [STUCK, LAME, AWAY, 'pi-3'], 'the worst first, then the noisy one');
    assert.match(`${await page.locator('.virtual .row').first().textContent()}`, /stuck, 13 rounds/);
    await page.close();
  });

  it('opens the board behind an incident by keyboard alone, and walks curves with the arrow keys', async () => {
    const { page, problems } = await open();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.textContent'), 'To the content');
    await page.keyboard.press('/');
    await page.keyboard.type('stuck');
    await until(page, `document.querySelectorAll('.virtual .row').length === 1`);
    for (let presses = 0; presses < 5; presses++) {
      await page.keyboard.press('Tab');
      if ((await page.evaluate('document.activeElement.textContent')) === STUCK) break;
    }
    await page.keyboard.press('Enter');
    await until(page, `document.querySelector('h1').textContent === '${STUCK}'`);
    await settled(page);
    assert.equal(await page.evaluate('document.activeElement.id'), 'main');
    assert.equal(await page.title(), `${STUCK} · greenhouse`);
    const slider = page.getByRole('slider').first();
    await slider.focus();
    await page.keyboard.press('Home');
    assert.equal(await slider.getAttribute('aria-valuenow'), '0');
    await page.keyboard.press('ArrowRight');
    assert.match(`${await slider.getAttribute('aria-valuetext')}`, /^round 1: accelerometer \d+ %, gyroscope \d+ %$/);
    assert.equal(await page.locator('.plot .at').first().textContent(), 'Round 1');
    assert.deepEqual(problems, []);
    await page.close();
  });

  it('walks along the boards with the arrow keys', async () => {
    const { page } = await open();
    await page.locator('.virtual .row a').first().focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    assert.equal(await page.evaluate('document.activeElement.textContent'), AWAY);
    await page.keyboard.press('ArrowUp');
    assert.equal(await page.evaluate('document.activeElement.textContent'), LAME);
    await page.close();
  });

  it('sorts and filters', async () => {
    const { page } = await open();
    const names = () => page.locator('.virtual .row a').allTextContents();
    await page.selectOption('#order', 'name');
    await until(page, `document.querySelector('.virtual .row a').textContent === 'pi-1'`);
    assert.deepEqual(
      await names(),
      Array.from({ length: 12 }, (_, i) => `pi-${i + 1}`),
    );
    await page.check('#trouble-only');
    await until(page, `document.querySelectorAll('.virtual .row').length === 3`);
    assert.deepEqual(await names(), [LAME, STUCK, AWAY]);
    await page.fill('#filter', 'nobody');
    await until(page, `document.querySelectorAll('.virtual .row').length === 0`);
    assert.equal(await page.locator('.none').textContent(), 'No board is like that.');
    await page.close();
  });

  it('has no serious finding of axe where boards fail in every way, and fits a phone', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const { page, problems } = await open('', scheme);
      assert.deepEqual(await seriousFindings(page), [], scheme);
      await keepScreenshot(page, `dashboard-fleet-${scheme}`);
      await goTo(page, `boards/${LAME}`);
      assert.deepEqual(await seriousFindings(page), [], `${LAME} ${scheme}`);
      assert.deepEqual(problems, []);
      await page.close();
    }
    const { page } = await open('', 'light', 390);
    assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 390);
    await keepScreenshot(page, 'dashboard-fleet-phone');
    await page.close();
  });

  it('keeps the theme that was chosen, and draws curves in its colours', async () => {
    const { page } = await open('curves');
    const picture = `document.querySelector('.plot:not([hidden]) canvas').toDataURL()`;
    const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await page.evaluate(picture);
    await page.locator('#theme').focus();
    await page.keyboard.press('Enter');
    assert.equal(await background(), 'rgb(20, 21, 23)');
    assert.equal(await page.locator('#theme').getAttribute('aria-pressed'), 'true');
    assert.notEqual(await page.evaluate(picture), light);
    await page.reload();
    await settled(page);
    assert.equal(await background(), 'rgb(20, 21, 23)');
    await page.evaluate('localStorage.clear()');
    await page.close();
  });

  it('shows live states as boards tell them', async () => {
    const { page, problems } = await open('live');
    assert.match(`${await page.locator('.lead').textContent()}`, /^No live states/);
    const quality = { acc: 0.98, gyr: null };
    const state = { online: true, activity: 'walk', confidence: 0.91, modelVersion: 29, quality };
    await fleet.say('pi-2', { ...state, faults: ['mpu6050@1:0x68: unplugged'] });
    await until(page, `document.querySelector('.activity')?.textContent === 'walk'`);
    const card = page.locator('.card');
    assert.match(`${await card.textContent()}`, /^pi-2.*91 %.*gyroscope missing.*mpu6050@1:0x68: unplugged/);
    await keepScreenshot(page, 'dashboard-live-told');
    await fleet.say('pi-2', { ...state, activity: 'run', confidence: 0.55, faults: [] });
    await until(page, `document.querySelector('.activity').textContent === 'run'`);
    assert.doesNotMatch(`${await card.textContent()}`, /unplugged/);
    await fleet.say('pi-5', { ...state, activity: null, confidence: 0, faults: [] });
    await until(page, `document.querySelectorAll('.card').length === 2`);
    assert.match(`${await card.nth(1).textContent()}`, /does not know/);
    assert.deepEqual(problems, [], 'before a reload ends the stream of events');
    await page.reload();
    await settled(page);
    assert.deepEqual(await page.locator('.activity').allTextContents(), ['run', 'does not know']);
    await page.close();
  });

  it('shows what happens without a reload', async () => {
    const { page, requests, problems } = await open();
    const board = await open(`boards/pi-5`);
    const strip = () => page.locator('.incidents').textContent();
    fleet.setGyroscope('pi-5', 0.1, 'clip');
    fleet.setGyroscope(STUCK, 0.97, null);
    await fleet.answer();
    await until(page, `document.querySelector('.figures').textContent.includes('Round31')`);
    await until(page, `!document.querySelector('.incidents').textContent.includes('${STUCK}')`);
    assert.doesNotMatch(`${await strip()}`, /pi-5/, 'one bad round may be an accident');
    await fleet.answer();
    await until(
      page,
      `document.querySelector('.incidents').textContent.includes('pi-5: gyroscope clipping for 2 rounds')`,
    );
    await until(board.page, `document.querySelector('.card.bad')?.textContent.includes('clipping, 2 rounds')`);
    await until(board.page, `document.querySelector('tbody td').textContent === '31'`);
    assert.equal(requests.filter((request) => /\/(?:#.*)?$/.test(request)).length, 1, 'the page was loaded once');
    await fleet.boards.get('pi-6')?.say('offline');
    await until(page, `document.querySelector('.incidents').textContent.includes('pi-6: offline')`);
    await fleet.boards.get('pi-6')?.say('online');
    await until(page, `!document.querySelector('.incidents').textContent.includes('pi-6')`);
    assert.deepEqual([...problems, ...board.problems], []);
    await page.close();
    await board.page.close();
  });

  it('says that the aggregator is away, and reads everything anew when another one has started', async (t) => {
    const first = await startHttpFleet(t, { config: { fleet: 'first' } });
    await first.board('pi-1').start();
    await first.closed(1);
    const page = await context.newPage();
    await page.goto(`${first.server.httpUrl}`);
    await until(page, `document.querySelector('.virtual .row a')?.textContent === 'pi-1'`);
    await first.server.stop();
    await until(page, `document.querySelector('#link').textContent === 'aggregator away'`);
    const listen = new URL(`${first.server.httpUrl}`).host;
    const second = await startHttpFleet(t, { config: { fleet: 'second', http: { listen } } });
    await until(page, `document.querySelector('#fleet-name').textContent === 'second'`);
    await until(page, `document.querySelector('#link').textContent === 'live'`);
    await until(page, `document.querySelectorAll('.virtual .row').length === 0`); // its boards are not those of before
    await second.board('pi-2').start();
    await until(page, `document.querySelector('.virtual .row a')?.textContent === 'pi-2'`);
    await page.close();
  });

  it('asks for the token where reading needs one', async (t) => {
    const guarded = await startHttpFleet(t, { config: { http: { listen: '0.0.0.0:0' } } });
    const page = await context.newPage();
    await page.goto(`${guarded.server.httpUrl}`.replace('0.0.0.0', '127.0.0.1'));
    await page.fill('#token', 'not-the-right-one');
    await page.keyboard.press('Enter');
    await until(page, `document.querySelector('#token')?.value === ''`);
    await page.fill('#token', TOKEN);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.strip');
    assert.equal(await page.locator('.strip h2').textContent(), 'No board has been heard of yet');
    await guarded.board('pi-1').start();
    await until(page, `document.querySelector('.virtual .row a')?.textContent === 'pi-1'`);
    await page.close();
  });
});
