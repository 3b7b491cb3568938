/**
 * docs/guides/run-a-fleet.md as it is written, with a real Mosquitto: every shell block in order. The page's two ports are replaced by free
 * ones, two recordings are made up; nothing else of the laptop's part is. Where the page goes on other machines, a folder stands for each:
 * `scp` copies into it, and `sudo` runs the command with /etc below it.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { parse } from 'smol-toml';
import { parseAgentConfig } from '../../agent/config.ts';
import { systemClock } from '../../core/base/clock.ts';
import { createRng } from '../../core/math/rng.ts';
import { type GuideShell, type GuideTerminal, guideBlocks, openGuideShell } from '../fixtures/guide.ts';
import { accepts, freePort } from '../fixtures/tcp-port.ts';
import { temporaryFolder } from '../fixtures/trace-folder.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const RECORDED_S = 600;
const RATE_HZ = 50;
const EXERCISES = ['PEN', 'ABD', 'FEL', 'IR', 'ER', 'TRAP', 'ROW'];

/** As the data set `watch` has them: ten minutes of one person, exercise after exercise. */
function recordingOf(person: string): Buffer {
  const rng = createRng(person);
  const rows = Array.from({ length: RECORDED_S * RATE_HZ }, (_, i) => {
    const tS = i / RATE_HZ;
    const exercise = Math.floor(tS / 15) % EXERCISES.length;
    const swing = (k: number) => (1 + exercise) * Math.sin(2 * Math.PI * 0.7 * tS + k + exercise) + 0.1 * rng.normal();
    const values = [swing(0), swing(1), 9.8 + swing(2), swing(3) / 4, swing(4) / 4, swing(5) / 4];
    return `${tS.toFixed(2)},${values.map((v) => v.toFixed(4)).join(',')},${EXERCISES[exercise]}`;
  });
  const head = `# subject: ${person}\n# rate_hz: acc=50 gyr=50\n`;
  const columns = 't_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,gyr_x_radps,gyr_y_radps,gyr_z_radps,label';
  return gzipSync(`${head}${columns}\n${rows.join('\n')}\n`, { level: 1 });
}

/** Resolves with what `look` returns when that is not null; what is waited for is in processes that cannot call back. */
async function eventually<T>(what: string, look: () => Promise<T | null>, withinMs = 60_000): Promise<T> {
  const endMs = systemClock.nowMs() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (systemClock.nowMs() > endMs) assert.fail(`not within ${withinMs} ms: ${what}`);
    await systemClock.sleep(100);
  }
}

/** The first of the page's programs that is not here, for `skip`. */
const MISSING = ['/usr/sbin/mosquitto', 'curl', 'jq', 'openssl', 'sqlite3']
  .filter((program) => spawnSync(program, ['--help']).error !== undefined)
  .map((program) => `${program} not installed`)[0];

/** For other machines: /etc is below the working folder, and accounts are left out. */
const STAND_INS = {
  scp: `#!/bin/bash
set -e
to=\${@: -1}; to=\${to%:}
mkdir -p "$to"
cp -p "\${@:1:$#-1}" "$to/"
`,
  sudo: `#!/bin/bash
set -e
args=()
while [ $# -gt 0 ]; do
  case $1 in
    -o | -g) shift ;; # accounts that need not be here
    /etc/*) mkdir -p "$(dirname "$PWD$1")"; args+=("$PWD$1") ;;
    *) args+=("$1") ;;
  esac
  shift
done
case \${args[0]} in
  install | mkdir | tee) "\${args[@]}" ;;
  systemctl) echo "\${args[*]}" >> systemctl.log ;;
  *) echo "sudo \${args[0]}: not of this guide" >&2; exit 127 ;;
esac
`,
};

interface Stage {
  readonly t: TestContext;
  readonly folder: string;
  readonly shell: GuideShell;
  readonly broker: number;
  readonly http: number;
  /** Of what runs until Ctrl-C, by its first line. */
  readonly terminals: Map<string, GuideTerminal>;
}

async function openStage(t: TestContext): Promise<Stage> {
  const folder = await temporaryFolder(t);
  await symlink(join(ROOT, 'broker-config'), join(folder, 'broker-config'));
  const watch = join(folder, '.cache/qqr-edge/data/watch');
  await mkdir(watch, { recursive: true });
  for (const person of ['1', '2']) await writeFile(join(watch, `${person}-1.csv.gz`), recordingOf(person));
  const shell = await openGuideShell(folder, { env: { HOME: folder } });
  for (const [name, text] of Object.entries(STAND_INS))
    await writeFile(join(folder, 'bin', name), text, { mode: 0o755 });
  const terminals = new Map<string, GuideTerminal>();
  t.after(() => Promise.all([...terminals.values()].map((terminal) => terminal.stop())));
  return { t, folder, shell, broker: await freePort(), http: await freePort(), terminals };
}

const withPorts = ({ broker, http }: Stage, text: string) =>
  text.replaceAll('8883', `${broker}`).replaceAll('8080', `${http}`);

/** The port as everywhere. Started by root, Mosquitto would become another user, who cannot read these files. */
async function adaptBroker(stage: Stage, config: string): Promise<void> {
  const text = withPorts(stage, await readFile(config, 'utf8'));
  await writeFile(config, process.getuid?.() === 0 ? `${text}user root\n` : text);
}

/** Runs until Ctrl-C; started again in its terminal, it was ended there first. */
const STAYS = /^(?:\/usr\/sbin\/mosquitto|npx qqr (?:server|agent) run) /;

async function runBlock(stage: Stage, text: string): Promise<string> {
  const block = withPorts(stage, text);
  if (!STAYS.test(block)) return stage.shell.run(block);
  await stage.terminals.get(block)?.stop();
  stage.terminals.set(block, stage.shell.start(block));
  return '';
}

async function state(stage: Stage, device: string): Promise<string | null> {
  const answer = await fetch(`http://127.0.0.1:${stage.http}/api/v1/devices`).catch(() => null);
  if (!answer?.ok) return null;
  const { devices } = (await answer.json()) as { devices: { device: string; state: string; lastRound: number }[] };
  const found = devices.find((each) => each.device === device);
  return found === undefined ? null : `${found.state} ${found.lastRound}`;
}

const textOf = (stage: Stage, file: string) => readFile(join(stage.folder, file), 'utf8');

test('the guide works as written, from an authority to machines of their own', {
  skip: MISSING ?? false,
  timeout: 180_000,
}, async (t) => {
  const stage = await openStage(t);
  const { folder, shell } = stage;
  const blocks = guideBlocks('run-a-fleet');
  const shellBlocks = blocks.filter(({ language }) => language === 'sh').map(({ text }) => text);
  assert.equal(shellBlocks.length, 24, 'every block has its place below');
  let at = 0;
  const chapter = async (name: string, work: () => Promise<void>) => {
    const startMs = systemClock.nowMs();
    await work(); // the next one needs what this one leaves
    t.diagnostic(`${name}: ${((systemClock.nowMs() - startMs) / 1000).toFixed(1)} s`);
  };
  const next = () => runBlock(stage, shellBlocks[at++] as string);

  await chapter('who is who', async () => {
    const said = await next();
    for (const name of ['ca', 'aggregator', 'pi-1', 'pi-2', 'server'])
      assert.match(said, new RegExp(`^${name} .* valid `, 'm'));
  });

  await chapter('broker, aggregator and boards', async () => {
    await next();
    await adaptBroker(stage, join(folder, 'broker/mosquitto.conf'));
    await next();
    await accepts(stage.broker);
    assert.match(await next(), /server\.toml: ok/);
    await next();
    assert.match(await next(), /pi-1\.toml: ok\npi-2\.toml: ok\n/);
    await next();
    await next();
    for (const device of ['pi-1', 'pi-2'])
      await eventually(`${device} counted in a round`, async () =>
        /^online [1-9]/.exec((await state(stage, device)) ?? '') ? true : null,
      );
  });

  await chapter('is it well', async () => {
    const said = await next();
    assert.match(said, /^\{"status":"ok"\}\npi-1\tonline\t\d+\npi-2\tonline\t\d+\n/);
    assert.match(said, /^pi-1 .*\n(?:.*\n)*pi-2 /m);
    assert.match(said, /"devices": \[\n +"pi-1",\n +"pi-2"\n/);
    const metrics = await next();
    assert.match(metrics, /^qqr_link_up 1$/m);
    assert.match(metrics, /^qqr_boards\{state="online"\} 2$/m);
    assert.match(metrics, /^qqr_certificate_expiry_timestamp_seconds\{certificate="client"\} \d+$/m);
  });

  await chapter('a lost board is refused, the other goes on', async () => {
    assert.match(await next(), /^pi-2 \w+ revoked/m);
    const before = Number((await state(stage, 'pi-1'))?.split(' ')[1]);
    const refused = async () =>
      (await textOf(stage, 'broker.log')).includes('certificate verify failed') ? true : null;
    assert.equal(await refused(), null);
    await next();
    await eventually('pi-2 refused', refused);
    const away = async () => ((await state(stage, 'pi-2'))?.startsWith('offline') ? true : null);
    await eventually('pi-2 away', away);
    // TLS 1.3 tells a client after its handshake: it may see the closed connection first, and then cannot know why
    const said = await eventually('pi-2 says so', async () => {
      const log = await textOf(stage, 'pi-2.log');
      return /"link-untrusted".*"msg":"link down"|without an answer/.test(log) ? true : null;
    }).then(() => shell.run(withPorts(stage, shellBlocks[at++] as string)));
    assert.match(said, /certificate verify failed/);
    assert.match(
      said,
      /refuses this program's certificate|closed the connection without an answer|no link to the broker/,
    );
    assert.match(said, /^pi-2\toffline\t/m);
    await eventually('pi-1 counted alone', async () =>
      Number((await state(stage, 'pi-1'))?.split(' ')[1]) > before + 1 ? true : null,
    );
    assert.equal(await next(), '{"forgotten":"pi-2"}');
    assert.equal(await state(stage, 'pi-2'), null);
  });

  await chapter('certificates are renewed', async () => {
    assert.equal(await next(), '', 'nobody today');
    const said = await next();
    assert.match(said, /^server\naggregator\npi-1\n/);
    assert.match(said, /^pi-1 .* 499 +valid/m);
    assert.match(said, /^pi-2 .* revoked /m);
    const metrics = await (await fetch(`http://127.0.0.1:${stage.http}/metrics`)).text();
    const endS = Number(/certificate="client"\} (\d+)/.exec(metrics)?.[1]);
    assert.ok(endS - systemClock.wallMs() / 1000 > 490 * 86_400, 'the running aggregator sees the new file');
  });

  await chapter('the backup of a running fleet opens', async () => {
    assert.match(await next(), /"round": \d+/);
    assert.ok(existsSync(join(folder, 'backup/ca.key')));
  });

  await chapter('the backup is restored, and the board follows it', async () => {
    const restored = Number((await state(stage, 'pi-1'))?.split(' ')[1]);
    await eventually('a round that the backup does not have', async () =>
      Number((await state(stage, 'pi-1'))?.split(' ')[1]) > restored ? true : null,
    );
    const run = withPorts(stage, shellBlocks.find((block) => block.startsWith('npx qqr server run')) as string);
    await stage.terminals.get(run)?.stop();
    const [, epoch, round] = /^epoch (\w{16}) begins with round (\d+)/m.exec(await next()) ?? [];
    assert.ok(Number(round) > 0);
    await next();
    await eventually('pi-1 counted in the new epoch', async () =>
      Number((await state(stage, 'pi-1'))?.split(' ')[1]) > Number(round) ? true : null,
    );
    assert.equal(await next(), `the aggregator has begun anew: so does this board\n${epoch}\n`);
  });

  await chapter('on machines of their own', async () => {
    await Promise.all([...stage.terminals.values()].map((terminal) => terminal.stop()));
    await next();
    const hub = join(folder, 'hub.local');
    await runOn(stage, hub, shellBlocks[at++] as string);
    assert.match(await textOf(stage, 'hub.local/systemctl.log'), /daemon-reload\nsystemctl restart mosquitto\n/);
    assert.equal((await stat(join(hub, 'etc/mosquitto/certs/server.key'))).mode & 0o777, 0o600);
    assert.ok(!existsSync(join(hub, 'server.key')));
    await installedBrokerServes(stage, hub);
    await next();
    const board = join(folder, 'pi-1.local');
    await runOn(stage, board, shellBlocks[at++] as string);
    const [toml] = blocks.filter(({ language }) => language === 'toml');
    const { link } = parseAgentConfig(parse(`device = "pi-1"\n${toml?.text}`), 'guide');
    for (const file of [link.ca, link.cert, link.key]) assert.ok(existsSync(join(board, file as string)), file);
    assert.equal((await stat(join(board, link.key as string))).mode & 0o777, 0o640);
    assert.ok(!existsSync(join(board, 'pi-1.key')));
  });
  assert.equal(at, shellBlocks.length, 'every block was run');
});

/** A block for another machine, in the folder that stands for it. */
async function runOn({ shell }: Stage, machine: string, block: string): Promise<string> {
  return shell.run(`cd '${machine}'\n${block}`);
}

/** Mosquitto with what was put below /etc serves a board with its certificate, and nobody without. */
async function installedBrokerServes(stage: Stage, hub: string): Promise<void> {
  const config = join(hub, 'etc/mosquitto/mosquitto.conf');
  const installed = await readFile(config, 'utf8');
  const moved = installed.replaceAll('/etc/mosquitto/', `${hub}/etc/mosquitto/`);
  await writeFile(config, moved.replaceAll('/var/lib/mosquitto/', `${hub}/`));
  await adaptBroker(stage, config);
  const broker = stage.shell.start(`/usr/sbin/mosquitto -c '${config}' 2>> hub.log`);
  stage.terminals.set('hub', broker);
  await accepts(stage.broker);
  const client = (own: string) =>
    `openssl s_client -connect localhost:${stage.broker} -CAfile certs/ca.crt -verify_return_error -tls1_2 ${own} < /dev/null`;
  assert.match(
    await stage.shell.run(`${client('-cert certs/pi-1.crt -key certs/pi-1.key')} 2>&1`),
    /Verify return code: 0/,
  );
  await assert.rejects(stage.shell.run(client('')), /alert/);
  await broker.stop();
}
