/**
 * The dashboard in a real browser before a real fleet: boards that replay recordings and learn, an aggregator with held-out recordings,
 * and two sensors that fail by script. What fails is found from the page alone, every view moves while one looks at it, and then, with
 * rounds paused, every view says what the server says. Screenshots are kept in QQR_SCREENSHOTS when that is set.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BrowserContext, Page } from 'playwright-core';
import { createRng } from '../../core/math/rng.ts';
import type { DataSet, Recording } from '../../core/trace/recording.ts';
import { type LiveFleet, startLiveFleet } from '../../scripts/live/live-fleet.ts';
import { REPLAY_DEFAULTS } from '../../scripts/replay/options.ts';
import { bytesText, durationText, percentText } from '../../server/dashboard/figure-text.ts';
import { distance } from '../../server/dashboard/principal-axes.ts';
import type { BoardLine } from '../../server/http/board-list.ts';
import { keepScreenshot, launchBrowser, noBrowser, type Opened, openPage } from '../fixtures/browser-page.ts';
import { goTo, seriousFindings, settled, until } from '../fixtures/dashboard-page.ts';
import { BEARER, getJson, TOKEN } from '../fixtures/http-fleet.ts';
import { syntheticMotion } from '../fixtures/synthetic-motion.ts';

const SPEED = 25;
/** Nobody is sure of all that they do: their recordings are noisy. */
const HELD_OUT = ['di', 'eve'];
const STUCK = 'board-bo';
const LAME = 'board-cy';
const WELL = 'board-ada';
const VIEWS = ['', `boards/${STUCK}`, 'rounds', 'rounds/2', 'curves', 'prototypes', 'bytes', 'live'];

interface Line {
  readonly round: number;
  readonly boards: number;
  readonly durationMs: number;
  readonly bytes: { readonly payload: number; readonly fp32: number };
  readonly online: { readonly accuracy: number } | null;
  readonly clean: number | null;
}

interface Update {
  readonly device: string;
  readonly round: number;
  readonly bytes: number;
  readonly report: { readonly arrivedMs: number; readonly windows: number };
}

interface Series {
  readonly rounds: number[];
  readonly columns: Record<string, (number | null)[]>;
}

interface Prototypes {
  readonly version: number;
  readonly modalities: string[];
  readonly classes: string[];
  readonly prototypes: { readonly modality: string; readonly class: string; readonly values: number[] }[];
}

interface Predictions {
  readonly version: number;
  readonly windows: number;
  readonly accuracy: number;
  readonly unsure: number;
  readonly confusion: number[][];
  readonly examples: { window: number; label: string; predicted: string | null; confidence: number }[];
}

interface State {
  readonly activity: string | null;
  readonly confidence: number;
  readonly quality: Record<string, number | null>;
}

describe('the dashboard before boards that replay recordings', { skip: noBrowser, timeout: 300_000 }, () => {
  let folder = '';
  let context: BrowserContext;
  let fleet: LiveFleet;
  let opened: Opened;
  let page: Page;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'qqr-dashboard-'));
    const recordings = withNoise(
      syntheticMotion({
        subjects: ['ada', 'bo', 'cy', ...HELD_OUT],
        classes: ['rest', 'sway', 'walk', 'jog', 'run'],
        ...{ secondsPerClass: 40, sampleRateHz: 25, seed: 1 },
      }),
    );
    const split = { kind: 'named', testSubjects: HELD_OUT } as const;
    const starting = startLiveFleet(recordings, {
      replay: { ...REPLAY_DEFAULTS, title: 'replayed', strategy: 'qqr', split },
      ...{ seed: 1, speed: SPEED, http: { listen: '127.0.0.1:0', token: TOKEN }, onRound: () => undefined },
      scenes: [
        { atS: 4, untilS: null, board: 1, modality: 'gyr', trouble: 'stuck' },
        { atS: 4, untilS: null, board: 2, modality: 'acc', trouble: 'gone' },
      ],
    });
    [fleet, context] = await Promise.all([starting, launchBrowser(folder)]);
    opened = await openPage(context, fleet.url);
    ({ page } = opened);
  });

  after(async () => {
    await context?.close();
    await fleet?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const ask = <T>(path: string) => getJson<T>(`${fleet.url}/api/v1/${path}`);
  const text = async (selector: string) => `${await page.locator(selector).first().textContent()}`;
  const cells = (rows: string) =>
    page.evaluate(
      `[...document.querySelectorAll('${rows}')].map((row) => [...row.cells].map((cell) => cell.textContent))`,
    ) as Promise<string[][]>;

  it('says on the open page which board, which sensor and why, as soon as sensors fail', async () => {
    await until(page, `document.querySelector('.strip h2')?.textContent === 'All boards are well'`, 30_000);
    const strip = `document.querySelector('.incidents').textContent`;
    await until(page, `${strip}.includes('${STUCK}: gyroscope stuck for ')`, 40_000);
    await until(page, `${strip}.includes('${LAME}: accelerometer missing for ')`, 40_000);
    assert.equal(await text('.strip h2'), '2 boards of 3 in trouble');
    const bottom = await page.locator('.strip').boundingBox();
    assert.ok(bottom !== null && bottom.y + bottom.height < 400, 'without scrolling');
    const worst = await page.locator('.virtual .row a').allTextContents();
    assert.deepEqual([...worst].sort(), [WELL, STUCK, LAME]);
    assert.equal(worst[2], WELL, 'the worst first');
    await page.locator('.incidents a', { hasText: STUCK }).click();
    await until(page, `document.querySelector('h1').textContent === '${STUCK}'`);
    await settled(page);
    assert.match(await text('.card.bad'), /^gyroscope.*stuck, \d+ rounds$/);
    assert.equal(await page.locator('.card.good h2').textContent(), 'accelerometer');
    const loads = opened.requests.filter((request) => new URL(request).pathname === '/');
    assert.equal(loads.length, 1, 'the page was loaded once');
  });

  it('moves in every view while one looks at it', async () => {
    const newest: Record<string, string> = {
      '': `document.querySelector('.figures').textContent.match(/Round(\\d+)/)[1]`,
      [`boards/${STUCK}`]: `document.querySelector('tbody td').textContent`,
      'rounds': `document.querySelector('h2 ~ .scroll tbody td').textContent`,
      'curves': `document.querySelector('[role=slider]').getAttribute('aria-valuemax')`,
      'prototypes': `document.querySelector('.lead').textContent.match(/Model (\\d+)/)[1]`,
      'bytes': `document.querySelector('.lead').textContent.match(/in (\\d+) rounds/)[1]`,
      'live': `document.querySelector('.held-out p').textContent.match(/Model (\\d+)/)[1]`,
    };
    for (const [view, expression] of Object.entries(newest)) {
      await goTo(page, view);
      const first = Number(await page.evaluate(expression));
      assert.ok(first > 0, `${view}: ${first}`);
      await until(page, `Number(${expression}) > ${first}`, 20_000);
    }
    assert.deepEqual(opened.problems, []);
  });

  it('stands still while rounds are paused, and says so', async () => {
    const post = { method: 'POST', headers: BEARER };
    assert.equal((await fetch(`${fleet.url}/api/v1/rounds/pause`, post)).status, 200);
    await goTo(page, 'rounds');
    await until(page, `document.querySelector('.open-round h2').textContent.endsWith('has closed; rounds are paused')`);
    assert.equal(await ask('rounds/current'), null);
    const { lastRound } = await ask<{ lastRound: number }>('fleet');
    assert.equal(await text('.open-round h2'), `Round ${lastRound} has closed; rounds are paused`);
    await goTo(page, '');
    await until(page, `document.querySelector('.figures').textContent.includes('Round${lastRound}paused')`);
  });

  it('shows in the overview and on the boards’ pages what the server says of each', async () => {
    const { devices } = await ask<{ devices: BoardLine[] }>('devices?history=30');
    const { totals } = await ask<{ totals: { payloadBytes: number; fp32Bytes: number } }>('fleet');
    const figures = await text('.figures');
    const saved = (totals.fp32Bytes / totals.payloadBytes).toFixed(1);
    assert.ok(figures.startsWith('Online3 of 3'), figures);
    assert.ok(figures.includes(`Sent${bytesText(totals.payloadBytes)}${saved} times less`), figures);
    for (const { device, lastRound, modalities, accuracy, backlog, bytes } of devices) {
      const row = page.locator('.virtual .row', { hasText: device });
      const [round, sensors] = [await row.locator('.round').textContent(), row.locator('.quality .value')];
      assert.match(`${round}`, new RegExp(`^round ${lastRound}`));
      const shown = modalities.map(({ quality }) => percentText(quality));
      assert.deepEqual(await sensors.allTextContents(), shown);
      assert.equal(await row.locator('.accuracy').textContent(), percentText(accuracy));
      assert.equal(await row.locator('.backlog').textContent(), `${backlog}`);
      assert.equal(await row.locator('.bytes-sent').textContent(), bytesText(bytes));
    }
    const roundsOf = (device: string, m: number) =>
      devices.find((one) => one.device === device)?.modalities[m]?.badRounds ?? 0;
    const incidents = await page.locator('.incidents li').allTextContents();
    const wanted = [
      `✕${STUCK}: gyroscope stuck for ${roundsOf(STUCK, 1)} rounds`,
      `✕${LAME}: accelerometer missing for ${roundsOf(LAME, 0)} rounds`,
    ];
    assert.deepEqual(incidents.sort(), wanted.sort());
    for (const { device, lastRound, modalities } of devices) {
      await goTo(page, `boards/${device}`);
      assert.match(await text('.lead'), new RegExp(`last counted in round ${lastRound}; rounds are paused`));
      const { updates } = await ask<{ updates: Update[] }>(`devices/${device}?limit=100`);
      assert.deepEqual(
        await page.locator('.card .value').allTextContents(),
        modalities.map(({ quality }) => percentText(quality)),
      );
      const rows = await cells('tbody tr');
      const said = rows.map(([round, , , arrived, windows, , , bytes]) => [round, arrived, windows, bytes]);
      assert.deepEqual(said, updates.map(factsOf));
    }
  });

  it('lists the rounds, and tells one of them, as the server does', async () => {
    await goTo(page, 'rounds');
    const { rounds } = await ask<{ rounds: Line[] }>('rounds?limit=50');
    const listed = (await cells('h2 ~ .scroll tbody tr')).map(([round, , ...rest]) => [round, ...rest]);
    const wanted = rounds.map(({ round, boards, durationMs, online, clean, bytes }) => [
      ...[`${round}`, `${boards}`, '0', durationText(durationMs), percentText(online?.accuracy, 1)],
      ...[percentText(clean, 1), bytesText(bytes.payload)],
    ]);
    assert.ok(wanted.length > 5);
    assert.deepEqual(listed, wanted);
    await goTo(page, 'rounds/2');
    const round = await ask<Line & { updates: Update[] }>('rounds/2');
    const lead = `3 boards counted in ${durationText(round.durationMs)} · ${bytesText(round.bytes.payload)} instead of`;
    assert.ok((await text('.lead')).startsWith(lead), await text('.lead'));
    const byArrival = [...round.updates].sort((a, b) => a.report.arrivedMs - b.report.arrivedMs);
    const rows = (await cells('tbody tr')).map(([device, arrived, , , windows, , bytes]) => [
      ...[device, arrived, windows, bytes],
    ]);
    assert.deepEqual(
      rows,
      byArrival.map((update) => [update.device, ...factsOf(update).slice(1)]),
    );
  });

  it('draws the curves of the server, those on held-out windows and regret among them', async () => {
    await goTo(page, 'curves');
    const { rounds, columns } = await ask<Series>('series');
    const last = (name: string) => columns[name]?.findLast((value) => value !== null) ?? Number.NaN;
    const shares = (kind: string) => ['acc', 'gyr'].map((name) => percentText(last(`${kind}/${name}`), 1));
    const [legends, canvases] = (await page.evaluate(`[
      Object.fromEntries([...document.querySelectorAll('.plot:not([hidden])')].map((plot) => [plot.querySelector('h2').textContent, [...plot.querySelectorAll('output')].map((one) => one.textContent)])),
      document.querySelectorAll('.plot:not([hidden]) canvas').length,
    ]`)) as [Record<string, string[]>, number];
    assert.equal(canvases, 6);
    assert.deepEqual(legends['Accuracy on held-out windows'], [
      ...[percentText(last('clean'), 1), ...shares('degraded'), ...shares('missing')],
    ]);
    assert.ok(last('clean') > 0.5, `the fleet learns: ${last('clean')}`);
    assert.equal(legends['Accuracy on the stream']?.[0], percentText(last('onlineAccuracy'), 1));
    assert.deepEqual(legends['Loss on the stream'], [last('onlineLoss').toFixed(2)]);
    assert.ok(last('regret') > 0);
    assert.deepEqual(legends['Regret'], [last('regret').toFixed(1)]);
    assert.deepEqual(legends['Duration of rounds'], [durationText(last('durationMs'))]);
    const slider = page.getByRole('slider').first();
    assert.equal(await slider.getAttribute('aria-valuemax'), `${rounds.at(-1)}`);
    await slider.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    const before = percentText(columns['clean']?.at(-2), 1);
    assert.match(
      `${await slider.getAttribute('aria-valuetext')}`,
      new RegExp(`^round ${rounds.at(-2)}: all sensors ${before}, `),
    );
  });

  it('maps the server’s prototypes and their distances', async () => {
    await goTo(page, 'prototypes');
    const { version, modalities, classes, prototypes } = await ask<Prototypes>('prototypes');
    assert.match(await text('.lead'), new RegExp(`^Model ${version}: `));
    assert.equal(await page.locator('svg.map').count(), modalities.length);
    assert.equal(await page.locator('svg.map circle').count(), prototypes.length);
    const of = (modality: string, name: string) =>
      prototypes.find((one) => one.modality === modality && one.class === name)?.values ?? [];
    const apart = (a: string, b: string) =>
      classes.map((row) => classes.map((column) => distance(of(a, row), of(b, column)).toFixed(2)));
    const shown = async () => (await cells('.matrix tbody tr')).map((row) => row.slice(1));
    assert.deepEqual(await shown(), apart('acc', 'gyr'));
    await page.selectOption('#pair', 'gyr|gyr');
    assert.deepEqual(await shown(), apart('gyr', 'gyr'));
  });

  it('adds up the bytes as the server does', async () => {
    await goTo(page, 'bytes');
    const { totals } = await ask<{ totals: { rounds: number; payloadBytes: number; fp32Bytes: number } }>('fleet');
    const { devices } = await ask<{ devices: BoardLine[] }>('devices');
    const { columns } = await ask<Series>('series');
    const lead = `Boards have sent ${bytesText(totals.payloadBytes)} in ${totals.rounds} rounds.`;
    assert.ok((await text('.lead')).startsWith(lead), await text('.lead'));
    const parts = ['payloadBytes', 'modelBytes', 'prototypeBytes'].map((name) => bytesText(columns[name]?.at(-1) ?? 0));
    assert.deepEqual(await page.locator('.plot').first().locator('output').allTextContents(), parts);
    const most = [...devices].sort((a, b) => b.bytes - a.bytes).map(({ device, bytes }) => device + bytesText(bytes));
    const listed = await page.locator('.most li').allTextContents();
    assert.deepEqual(
      listed.map((line, i) => line.slice(0, most[i]?.length)),
      most,
    );
  });

  it('shows live what each board takes itself to be doing, and what the model says of held-out windows', async () => {
    await goTo(page, 'live');
    const said = await ask<Predictions>('predictions?limit=200');
    const words = `Model ${said.version} is right in ${percentText(said.accuracy, 1)} of ${said.windows} held-out windows`;
    assert.ok((await text('.held-out p')).startsWith(words), await text('.held-out p'));
    const table = (await cells('.held-out .heat tbody tr')).map((row) => row.slice(1).map(Number));
    assert.deepEqual(table, said.confusion);
    assert.equal(table.flat().reduce((sum, count) => sum + count, 0) + said.unsure, said.windows);
    const wrong = said.examples.filter(({ label, predicted }) => label !== predicted);
    const right = said.examples.filter(({ label, predicted, confidence }) => label === predicted && confidence < 0.8);
    assert.ok(wrong.length > 0 && said.accuracy < 1, 'there is something to tell');
    const worst = [
      ...wrong.sort((a, b) => b.confidence - a.confidence),
      ...right.sort((a, b) => a.confidence - b.confidence),
    ];
    const lines = worst
      .slice(0, 12)
      .map(({ window, label, predicted, confidence }) => [
        ...[`${window}`, label, predicted ?? 'does not know', percentText(confidence)],
      ]);
    assert.deepEqual(await cells('.held-out table:not(.heat) tbody tr'), lines);
    // Boards speak every two seconds: what is read anew agrees unless one spoke in between.
    for (let attempt = 0; ; attempt++) {
      await page.reload();
      await settled(page);
      const { states } = await ask<{ states: Record<string, State> }>('states');
      const cards = (await page.locator('.cards.live .card').allTextContents()).map(
        (card) => card.split(' · model')[0],
      );
      const wanted = Object.entries(states).map(([device, { activity, confidence, quality }]) => {
        const part = (name: string, word: string) =>
          `${word} ${quality[name] === null ? 'missing' : percentText(quality[name])}`;
        const sensors = `${part('acc', 'accelerometer')} · ${part('gyr', 'gyroscope')}`;
        return `${device}${activity ?? 'does not know'}${percentText(activity === null ? null : confidence)}${sensors}`;
      });
      const isAlike = wanted.length === 3 && wanted.every((begin, i) => cards[i]?.startsWith(begin));
      if (!isAlike && attempt < 8) continue;
      assert.ok(isAlike, `${cards.join('\n')}\n${wanted.join('\n')}`);
      break;
    }
  });

  it('has no serious finding of axe in any view, light and dark', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      const look = await openPage(context, fleet.url, scheme);
      for (const view of VIEWS) {
        await goTo(look.page, view);
        assert.deepEqual(await seriousFindings(look.page), [], `${view} ${scheme}`);
        await keepScreenshot(look.page, `replay-${view.replace('/', '-') || 'fleet'}-${scheme}`);
      }
      for (const request of look.requests) assert.equal(new URL(request).origin, fleet.url);
      assert.deepEqual(look.problems, []);
      await look.page.close();
    }
  });

  it('fits a phone in every view, with the incidents on the first screen', async () => {
    const phone = await openPage(context, fleet.url, 'light', 390);
    await settled(phone.page);
    const incident = await phone.page.locator('.incidents li').last().boundingBox();
    assert.ok(incident !== null && incident.y + incident.height < 400, `${incident?.y}`);
    const tabs = await phone.page
      .locator('nav a')
      .evaluateAll((links) => links.map((link) => link.getBoundingClientRect().right));
    assert.ok(tabs.length === 6 && Math.max(...tabs) <= 390, `every view is offered: ${tabs}`);
    for (const view of VIEWS) {
      await goTo(phone.page, view);
      assert.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), 390, view);
      await keepScreenshot(phone.page, `replay-${view.replace('/', '-') || 'fleet'}-phone`);
    }
    assert.deepEqual(phone.problems, []);
    await phone.page.close();
  });

  it('goes on where it stood when rounds are resumed', async () => {
    await goTo(page, '');
    const { lastRound } = await ask<{ lastRound: number }>('fleet');
    await fetch(`${fleet.url}/api/v1/rounds/resume`, { method: 'POST', headers: BEARER });
    await until(page, `document.querySelector('.figures').textContent.includes('Round${lastRound + 2}')`, 20_000);
  });
});

function withNoise(dataSet: DataSet): DataSet {
  const rng = createRng('noise');
  const noisy = (recording: Recording): Recording => ({
    ...recording,
    modalities: recording.modalities.map((modality) => {
      const std = modality.name === 'acc' ? 5 : 1.7;
      return { ...modality, values: modality.values.map((value) => value + std * rng.normal()) };
    }),
  });
  const { recordings } = dataSet;
  return { ...dataSet, recordings: recordings.map((one) => (HELD_OUT.includes(one.subject) ? noisy(one) : one)) };
}

function factsOf({ round, bytes, report }: Update): string[] {
  return [`${round}`, durationText(report.arrivedMs), `${report.windows}`, bytesText(bytes)];
}
