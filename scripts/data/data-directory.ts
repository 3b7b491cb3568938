/** Where fetched data sets are kept: `QQR_DATA_DIR`, else a folder in the user's cache. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export function dataDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return env['QQR_DATA_DIR'] || join(env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'qqr-edge', 'data');
}
