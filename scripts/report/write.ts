/**
 * Leaves a report in a folder: the page, every round as a JSON line, and the results as they were.
 * Each file is replaced atomically, the page last: a page never points at data that is not there.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { AppError } from '../../core/base/errors.ts';
import type { RunResult } from '../replay/run-result.ts';
import { loadReportAssets } from './assets.ts';
import { type ReportMeta, renderReport } from './html.ts';

/** Where the files are. */
export interface ReportFiles {
  readonly page: string;
  readonly rounds: string;
  readonly result: string;
}

/** Creates `folder` if need be and replaces the report in it. Fails with `output-failed` or `dependency-missing`. */
export async function writeReport(folder: string, runs: readonly RunResult[], meta: ReportMeta): Promise<ReportFiles> {
  const page = renderReport(runs, meta, await loadReportAssets());
  const files = {
    page: join(folder, 'report.html'),
    rounds: join(folder, 'rounds.jsonl'),
    result: join(folder, 'result.json'),
  };
  await createFolder(folder);
  await writeFileAtomic(files.rounds, roundLines(runs));
  await writeFileAtomic(files.result, `${JSON.stringify({ meta, runs })}\n`);
  await writeFileAtomic(files.page, page);
  return files;
}

/** One line per run, seed and round: the round's record with the run's title, strategy and seed in front. */
export function roundLines(runs: readonly RunResult[]): string {
  const lines = runs.flatMap((run) =>
    run.perSeed.flatMap(({ seed, records }) =>
      records.map((record) => JSON.stringify({ run: run.title, strategy: run.strategy, seed, ...record })),
    ),
  );
  return lines.map((line) => `${line}\n`).join('');
}

async function createFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true });
  } catch (cause) {
    throw new AppError('output-failed', 'cannot create the folder of the report', {
      where: folder,
      hint: 'name a folder that can be created',
      cause,
    });
  }
}
