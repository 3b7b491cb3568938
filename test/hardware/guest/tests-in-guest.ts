/**
 * Runs a test program (`test/hardware/inside/`) in a guest and tells its tests again as subtests here, so that the test runner
 * counts and prints them like any other's. A program that dies, hangs or runs no test is a failure that shows what the guest said.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Board } from './board.ts';
import { boardCalls } from './board-calls.ts';
import { type HostCalls, runGuest } from './boot.ts';
import type { TestResult } from './reporter.ts';
import type { VirtioDevice } from './virtio-device.ts';

const INSIDE = fileURLToPath(new URL('../inside/', import.meta.url));
const REPORTER = fileURLToPath(new URL('./reporter.js', import.meta.url));
const SHOWN_LINES = 40;

export interface InsideOptions {
  /** File in `inside/`, without its ending. */
  readonly program: string;
  readonly board: Board;
  /** Beside the board's. */
  readonly moreDevices?: readonly VirtioDevice[];
  /** More that the program may ask of the test. */
  readonly calls?: HostCalls;
  readonly timeoutMs?: number;
  readonly cpus?: number;
  /** Under a real systemd; see `GuestOptions`. */
  readonly systemd?: boolean;
  /** For the program, behind its name. */
  readonly args?: readonly string[];
}

/** A failure of the guest's, with the text and the places that it had there. */
class FailedInGuest extends Error {
  override stack: string;

  constructor(text: string) {
    super(text);
    this.stack = text;
  }
}

const lastLines = (text: string) => text.trimEnd().split('\n').slice(-SHOWN_LINES).join('\n');

function parseResults(text: string): TestResult[] {
  return text
    .split('\n')
    .filter((line) => line.endsWith('}')) // the last may be cut off
    .map((line) => JSON.parse(line) as TestResult);
}

export async function testsInGuest(t: TestContext, options: InsideOptions): Promise<void> {
  const {
    program,
    board,
    moreDevices = [],
    calls = {},
    timeoutMs = 180_000,
    systemd = false,
    cpus = 2,
    args = [],
  } = options;
  const reporting = ['--test-reporter', REPORTER, '--test-reporter-destination', '/mnt/share/results'];
  const run = await runGuest({
    devices: [...board.devices, ...moreDevices],
    calls: { ...boardCalls(board), ...calls },
    command: [process.execPath, '--enable-source-maps', ...reporting, join(INSIDE, `${program}.js`), ...args],
    timeoutMs,
    cpus,
    systemd,
  });
  board.close();
  t.diagnostic(run.output);
  const results = parseResults(await readFile(join(run.share, 'results'), 'utf8').catch(() => ''));
  await run.close();
  for (const { path, failure, skip } of results) {
    await t.test(path.join(' › '), (inner) => {
      if (failure !== undefined) throw new FailedInGuest(failure);
      if (skip !== undefined) inner.skip(skip);
    });
  }
  const isExplained = run.status === 0 || results.some(({ failure }) => failure !== undefined);
  if (isExplained && results.length > 0) return;
  const said = `${lastLines(run.output)}\n--- its kernel:\n${lastLines(run.kernelLog)}`;
  throw new FailedInGuest(
    `${program} ended with status ${run.status} after ${results.length} tests. The guest said:\n${said}`,
  );
}
