/**
 * The dashboard before 1000 boards: a real page and a real server on a real store, updates told as the aggregator tells them.
 * Figures are printed: time to the first rows, from an update to the page, long tasks of the page's thread, the server's processor time.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createFleetWatch } from '../../server/fleet-watch.ts';
import { createApp } from '../../server/http/app.ts';
import { createHttpServer } from '../../server/http/http-server.ts';
import { createStaticFiles } from '../../server/http/static-files.ts';
import { firstGlobal } from '../../server/next-global.ts';
import type { BoardReport, RoundRecord } from '../../server/record.ts';
import { openHistory } from '../../server/store/history.ts';
import { openSqliteStore } from '../../server/store/sqlite.ts';
import { qqr } from '../../server/strategies/qqr.ts';
import { launchBrowser, noBrowser } from '../fixtures/browser-page.ts';
import { until } from '../fixtures/dashboard-page.ts';
import { sampleUpdate, TINY_SPEC } from '../fixtures/sample-update.ts';

const BOARDS = 1000;
const ROUNDS = 30;
const NAMES = Array.from({ length: BOARDS }, (_, i) => `board-${String(i).padStart(4, '0')}`);
/** In the middle of the names: found only because the worst come first. */
const STUCK = 'board-0617';
/** Events come as fast as a busy fleet's, a thousand in two seconds. */
const BURST = { events: 25, everyMs: 50 };
/** Frames of 400 px each: faster than a person can look. */
const SCROLLS = 150;
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

test('1000 boards: at once on the page, up to date, and without stutter', {
  skip: noBrowser,
  timeout: 120_000,
}, async (t) => {
  const { url, watch } = await shownFleet(t);
  const folder = mkdtempSync(join(tmpdir(), 'qqr-dashboard-large-'));
  const context = await launchBrowser(folder);
  t.after(async () => {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const page = await context.newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(error.message));
  await page.addInitScript(`
    globalThis.longTasks = [];
    new PerformanceObserver((list) => longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
    new MutationObserver(() => { if (!globalThis.firstRowMs && document.querySelector('.virtual .row')) globalThis.firstRowMs = performance.now(); }).observe(document, { childList: true, subtree: true });
  `);
  await page.goto(url);
  await until(page, 'globalThis.firstRowMs > 0');
  const firstRowMs = Number(await page.evaluate('globalThis.firstRowMs'));
  await pause(500);
  const loading = await longTasks(page);
  assert.match(`${await page.locator('.incidents').textContent()}`, new RegExp(`${STUCK}: gyroscope stuck for`));
  assert.equal(await page.locator('.virtual .row a').first().textContent(), STUCK);
  assert.ok((await page.locator('.virtual .row').count()) < 60, 'only rows near the window exist');

  const cpu = process.cpuUsage();
  watch.opened({ round: ROUNDS, kind: 'training', modelVersion: ROUNDS, asked: NAMES }, []);
  for (let at = 0; at < BOARDS; at += BURST.events) {
    for (const device of NAMES.slice(at, at + BURST.events)) watch.counted(updateOf(device), 3000);
    await pause(BURST.everyMs);
  }
  await until(page, `document.querySelector('.figures').textContent.includes('${BOARDS} of ${BOARDS} answered')`);
  const { user, system } = process.cpuUsage(cpu);
  const updating = await longTasks(page);
  const latency = await latencies(page, watch);
  await longTasks(page);
  const busy = await processorOf(page);
  await page.evaluate(
    `new Promise((done) => { let at = 0; const step = () => { scrollBy(0, 400); if (++at < ${SCROLLS}) requestAnimationFrame(step); else done(); }; step(); })`,
  );
  const frameMs = ((await busy()) * 1000) / SCROLLS;
  const scrolling = await longTasks(page);
  assert.match(`${await page.locator('.virtual .row').last().getAttribute('aria-rowindex')}`, /^100\d$/);

  t.diagnostic(
    `first rows ${firstRowMs.toFixed(0)} ms after the address was opened; long tasks until then ${told(loading)}`,
  );
  t.diagnostic(
    `1000 updates in 2 s: long tasks ${told(updating)}, ${((user + system) / 1000).toFixed(0)} ms of processor at the server and this test`,
  );
  t.diagnostic(
    `from an update to the page: median ${latency.toFixed(0)} ms; scrolling over 1000 boards: ${frameMs.toFixed(1)} ms of processor a frame, long tasks ${told(scrolling)}`,
  );
  assert.ok(firstRowMs < 5000, `${firstRowMs}`);
  assert.ok(latency < 500, `${latency}`);
  assert.ok(Math.max(0, ...updating) < 500, told(updating));
  assert.ok(frameMs < 50, `${frameMs}`);
  assert.deepEqual(problems, []);
});

/** Seconds of processor time that the page's thread takes from now on, whatever else the machine does. */
async function processorOf(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const read = async () => {
    const { metrics } = await session.send('Performance.getMetrics');
    return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
  };
  const before = await read();
  return async () => (await read()) - before;
}

async function longTasks(page: Page): Promise<number[]> {
  return (await page.evaluate('longTasks.splice(0)')) as number[];
}

function told(tasks: readonly number[]): string {
  return tasks.length === 0 ? 'none' : `${tasks.length}, longest ${Math.max(...tasks).toFixed(0)} ms`;
}

/** Median milliseconds from a board's state to its row. */
async function latencies(page: Page, watch: ReturnType<typeof createFleetWatch>): Promise<number> {
  const found: number[] = [];
  for (let i = 0; i < 7; i++) {
    const state = i % 2 === 0 ? 'offline' : 'online';
    const word = state === 'offline' ? '1 offline' : 'boards';
    const shown = page.evaluate(
      `new Promise((done) => { const look = () => document.querySelectorAll('.figures dd')[1].textContent === '${word}' ? done(Date.now()) : requestAnimationFrame(look); look(); })`,
    );
    await pause(50);
    const begin = Date.now();
    watch.heard({ device: 'board-0003', state, modalities: ['acc', 'gyr'] }, false);
    found.push(Number(await shown) - begin);
  }
  return found.sort((a, b) => a - b)[3] as number;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function updateOf(device: string) {
  const update = sampleUpdate({ spec: TINY_SPEC });
  const modalities = update.modalities.map((report, m) => {
    const isStuck = device === STUCK && m === 1;
    return { ...report, meanQuality: isStuck ? 0.06 : 0.94, why: isStuck ? ('held' as const) : null };
  });
  return { ...update, device, round: ROUNDS, modalities };
}

function reportOf(device: string, round: number): BoardReport {
  const modalities = TINY_SPEC.modalities.map((_, m) => {
    const isStuck = device === STUCK && m === 1 && round >= ROUNDS - 8;
    return { windowsPresent: 10, quality: isStuck ? 0.06 : 0.9371, why: isStuck ? ('held' as const) : null };
  });
  return {
    device,
    arrivedMs: 12.5,
    windows: 10,
    backlog: 3,
    online: { correct: 8, count: 10, lossSum: 3 },
    modalities,
  };
}

function recordOf(round: number): RoundRecord {
  return {
    ...{ round, kind: round === 0 ? 'statistics' : 'training', version: round, devices: NAMES, rejected: {} },
    ...{ durationMs: 1000, bytes: { prototypes: 100, model: 900, payload: 1000, fp32: 80_000 } },
    modalities: { acc: { meanQuality: 0.9, missingShare: 0 }, gyr: { meanQuality: 0.9, missingShare: 0 } },
    ...{ online: round === 0 ? null : { accuracy: 0.8, loss: 0.5, count: 10 }, evaluation: null },
  };
}

/** A store with all boards and rounds behind a real server; the test tells the watch what happens. */
async function shownFleet(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'qqr-shown-'));
  const path = join(folder, 'rounds.sqlite');
  const store = openSqliteStore(path, TINY_SPEC, 'normal');
  const global = { ...firstGlobal(TINY_SPEC, 1), version: ROUNDS };
  for (let round = 0; round < ROUNDS; round++) {
    store.open({ round, kind: 'training', modelVersion: round, asked: NAMES });
    for (const device of NAMES) store.accept({ round, device, seq: round }, Uint8Array.of(1, 2, 3));
    const boards = NAMES.map((device) => ({ device, ended: false, norm: null, wasClipped: false }));
    const reports = NAMES.map((device) => reportOf(device, round));
    store.close({ record: recordOf(round), global, boards, reports, closedAtMs: Date.now() });
  }
  const watch = createFleetWatch(systemClock, store.lastRecord());
  watch.link(true);
  for (const device of NAMES) watch.heard({ device, state: 'online', modalities: ['acc', 'gyr'] }, false);
  const history = openHistory(path);
  const settings = { host: '127.0.0.1', port: 0, token: null, needsTokenToRead: false, hosts: null };
  const unable = () => assert.fail('nobody asked for that');
  const operator = { closeRound: unable, pause: unable, resume: unable, isPaused: () => false, forget: unable };
  const window = {
    ...{ fleet: 'thousand', spec: TINY_SPEC, settings: qqr.settings, deadlineMs: 0, view: watch, operator, history },
    ...{ hasHoldout: false, global: () => global, predictions: () => null },
    traffic: () => ({ sentBytes: 0, receivedBytes: 0 }),
    brokerCounts: () => null,
    certificateEnds: async () => ({}),
    probeStore: () => store.probe(),
  };
  const { resolve } = createRequire(import.meta.url);
  const staticFiles = await createStaticFiles([
    { at: '/', path: join(ROOT, 'dist/server/dashboard') },
    { at: '/', path: join(ROOT, 'server/dashboard') },
    { at: '/vendor/uplot.js', path: resolve('uplot/dist/uPlot.iife.min.js') },
    { at: '/vendor/uplot.css', path: resolve('uplot/dist/uPlot.min.css') },
  ]);
  const app = createApp({ window, settings, staticFiles, clock: systemClock, log: silentLog });
  const server = createHttpServer(app, settings, { clock: systemClock, log: silentLog });
  await server.start(new AbortController().signal);
  t.after(async () => {
    await server.stop();
    history.dispose();
    store.dispose();
    rmSync(folder, { recursive: true });
  });
  return { url: server.url(), watch };
}
