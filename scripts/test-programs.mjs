/**
 * The programs that some tests drive for real: Mosquitto, OpenSSL, a Chromium browser, Prometheus' checker, and what guides use. Installed through
 * apt-get where that needs no password; elsewhere the tests that want them are skipped with a reason.
 * Invariant: no service is started, now or at the next boot (Debian's packages would do both).
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { join } from 'node:path';

const TEST_PROGRAMS = [
  { name: 'mosquitto', tests: 'the tests against Mosquitto' },
  { name: 'openssl', tests: 'the test of certificates against OpenSSL' },
  { name: 'chromium', tests: "the report's browser tests" },
  { name: 'promtool', from: 'prometheus', tests: 'the checks of metrics and alerts' },
  ...['curl', 'jq', 'sqlite3'].map((name) => ({ name, tests: "the guides' commands" })),
];
/** For what a board's processor runs: an arm64 Node.js under emulation, and the add-ons compiled for it. */
const ARM64_PROGRAMS = [
  { name: 'qemu-aarch64', from: 'qemu-user', tests: 'arm64 by emulation' },
  { name: 'aarch64-linux-gnu-g++', from: 'g++-aarch64-linux-gnu', tests: 'arm64 by emulation' },
];
const PROGRAMS = { test: TEST_PROGRAMS, hardware: [...TEST_PROGRAMS, ...ARM64_PROGRAMS] };
const EXTRA_FOLDERS = ['/usr/sbin', '/usr/local/sbin']; // not on every user's PATH

/** Forbids service starts during the install, as Debian policy provides for, and leaves no trace of that. */
const INSTALL = `
set -e
export DEBIAN_FRONTEND=noninteractive
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
install() { apt-get install --yes --quiet --no-install-recommends "$@"; }
install "$@" || { apt-get update --quiet; install "$@"; }
for service in mosquitto prometheus; do
  case " $* " in
    *" $service "*) if command -v systemctl >/dev/null; then systemctl disable --quiet "$service" || true; fi ;;
  esac
done
`;

function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function isInstalled(name, path = process.env.PATH ?? '') {
  return [...path.split(':'), ...EXTRA_FOLDERS].some((folder) => folder !== '' && isExecutable(join(folder, name)));
}

/** Prefix of a command that may install packages without asking for a password, or null. */
function privilege() {
  if (!existsSync('/usr/bin/apt-get')) return null;
  if (process.getuid?.() === 0) return [];
  return spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0 ? ['sudo', '-n'] : null;
}

/** Installs what a purpose (test, hardware) lacks if that needs no password; returns the programs that are missing still. */
export function ensurePrograms(say, purpose) {
  const wanted = PROGRAMS[purpose];
  const missing = wanted.filter((program) => !isInstalled(program.name));
  if (missing.length === 0) say('programs', `${wanted.map((program) => program.name).join(', ')} found`);
  const prefix = privilege();
  if (missing.length === 0 || prefix === null) return missing;
  const names = missing.map((program) => program.from ?? program.name); // packages
  say('programs', `apt-get install ${names.join(' ')} …`);
  const [command, ...args] = [...prefix, 'sh', '-c', INSTALL, 'sh', ...names];
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) console.error(`${stdout}${stderr}`.trimEnd().split('\n').slice(-15).join('\n'));
  return missing.filter((program) => !isInstalled(program.name));
}
