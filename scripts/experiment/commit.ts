/** Which sources this program was built from, as git tells; null where there is no git or no repository. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Twelve hexadecimal digits, with `+` behind them when files differ from that commit. */
export async function sourceCommit(): Promise<string | null> {
  const commit = await git('rev-parse', '--short=12', 'HEAD');
  if (commit === null) return null;
  const changes = await git('status', '--porcelain', '--untracked-files=no');
  return changes === '' ? commit : `${commit}+`;
}

function git(...args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile('git', [...args], { cwd: ROOT }, (error, stdout) => resolve(error === null ? stdout.trim() : null));
  });
}
