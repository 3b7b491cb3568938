/**
 * docs/guides/install-a-board.md as it is written, from a simulated sensor to uninstalling. A folder stands for the board's /
 * (`board-in-a-folder.ts` says what is real there and what is not), and the aggregator's address is replaced by a free port. What the page
 * shows as output is held to what was printed.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parse } from 'smol-toml';
import { parseAgentConfig } from '../../agent/config.ts';
import { simulatedHardware } from '../../agent/hardware.ts';
import { probe, probedText } from '../../agent/ops/probe.ts';
import { configuredChips } from '../../agent/sensors/board-chips.ts';
import { parseCalibrations } from '../../agent/sensors/calibration-file.ts';
import { systemClock } from '../../core/base/clock.ts';
import { type BoardFolder, createBoardFolder, NOT_RUN } from '../fixtures/board-in-a-folder.ts';
import {
  type GuideBlock,
  type GuideShell,
  type GuideTerminal,
  guideBlocks,
  openGuideShell,
} from '../fixtures/guide.ts';
import { accepts, freePort } from '../fixtures/tcp-port.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

/** What `qqr agent probe` says of a Pi's bus with the page's sensor on it. */
async function probedMpu6050(): Promise<string> {
  const ending = new AbortController();
  const { sensors } = parseAgentConfig({ device: 'pi-1', sensors: [{ chip: 'mpu6050' }] }, 'probed');
  const { openBus } = await simulatedHardware(configuredChips(sensors), null, ending.signal);
  const bus = await openBus(1);
  const found = await probe(bus).finally(() => bus.close());
  ending.abort(new Error('probed'));
  return probedText({ bus: 1, name: 'bcm2835 (i2c@7e804000)', speedHz: 400_000, found });
}

interface Stage {
  readonly folder: string;
  readonly shell: GuideShell;
  readonly board: BoardFolder;
  readonly port: number;
  aggregator: GuideTerminal | null;
}

async function openStage(t: TestContext): Promise<Stage> {
  const folder = await temporaryFolder(t);
  const shell = await openGuideShell(folder);
  const board = createBoardFolder(folder, await probedMpu6050());
  const stage: Stage = { folder, shell, board, port: await freePort(), aggregator: null };
  t.after(async () => {
    await endService(board);
    await stage.aggregator?.stop();
  });
  return stage;
}

/** As `systemctl stop`. */
async function endService(board: BoardFolder): Promise<void> {
  const pid = board.pid();
  if (pid === null || !isAlive(pid)) return;
  process.kill(pid, 'SIGTERM');
  await eventually('the service has ended', () => !isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function eventually(what: string, isSo: () => boolean, withinMs = 90_000): Promise<void> {
  for (const endMs = systemClock.nowMs() + withinMs; !isSo(); await systemClock.sleep(100))
    if (systemClock.nowMs() > endMs) assert.fail(`not within ${withinMs} ms: ${what}`);
}

const STAYS = /^npx qqr server run /;

async function runBlock(stage: Stage, text: string): Promise<string> {
  const { shell, board, port } = stage;
  const block = board.moved(text).replaceAll(/(?:hub\.local|0\.0\.0\.0):1883/g, `127.0.0.1:${port}`);
  if (!STAYS.test(block)) return shell.run(block);
  stage.aggregator = shell.start(`${block.trim()} --http off 2>> server.log`);
  await accepts(port);
  return '';
}

/** Lines of a log that the page shows: message and fields are the journal's, values may be others. */
function isLogged(journal: string, shown: string): void {
  const logged = journal.split('\n').filter((line) => line.startsWith('{'));
  const form = (line: string) => JSON.stringify(Object.keys(JSON.parse(line)).concat(JSON.parse(line).msg));
  const forms = new Set(logged.map(form));
  for (const line of shown.trim().split('\n')) assert.ok(forms.has(form(line)), `${line}\nis not in\n${journal}`);
}

const filesBelow = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));

test('the guide works as written, from a simulated sensor to a board that learns and is taken away', {
  timeout: 240_000,
}, async (t) => {
  const stage = await openStage(t);
  const { folder, board } = stage;
  const blocks = guideBlocks('install-a-board');
  let at = 0;
  const next = (language: string): GuideBlock => {
    const block = blocks[at++];
    assert.equal(block?.language, language, `block ${at} of the page`);
    return block as GuideBlock;
  };
  const run = () => runBlock(stage, next('sh').text);
  const chapter = async (name: string, work: () => Promise<void>) => {
    const startMs = systemClock.nowMs();
    await work(); // the next one needs what this one leaves
    t.diagnostic(`${name}: ${((systemClock.nowMs() - startMs) / 1000).toFixed(1)} s`);
  };

  await chapter('without a board', async () => {
    const said = await run();
    assert.match(said, /^try\.toml: ok$/m);
    for (const name of ['acc', 'gyr'])
      assert.match(said, new RegExp(`^ +${name} .* (?:50|50\\.\\d+|49\\.\\d+) Hz \\(nominal 50\\) +no gap$`, 'm'));
    assert.match(said, /labels: WALKING/);
  });

  await chapter('install', async () => {
    await run();
    assert.match(
      await readFile(join(board.root, 'boot/firmware/config.txt'), 'utf8'),
      /^dtparam=i2c_arm_baudrate=400000$/m,
    );
    assert.match(await run(), /done: qqr-agent\.service/);
    const [line, ...shown] = next('console').text.split('\n');
    assert.equal(await stage.shell.run((line as string).replace(/^\$ /, '')), shown.join('\n'));
  });

  await chapter('settings', async () => {
    await run();
    const file = join(board.root, 'etc/qqr/agent.toml');
    const text = await readFile(file, 'utf8');
    const { sensors } = parseAgentConfig(parse(text), 'guide');
    assert.match(await probedMpu6050(), new RegExp(`chip = "${sensors[0]?.chip}"\nbus = ${sensors[0]?.bus}\n`));
    await writeFile(file, `stateDir = "${board.root}/var/lib/qqr-agent"\n${text}`); // the default would be this machine's
    await run();
    const said = await run();
    assert.match(said, /agent\.toml: ok\n/);
    assert.ok(said.includes(next('text').text), said);
    assert.doesNotMatch(said, /FAIL/);
  });

  await chapter('calibrate', async () => {
    assert.match(await run(), /^mpu6050@1:0x68: \{.*"gyr":\{"bias".*"acc":\{"bias"/m);
    const kept = await readFile(join(board.root, 'var/lib/qqr-agent/calibration.json'), 'utf8');
    const { scale } = parseCalibrations(kept, 'guide')['mpu6050@1:0x68']?.modalities['acc'] ?? {};
    assert.ok(
      scale?.every((value) => Math.abs(value - 1) < 0.01),
      `${scale}`,
    );
  });

  await chapter('start', async () => {
    assert.equal(await run(), next('text').text);
    await eventually('the link is up', () => board.journal().includes('link up'));
    await eventually('a learner', () => board.journal().includes('learner started'));
    isLogged(await run(), next('json').text);
  });

  await chapter('teach', async () => {
    assert.equal(await run(), 'WALKING\n');
    await eventually('an update of a training round counted', () =>
      /"round":1,.*"msg":"update counted"/.test(board.journal()),
    );
    isLogged(board.journal(), next('json').text);
    assert.equal(await run(), '(no label)\n(no label)\n');
  });

  await chapter('what is kept', async () => {
    const said = await run();
    for (const name of ['acc', 'gyr'])
      assert.match(said, new RegExp(`^ +${name} .* \\d{3,} samples .* Hz \\(nominal 50\\)`, 'm'));
    assert.match(said, /labels: .*WALKING (?:1[2-9]|[2-9]\d)/, 'ten windows of 2.56 s, each half of the one before');
  });

  await chapter('update, uninstall', async () => {
    await endService(board);
    const settings = await readFile(join(board.root, 'etc/qqr/agent.toml'), 'utf8');
    assert.match(await run(), /settings kept/);
    assert.equal(await readFile(join(board.root, 'etc/qqr/agent.toml'), 'utf8'), settings);
    const [keep, purge] = next('sh').text.trim().split('\n');
    await runBlock(stage, keep as string);
    assert.ok(existsSync(join(board.root, 'var/lib/qqr-agent/agent.sqlite')));
    assert.ok(!existsSync(join(board.root, 'opt/qqr-edge')));
    await runBlock(stage, purge as string);
    assert.deepEqual(filesBelow(board.root), ['/boot/firmware/config.txt']);
  });
  assert.equal(at, blocks.length, 'every block of the page was used');
  assert.deepEqual(board.notRun().sort(), Object.keys(NOT_RUN).sort());
  assert.ok(existsSync(join(folder, 'kept.csv.gz')));
});
