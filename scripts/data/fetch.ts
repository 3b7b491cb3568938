/**
 * Fetches the data sets that a package registry holds, so that a demo needs no account and no manual download.
 * The bytes are pinned: whatever the registry answers, only the file that was examined is read, and nothing in it is executed.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { archivedFiles } from '../../core/trace/archive.ts';
import { isComplete, writeDataSetFolder } from '../../core/trace/data-set-folder.ts';
import { readWatch } from '../../core/trace/watch.ts';

const WATCH_PACKAGE = 'seglearn==1.2.5';
const WATCH_WHEEL = 'seglearn-1.2.5-py3-none-any.whl';
const WATCH_SHA256 = 'ec6b952c85c9627050102854b372d85951563d3b990df677d7c55547e87413dd';
const WATCH_FILE = 'seglearn/data/watch_dataset.npy';

/** A slow line needs minutes for 11 MB; beyond this nothing is coming. */
const DOWNLOAD_TIMEOUT_MS = 600_000;

export interface FetchOptions {
  readonly log: Log;
  /** Puts the wheel of seglearn into the folder it is given. Default: pip. */
  readonly download?: (folder: string) => Promise<void>;
  readonly signal?: AbortSignal;
}

/**
 * Makes `folder` hold the watch data set as traces; does nothing when it is there already, whole.
 * Fails with `dependency-missing` (no Python), `input-missing` (no download) or `data-format` (not the pinned file).
 */
export async function fetchWatch(folder: string, options: FetchOptions): Promise<'fetched' | 'present'> {
  const { log, download = (into) => pipDownload(into, options.signal) } = options;
  if (await isComplete(folder)) return 'present';
  const temporary = await mkdtemp(join(tmpdir(), 'qqr-fetch-'));
  try {
    log.info({ package: WATCH_PACKAGE }, 'downloading the watch data set');
    await download(temporary);
    const dataSet = readWatch(await pinnedFile(join(temporary, WATCH_WHEEL)), WATCH_FILE);
    await writeDataSetFolder(dataSet, folder, (path) => log.debug({ path }, 'trace written'));
    log.info({ folder, subjects: dataSet.recordings.length }, 'watch data set ready');
    return 'fetched';
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
}

async function pinnedFile(wheel: string): Promise<Buffer> {
  const bytes = await readFile(wheel).catch((cause) => {
    throw new AppError('input-missing', 'the download left no wheel', { where: wheel, cause });
  });
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== WATCH_SHA256) {
    throw new AppError('data-format', `the downloaded wheel has SHA-256 ${sha256}, not ${WATCH_SHA256}`, {
      where: wheel,
      hint: 'another file came under this name: check the package index that pip is configured for',
    });
  }
  for await (const file of archivedFiles(wheel, (name) => name === WATCH_FILE)) return file.bytes;
  throw new AppError('data-format', `the wheel has no ${WATCH_FILE}`, { where: wheel });
}

async function pipDownload(folder: string, signal?: AbortSignal): Promise<void> {
  const pip = ['-m', 'pip', 'download', '--no-deps', '--disable-pip-version-check', '--quiet', '--dest', folder];
  const options = { timeout: DOWNLOAD_TIMEOUT_MS, ...(signal === undefined ? {} : { signal }) };
  try {
    await promisify(execFile)('python3', [...pip, WATCH_PACKAGE], options);
  } catch (cause) {
    throw asAppError(cause);
  }
}

function asAppError(cause: unknown): unknown {
  const { code, stderr } = cause as { code?: unknown; stderr?: unknown };
  const said =
    String(stderr ?? '')
      .trim()
      .split('\n')
      .at(-1) ?? '';
  if (code === 'ENOENT' || said.includes('No module named pip')) {
    const hint =
      'install Python 3 with pip (Debian: apt-get install python3-pip), or import a data set with qqr data import';
    return new AppError('dependency-missing', 'python3 with pip is needed to fetch the data set', { hint, cause });
  }
  return new AppError('input-missing', `${WATCH_PACKAGE} could not be downloaded: ${said || String(cause)}`, {
    hint: 'check the network and try again',
    cause,
  });
}
