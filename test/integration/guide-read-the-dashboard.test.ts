/**
 * docs/guides/read-the-dashboard.md as it is written: every shell block of it, with `npm run demo --` as this checkout's program on a port
 * that is free. The incidents that the page promises are those that the dashboard then tells, word for word; Ctrl-C ends each demo.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { dataDirectory } from '../../scripts/data/data-directory.ts';
import { HISTORY } from '../../server/dashboard/apply-event.ts';
import { troublesOf } from '../../server/dashboard/trouble.ts';
import type { BoardLine } from '../../server/http/board-list.ts';
import { type GuideShell, guideBlocks, openGuideShell } from '../fixtures/guide.ts';
import { getJson } from '../fixtures/http-fleet.ts';
import { projectFile } from '../fixtures/sample-file.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

const QQR = fileURLToPath(new URL('../../scripts/qqr.js', import.meta.url));
const isFetched = existsSync(join(dataDirectory(), 'watch', 'dataset.json'));

/** Half a minute on an idle machine. */
const WITHIN_S = 180;

/** What npm would start, whichever port is free; its process and what it says are kept in files, since it runs until it is interrupted. */
const NPM = `#!/bin/sh
[ "$1 $2 $3" = "run demo --" ] || { echo "npm $*: not of this guide" >&2; exit 127; }
shift 3
case "$*" in
  *--http*) set -- $(echo "$@" | sed 's/:8080/:0/') ;;
  *) set -- "$@" --http 127.0.0.1:0 ;;
esac
echo $$ > pid
exec '${process.execPath}' '${QQR}' demo "$@" > said
`;

interface RunningDemo {
  /** Of its API. */
  readonly url: string;
  said(): Promise<string>;
  /** Interrupts it and waits for its end; rejects when that is not as of a program that was asked to end. */
  end(): Promise<void>;
}

async function startDemo(t: TestContext, shell: GuideShell, folder: string, block: string): Promise<RunningDemo> {
  for (const file of ['pid', 'said']) await rm(join(folder, file), { force: true });
  const read = (file: string) => readFile(join(folder, file), 'utf8').catch(() => '');
  const running = shell.run(block);
  let failure: unknown = null;
  let isOver = false;
  const over = running.then(
    () => {
      isOver = true;
    },
    (error: unknown) => {
      isOver = true;
      failure = error;
    },
  );
  const pid = await eventually('a process', async () => {
    if (isOver) throw failure ?? new Error('it has ended by itself');
    return Number(await read('pid')) || undefined; // 0 would be this test and whatever started it
  });
  const interrupt = async () => {
    if (!isOver) process.kill(pid, 'SIGINT');
    await over;
  };
  t.after(interrupt);
  const address = await eventually('an address', async () => {
    if (isOver) throw failure ?? new Error(`it has ended by itself: ${await read('said')}`);
    return /Dashboard: (http:\S+)/.exec(await read('said'))?.[1];
  });
  return {
    url: address.replace('0.0.0.0', '127.0.0.1'),
    said: () => read('said'),
    async end() {
      await interrupt();
      if (failure !== null) throw failure;
    },
  };
}

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  for (const end = Date.now() + WITHIN_S * 1000; Date.now() < end; ) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`not within ${WITHIN_S} s: ${what}`);
}

const boardsOf = async ({ url }: RunningDemo) =>
  (await getJson<{ devices: BoardLine[] }>(`${url}/api/v1/devices?history=${HISTORY}`)).devices;

/** What the strip says of sensors, without how long. That a board was not counted comes and goes with its recording's labels. */
async function incidentsOf(demo: RunningDemo): Promise<string[]> {
  const troubles = (await boardsOf(demo)).flatMap((board) => troublesOf(board, HISTORY, board.lastRound, Date.now()));
  return troubles
    .filter(({ severity }) => severity === 3)
    .map(({ device, text }) => `${device}: ${text.replace(/ for .*/, '')}`);
}

test('the guide works as written, and its three incidents are what the dashboard tells', {
  skip: isFetched ? false : 'not fetched: qqr data fetch watch',
  timeout: 600_000,
}, async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'bin'));
  await writeFile(join(folder, 'bin', 'npm'), NPM, { mode: 0o755 });
  const shell = await openGuideShell(folder);
  const blocks = guideBlocks('read-the-dashboard');
  assert.deepEqual(
    blocks.map(({ language }) => language),
    ['sh', 'sh', 'sh'],
  );
  const [usual = '', sooner = '', phone = ''] = blocks.map(({ text }) => text);

  const first = await startDemo(t, shell, folder, usual);
  assert.match(await first.said(), /8 boards play their recordings, 5 seconds in one/);
  await eventually('eight boards', async () => ((await boardsOf(first)).length === 8 ? true : undefined));
  assert.deepEqual(await incidentsOf(first), []);
  assert.match(await (await fetch(first.url)).text(), /<html/);
  await first.end();

  const page = projectFile('docs/guides/read-the-dashboard.md');
  const promised = [...page.matchAll(/^\| \d:\d\d \| `(\S+: \w+ \w+) for /gm)].map(([, incident]) => `${incident}`);
  assert.equal(promised.length, 3);
  const demo = await startDemo(t, shell, folder, sooner);
  const told = new Set<string>();
  await eventually(`${promised}`, async () => {
    for (const incident of await incidentsOf(demo)) told.add(incident);
    return promised.every((incident) => told.has(incident)) ? true : undefined; // real recordings may have others
  });
  const comesBack = promised.find((incident) => incident.endsWith('missing')) as string;
  await eventually('the cable is back', async () => ((await incidentsOf(demo)).includes(comesBack) ? undefined : true));
  for (const incident of promised) {
    const [device = ''] = incident.split(':');
    assert.match(await demo.said(), new RegExp(`^0:\\d\\d {2}${device}: `, 'm'), 'the terminal told it, too');
  }
  await demo.end();

  const open = await startDemo(t, shell, folder, phone);
  assert.match(await open.said(), /Dashboard: http:\/\/0\.0\.0\.0:/);
  const { status } = await fetch(`${open.url}/api/v1/rounds/pause`, { method: 'POST' });
  assert.equal(status, 403, 'who reads may change nothing');
  assert.equal((await fetch(`${open.url}/api/v1/devices`)).status, 200, 'read without a token');
  await open.end();
});
