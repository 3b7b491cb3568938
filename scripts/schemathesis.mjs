/**
 * Schemathesis, which makes requests from an OpenAPI description and judges the answers: the outside judge of the HTTP API in a test.
 * It is a Python program; pip puts it and all that it needs, in the versions of schemathesis-versions.txt, into a folder of the user's
 * cache, so that nothing else on the machine is touched.
 * Invariant: the folder is whole or not there; another list of versions or another Python is another folder.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSIONS = fileURLToPath(new URL('./schemathesis-versions.txt', import.meta.url));

/** How to start it: `command` with `args` before its own, and `env` beside the process's. */
export function schemathesisProgram(folder = schemathesisFolder()) {
  return { command: 'python3', args: [join(folder, 'bin', 'schemathesis')], env: { PYTHONPATH: folder } };
}

/** Where it is, or would be. */
export function schemathesisFolder() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'qqr-edge');
  const python = spawnSync('python3', ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'], {
    encoding: 'utf8',
  });
  const versions = createHash('sha256').update(readFileSync(VERSIONS)).digest('hex').slice(0, 12);
  return join(cache, `schemathesis-${versions}-python${python.stdout?.trim() || 'none'}`);
}

export function hasSchemathesis(folder = schemathesisFolder()) {
  return existsSync(join(folder, 'bin', 'schemathesis'));
}

/** Installs it where it is not; returns why that failed, or null. */
export function ensureSchemathesis(say, folder = schemathesisFolder()) {
  if (hasSchemathesis(folder)) {
    say('schemathesis', 'found');
    return null;
  }
  say('schemathesis', 'pip install, into the cache folder …');
  mkdirSync(join(folder, '..'), { recursive: true });
  const fresh = mkdtempSync(`${folder}.`);
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-warn-script-location'];
  const { status, stderr, error } = spawnSync(
    'python3',
    [...pip, '--only-binary', ':all:', '--target', fresh, '--constraint', VERSIONS, 'schemathesis'],
    { encoding: 'utf8' },
  );
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    return error?.message ?? stderr.trimEnd().split('\n').slice(-5).join('\n');
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
  say('schemathesis', 'installed');
  return null;
}
