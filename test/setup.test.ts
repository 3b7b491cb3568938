/** The set-up and the test runner: what they say to a person, and that neither can pass by doing nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Setup {
  missingTools(runs: (command: string, args: string[]) => boolean): { need: string; install: string }[];
  dependenciesFit(root: string): boolean;
}
interface BuildOutputs {
  removeStaleOutputs(root: string): string[];
}
interface Schemathesis {
  ensureSchemathesis(say: (step: string, what: string) => void, folder: string): string | null;
  hasSchemathesis(folder: string): boolean;
}
interface TestPrograms {
  isInstalled(name: string, path: string): boolean;
}
const script = async <T>(name: string): Promise<T> => (await import(join(ROOT, 'scripts', name))) as T;

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'qqr-setup-test-'));
});
afterEach(() => rm(root, { recursive: true }));

async function write(path: string, text = ''): Promise<string> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
  return join(root, path);
}

describe('setup', () => {
  it('puts the judge of the HTTP API into a folder whole or not at all', async () => {
    const { ensureSchemathesis, hasSchemathesis } = await script<Schemathesis>('schemathesis.mjs');
    const said: string[] = [];
    const say = (_: string, what: string) => void said.push(what);
    const folder = join(root, 'cache', 'judge');
    /** A Python whose pip does this with the folder that it is given. */
    const withPip = async (does: string) => {
      const fake = await write('bin/python3', `#!/bin/sh\nwhile [ "$1" != --target ]; do shift; done\n${does}\n`);
      await chmod(fake, 0o755);
      const before = process.env['PATH'];
      process.env['PATH'] = `${join(root, 'bin')}:${before}`;
      try {
        return ensureSchemathesis(say, folder);
      } finally {
        process.env['PATH'] = before;
      }
    };
    const half = 'mkdir "$2/bin"; touch "$2/bin/schemathesis"; echo "no network" >&2; exit 1';
    assert.equal(await withPip(half), 'no network');
    assert.equal(hasSchemathesis(folder), false);
    assert.deepEqual(readdirSync(join(root, 'cache')), [], 'nothing is left of it');
    assert.equal(await withPip('mkdir "$2/bin"; touch "$2/bin/schemathesis"'), null);
    assert.ok(hasSchemathesis(folder));
    assert.equal(await withPip('exit 1'), null, 'pip is not asked again');
    assert.equal(said.at(-1), 'found');
  });

  it('names each missing tool with the Debian package that brings it', async () => {
    const { missingTools } = await script<Setup>('setup.mjs');
    assert.deepEqual(
      missingTools(() => true),
      [],
    );
    const installs = missingTools(() => false).map(({ install }) => install);
    assert.deepEqual(installs, ['python3 python3-pip', 'g++', 'make']);
    const withoutPip = missingTools((command, args) => command !== 'python3' || !args.includes('pip'));
    assert.deepEqual(withoutPip, [{ need: 'pip', install: 'python3-pip' }]);
    assert.deepEqual(
      missingTools((command) => command !== 'g++' && command !== 'c++'),
      [],
    );
  });

  it('finds dependencies outdated when one version differs or one is missing, but not for want of an optional one', async () => {
    const { dependenciesFit } = await script<Setup>('setup.mjs');
    const wanted = {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/i2c': { version: '2.0.0', optional: true },
    };
    await write('package-lock.json', JSON.stringify({ packages: wanted }));
    assert.equal(dependenciesFit(root), false);
    const install = (packages: object) => write('node_modules/.package-lock.json', JSON.stringify({ packages }));
    await install({ 'node_modules/a': { version: '1.0.0' } });
    assert.equal(dependenciesFit(root), true);
    await install({ 'node_modules/a': { version: '1.0.1' } });
    assert.equal(dependenciesFit(root), false);
    await install({ 'node_modules/i2c': { version: '2.0.0' } });
    assert.equal(dependenciesFit(root), false);
  });

  it('removes compiled files whose source is gone, and only those', async () => {
    const { removeStaleOutputs } = await script<BuildOutputs>('build-outputs.mjs');
    await write('test/unit/kept.test.ts');
    for (const name of ['kept.test.js', 'kept.test.js.map', 'gone.test.js', 'gone.test.js.map']) {
      await write(`dist/test/unit/${name}`);
    }
    await write('dist/.tsbuildinfo');
    assert.deepEqual(removeStaleOutputs(root), ['dist/test/unit/gone.test.js', 'dist/test/unit/gone.test.js.map']);
    assert.ok(existsSync(join(root, 'dist/test/unit/kept.test.js')));
    assert.ok(existsSync(join(root, 'dist/.tsbuildinfo')));
  });

  it('takes a program for installed only when it can be executed', async () => {
    const { isInstalled } = await script<TestPrograms>('test-programs.mjs');
    const program = await write('bin/qqr-no-such-program');
    assert.equal(isInstalled('qqr-no-such-program', join(root, 'bin')), false);
    await chmod(program, 0o755);
    assert.equal(isInstalled('qqr-no-such-program', join(root, 'bin')), true);
  });

  it('refuses an unknown purpose with the usage', () => {
    const { status, stderr } = spawnSync(process.execPath, [join(ROOT, 'scripts/setup.mjs'), '--for', 'fun'], {
      encoding: 'utf8',
    });
    assert.equal(status, 64);
    assert.match(stderr, /--for demo\|test\|hardware\|run/);
  });
});

describe('test runner', () => {
  const IMPORT = "import { describe, it, test } from 'node:test';\n";

  /** Runs a copy of the runner over the planted tests of a temporary project. */
  function runTests(
    args: string[] = [],
    requireServices = '',
  ): { status: number | null; output: string; last: string } {
    const { NODE_TEST_CONTEXT: _inherited, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, 'scripts/run-tests.mjs'), ...args], {
      encoding: 'utf8',
      env: { ...env, QQR_REQUIRE_SERVICES: requireServices },
    });
    return { status, output: stdout + stderr, last: stdout.trimEnd().split('\n').at(-1) ?? '' };
  }

  beforeEach(async () => {
    await write('package.json', '{"type":"module"}');
    await mkdir(join(root, 'scripts'));
    await cp(join(ROOT, 'scripts/run-tests.mjs'), join(root, 'scripts/run-tests.mjs'));
  });

  it('fails when no test ran', () => {
    assert.deepEqual([runTests().status, runTests().last], [1, '0 passed, 0 failed, 0 skipped']);
  });

  it('counts tests, not suites, and shows a failure with its error', async () => {
    await write(
      'dist/test/unit/a.test.js',
      `${IMPORT}describe('s', () => { it('good', () => {}); it('bad', () => { throw new Error('boom'); }); });`,
    );
    const { status, output, last } = runTests();
    assert.deepEqual([status, last], [1, '1 passed, 1 failed, 0 skipped']);
    assert.match(output, /test\/unit\/a\.test\.ts › s › bad\n {4}Error: boom/);
  });

  it('fails for a file that throws while it loads and for one that holds no test', async () => {
    await write('dist/test/unit/a.test.js', `${IMPORT}test('good', () => {});`);
    await write('dist/test/unit/b.test.js', "throw new Error('while loading');");
    await write('dist/test/unit/c.test.js', 'export const nothing = 0;');
    const { status, output, last } = runTests();
    assert.deepEqual([status, last], [1, '1 passed, 2 failed, 0 skipped']);
    assert.match(output, /while loading/);
    assert.match(output, /c\.test\.ts: the file holds no test/);
  });

  it('lets a skip pass, but with QQR_REQUIRE_SERVICES=1 only for want of the shared data', async () => {
    const skip = (reason: string) => `${IMPORT}test('one', () => {}); test('two', { skip: '${reason}' }, () => {});`;
    await write('dist/test/faults/a.test.js', skip('mosquitto not installed'));
    assert.equal(runTests().status, 0);
    assert.equal(runTests([], '1').status, 1);
    assert.match(runTests([], '1').output, /two: mosquitto not installed/);
    await write('dist/test/faults/a.test.js', skip('no shared data'));
    assert.equal(runTests([], '1').status, 0);
  });

  it('counts a suite that is skipped as a whole', async () => {
    await write(
      'dist/test/unit/a.test.js',
      `${IMPORT}describe('s', { skip: 'why' }, () => { it('never', () => {}); });`,
    );
    assert.equal(runTests().last, '0 passed, 0 failed, 1 skipped');
  });

  it('runs only the tiers and the tests that were asked for', async () => {
    await write('dist/test/unit/a.test.js', `${IMPORT}test('apple', () => {}); test('pear', () => {});`);
    await write('dist/test/golden/b.test.js', `${IMPORT}test('apple', () => {});`);
    assert.equal(runTests().last, '3 passed, 0 failed, 0 skipped');
    assert.equal(runTests(['golden']).last, '1 passed, 0 failed, 0 skipped');
    assert.equal(runTests(['unit', '--only', 'pea']).last, '1 passed, 0 failed, 0 skipped');
    assert.equal(runTests(['--only', 'plum']).status, 1);
    assert.equal(runTests(['fruit']).status, 64);
  });
});
