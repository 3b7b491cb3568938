/** In the guest, whose first process is systemd: the agent as a board runs it, from installing to removing. See `service-run.ts`. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { listI2cBuses } from '../../../agent/hw/i2c-linux.ts';
import { openHost } from './host.ts';
import { INTERRUPT_LINE, SERVICE_CHIP } from './wiring.ts';

const UNIT = 'qqr-agent.service';
const SETTINGS = '/etc/qqr/agent.toml';
const INSTALLER = 'scripts/install-board.sh';
/** The unit has 30 and 20 s; with these the test ends sooner. */
const WATCHDOG_S = 8;
const ABORT_S = 4;
const packages = process.argv[2] ?? '';

const host = openHost();
after(() => host.close());

/** @throws with all that the program said */
function run(command: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  assert.equal(status, 0, `${command} ${args.join(' ')}: status ${status}\n${stdout}${stderr}${journal(20)}`);
  return stdout;
}

const show = (name: string) => execFileSync('systemctl', ['show', '-P', name, UNIT], { encoding: 'utf8' }).trim();
const journal = (lines = 200) =>
  spawnSync('journalctl', ['-u', UNIT, '-o', 'cat', '--no-pager', '-n', String(lines)], { encoding: 'utf8' }).stdout;

/** @throws when there is none: signalling process 0 would hit this program */
function mainPid(): number {
  const pid = Number(show('MainPID'));
  assert.ok(pid > 0, `the service does not run: ${show('StatusText')}\n${journal(20)}`);
  return pid;
}

async function until(what: string, isSo: () => boolean, seconds: number): Promise<void> {
  const endMs = Date.now() + seconds * 1000;
  while (!isSo()) {
    if (Date.now() > endMs) {
      const state = run('systemctl', 'show', '-p', 'ActiveState,SubState,MainPID,NRestarts,StatusText,Result', UNIT);
      assert.fail(`not within ${seconds} s: ${what}\n${state}${journal(20)}`);
    }
    await sleep(200);
  }
}

/** Prints how long it took, seconds. */
async function timed(what: string, work: () => Promise<void> | void): Promise<void> {
  const startMs = performance.now();
  await work();
  console.log(`${what}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`);
}

const isRunningAsNot = (pid: number) => show('ActiveState') === 'active' && ![0, pid].includes(Number(show('MainPID')));

/** Stream time of the newest row of samples in the database, microseconds. */
function storedUntilUs(): number {
  const db = new Sqlite('/var/lib/qqr-agent/agent.sqlite', { readonly: true });
  try {
    return db.prepare<[], number | null>('SELECT max(id) / 16 FROM chunks').pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

async function storesMore(): Promise<void> {
  const fromUs = storedUntilUs();
  await until('more samples in the database', () => storedUntilUs() > fromUs, 15);
}

const WRITTEN = '/mnt/written';
/** The kernel's, systemd's and this test's own. */
const NOT_THE_INSTALLERS = /^\/(mnt|run|tmp|root|var\/(log|cache|tmp|lib\/systemd))(\/|$)/;
/** Tools that make accounts keep the last version, and a lock. */
const BACKUPS = /^\/etc\/((passwd|group|shadow|gshadow|subuid|subgid)-|\.pwd\.lock)$/;

/** What has been written since the guest was booted: path and what is there. */
function written(): Map<string, string> {
  const found = new Map<string, string>();
  const look = (path: string) => {
    for (const name of readdirSync(WRITTEN + path)) {
      const inner = join(path, name);
      if (NOT_THE_INSTALLERS.test(inner) || BACKUPS.test(inner)) continue;
      const file = WRITTEN + inner;
      const stat = lstatSync(file);
      if (stat.isDirectory()) look(inner);
      found.set(inner, contentOf(file, stat));
    }
  };
  look('/');
  return found;
}

function contentOf(file: string, stat: ReturnType<typeof lstatSync> & object): string {
  if (stat.isDirectory()) return 'folder';
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(file)}`;
  if (!stat.isFile()) return 'removed'; // the layer's mark for it
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** Rewritten when an account is made or removed, so compared by lines. */
const ACCOUNT_FILES = ['passwd', 'group', 'shadow', 'gshadow', 'subuid', 'subgid'].map((name) => `/etc/${name}`);
const accounts = () =>
  ACCOUNT_FILES.filter((file) => existsSync(file)).flatMap((file) => readFileSync(file, 'utf8').trim().split('\n'));

describe('the agent as a service', () => {
  const accountsBefore = accounts();
  let writtenBefore: Map<string, string>;
  before(async () => {
    writtenBefore = written();
    const [bus] = await listI2cBuses();
    assert.ok(bus !== undefined, 'the guest has no I2C bus');
    mkdirSync(`/run/systemd/system/${UNIT}.d`, { recursive: true });
    writeFileSync(
      `/run/systemd/system/${UNIT}.d/test.conf`,
      `[Service]\nWatchdogSec=${WATCHDOG_S}s\nTimeoutAbortSec=${ABORT_S}s\n`,
    );
    console.log(`first check ${readFileSync('/proc/uptime', 'utf8').split(' ')[0]} s after the kernel's start`);
    await timed('install', () => {
      const said = run('bash', INSTALLER, '--node-modules', packages);
      assert.match(said, /not started: no sensor/);
    });
    assert.equal(show('ActiveState'), 'inactive');
    assert.equal(show('UnitFileState'), 'enabled');
    const { chip, address } = SERVICE_CHIP;
    const sensor = `[[sensors]]\nchip = "${chip}"\nbus = ${bus.number}\naddress = ${address}\n`;
    appendFileSync(SETTINGS, `\n${sensor}dataReadyLine = ${INTERRUPT_LINE}\n`);
  });

  test('is ready when it samples, as an account without rights', async () => {
    await timed('start to ready', () => void run('systemctl', 'start', UNIT));
    // A guest this slow may come to its first reading after the FIFO has run over: then that is told first.
    const isHealthy = () => /^samples acc 50(\.\d)? Hz, gyr 50(\.\d)? Hz$/.test(show('StatusText'));
    await until('a status without a fault', isHealthy, 60);
    const status = readFileSync(`/proc/${mainPid()}/status`, 'utf8');
    const uid = run('id', '-u', 'qqr').trim();
    assert.match(status, new RegExp(`^Uid:\\t${uid}\\t${uid}\\t${uid}\\t${uid}$`, 'm'));
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.match(status, /^Seccomp:\t2$/m);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      assert.match(status, new RegExp(`^${set}:\\t0{16}$`, 'm'));
    }
    const folder = lstatSync('/var/lib/qqr-agent');
    assert.deepEqual([String(folder.uid), (folder.mode & 0o777).toString(8)], [uid, '750']);
    await storesMore();
  });

  test('is started again when it is killed, and goes on', async () => {
    const pid = mainPid();
    const storedUs = storedUntilUs();
    await timed('kill to active', async () => {
      process.kill(pid, 'SIGKILL');
      await until('running again', () => isRunningAsNot(pid), 120);
    });
    assert.equal(show('NRestarts'), '1');
    await until('later samples in the database', () => storedUntilUs() > storedUs, 15);
  });

  test('an unplugged sensor is told and is no reason to start again', async () => {
    const pid = mainPid();
    host.call('unplug', SERVICE_CHIP.address);
    await sleep(1.75 * WATCHDOG_S * 1000);
    assert.equal(mainPid(), pid);
    assert.match(show('StatusText'), /; mpu6050.*: /);
    host.call('plugIn', SERVICE_CHIP.address);
    await timed('plugged in to stored samples', storesMore);
    await until('no fault is told', () => /Hz$/.test(show('StatusText')), 30);
    assert.equal(show('NRestarts'), '1');
  });

  test('is started again when it stands still', async () => {
    const pid = mainPid();
    await timed('stall to active', async () => {
      process.kill(pid, 'SIGSTOP');
      await until('running again', () => isRunningAsNot(pid), 120);
    });
    assert.equal(show('NRestarts'), '2');
    assert.match(journal(), /Watchdog timeout/);
    await storesMore();
  });

  test('stops when it is told to', async () => {
    mainPid(); // there is something to stop
    await timed('stop', () => void run('systemctl', 'stop', UNIT));
    assert.deepEqual([show('ActiveState'), show('Result')], ['inactive', 'success']);
  });

  test('a wrong setting is no reason to try again, and the journal says which', async () => {
    const right = readFileSync(SETTINGS, 'utf8');
    writeFileSync(SETTINGS, right.replace('chip = "mpu6050"\nbus', 'chip = "mpu6050"\nrateHz = 0\nbus'));
    assert.notEqual(spawnSync('systemctl', ['start', UNIT]).status, 0);
    await sleep(4000); // twice RestartSec
    assert.deepEqual([show('ActiveState'), show('ExecMainStatus'), show('NRestarts')], ['failed', '78', '0']);
    const said = journal(10);
    assert.ok(said.includes(SETTINGS) && said.includes('sensors.0.rateHz'), said);
    writeFileSync(SETTINGS, right);
    await timed('start after the correction', () => void run('systemctl', 'start', UNIT));
    await storesMore();
  });

  test('uninstalled and purged it leaves nothing', async () => {
    await timed('uninstall', () => void run('bash', INSTALLER, '--uninstall', '--purge'));
    assert.equal(show('LoadState'), 'not-found');
    const left = [...written()].filter(
      ([path, content]) => writtenBefore.get(path) !== content && content !== 'folder',
    );
    assert.deepEqual(
      left.map(([path]) => path).filter((path) => !ACCOUNT_FILES.includes(path)),
      [],
    );
    const newAccounts = accounts().filter((line) => !accountsBefore.includes(line));
    assert.deepEqual(
      newAccounts.map((line) => line.split(':')[0]).filter((name) => name !== 'i2c' && name !== 'gpio'),
      [],
    );
  });
});
