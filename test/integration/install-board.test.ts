/** Installing into a folder: what stands where, that a second run changes nothing, and that nothing is left afterwards. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'smol-toml';
import { parseAgentConfig } from '../../agent/config.ts';
import { parseServerConfig } from '../../server/config.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SCRIPT = join(ROOT, 'scripts/install-board.sh');

describe('install-board.sh', () => {
  let root: string;
  let modules: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), 'qqr-install-'));
    const packed = join(root, 'packed');
    mkdirSync(join(packed, 'node_modules/a-package'), { recursive: true });
    writeFileSync(join(packed, 'node_modules/a-package/index.js'), '');
    writeFileSync(join(packed, 'node_modules/a-package/index.js.map'), 'never read on a board');
    modules = join(root, 'modules.tar.gz');
    execFileSync('tar', ['-czf', modules, '-C', packed, 'node_modules']);
  });
  after(() => rmSync(root, { recursive: true }));

  const install = (board: string, ...args: string[]) =>
    spawnSync('bash', [SCRIPT, '--root', join(root, board), ...args], { encoding: 'utf8' });
  const read = (board: string, path: string) => readFileSync(join(root, board, path), 'utf8');
  const files = (board: string) =>
    readdirSync(join(root, board), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(root, board).length))
      .sort();

  it('puts program, unit, rules and settings in place, without what a board never reads', () => {
    const { status, stderr } = install('pi', '--node-modules', modules);
    assert.equal(status, 0, stderr);
    const unit = read('pi', 'etc/systemd/system/qqr-agent.service');
    assert.doesNotMatch(unit, /@[A-Z]+@/);
    assert.match(unit, /^ExecStart=\/\S*node \/opt\/qqr-edge\/dist\/scripts\/qqr\.js agent run /m);
    assert.match(unit, /^ExecReload=\S*kill -HUP \$MAINPID$/m);
    assert.match(unit, /^RestartPreventExitStatus=.*\b78\b/m);
    const settings = parseAgentConfig(parse(read('pi', 'etc/qqr/agent.toml')), 'installed');
    assert.match(settings.device, /^[A-Za-z0-9._-]+$/);
    assert.equal(statSync(join(root, 'pi/etc/qqr/agent.toml')).mode & 0o007, 0, 'a password may stand in it');
    const all = files('pi');
    assert.ok(all.includes('/opt/qqr-edge/dist/scripts/qqr.js'));
    assert.ok(all.includes('/opt/qqr-edge/node_modules/a-package/index.js'));
    assert.deepEqual(
      all.filter((path) => path.endsWith('.map') || path.includes('/dist/test/')),
      [],
    );
  });

  it('run again, keeps settings and packages, and comes to the same files', () => {
    writeFileSync(join(root, 'pi/etc/qqr/agent.toml'), 'device = "my-own-name"\n');
    const before = files('pi');
    const { status, stdout } = install('pi');
    assert.equal(status, 0);
    assert.match(stdout, /packages unchanged/);
    assert.deepEqual(files('pi'), before);
    assert.equal(read('pi', 'etc/qqr/agent.toml'), 'device = "my-own-name"\n');
  });

  it('uninstalled, keeps settings and data; purged, leaves nothing behind', () => {
    mkdirSync(join(root, 'pi/var/lib/qqr-agent'), { recursive: true });
    writeFileSync(join(root, 'pi/var/lib/qqr-agent/agent.sqlite'), 'data');
    assert.equal(install('pi', '--uninstall').status, 0);
    assert.deepEqual(files('pi'), ['/etc/qqr/agent.toml', '/var/lib/qqr-agent/agent.sqlite']);
    assert.equal(install('pi', '--uninstall', '--purge').status, 0);
    assert.deepEqual(files('pi'), []);
  });

  it('agent and aggregator share a machine: taking one away leaves the other', () => {
    assert.equal(install('both', '--node-modules', modules).status, 0);
    assert.equal(install('both', '--server').status, 0);
    parseServerConfig(parse(read('both', 'etc/qqr/server.toml')), 'installed');
    assert.equal(install('both', '--uninstall', '--purge').status, 0);
    assert.ok(existsSync(join(root, 'both/opt/qqr-edge/dist/scripts/qqr.js')));
    assert.ok(existsSync(join(root, 'both/etc/systemd/system/qqr-server.service')));
    assert.equal(install('both', '--server', '--uninstall', '--purge').status, 0);
    assert.deepEqual(files('both'), []);
  });

  it('says what it would do and does nothing', () => {
    const { status, stdout } = install('dry', '--dry-run');
    assert.equal(status, 0);
    assert.match(stdout, /would +npm (ci|prune) --omit=dev/);
    assert.ok(!existsSync(join(root, 'dry')));
  });

  it('names what is wrong', () => {
    assert.equal(install('x', '--unknown').status, 64);
    assert.equal(install('x', '--prefix').status, 64);
    const { status, stderr } = install('x', '--node-modules', '/no/such/file');
    assert.equal(status, 69);
    assert.match(stderr, /no such file/);
  });
});

describe('the units', () => {
  for (const [unit, most] of [
    ['qqr-agent', 3.0],
    ['qqr-server', 3.0],
  ] as const) {
    const systemd = spawnSync('systemd-analyze', ['--version']).status === 0;
    it(`${unit} is exposed at most ${most.toFixed(1)}`, {
      skip: systemd ? false : 'systemd-analyze is not installed',
    }, () => {
      const folder = mkdtempSync(join(tmpdir(), 'qqr-unit-'));
      const path = join(folder, `${unit}.service`);
      const text = readFileSync(join(ROOT, `systemd/${unit}.service`), 'utf8');
      writeFileSync(path, text.replaceAll('@NODE@', process.execPath).replaceAll('@PREFIX@', '/opt/qqr-edge'));
      const args = ['security', '--offline=true', `--threshold=${10 * most}`, path];
      const { status, stdout } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
      rmSync(folder, { recursive: true });
      assert.match(stdout, /Overall exposure level/);
      assert.equal(status, 0, stdout);
    });
  }
});
