/**
 * Leaves an experiment's outcome in its folder, beside `trials.jsonl` that it is made from: results.csv, summary.json, results.md
 * and report.html. Each file is replaced atomically, the page last.
 */
import { join } from 'node:path';
import { writeFileAtomic } from '../../core/base/atomic-file.ts';
import { resultsCsv } from './csv.ts';
import type { Experiment } from './experiment.ts';
import { losses } from './losses.ts';
import { experimentMarkdown, type Provenance } from './markdown.ts';
import { experimentPage } from './page.ts';
import { summarizeExperiment } from './summary.ts';
import type { FinishedTrial } from './trial.ts';

export interface Outcome {
  readonly experiment: Experiment;
  readonly finished: readonly FinishedTrial[];
  readonly provenance: Provenance;
  /** As people write it; in the page only. */
  readonly date: string;
}

/** `summary.json`; what docs/results.md is put together from, with results.md. */
export interface SummaryFile {
  readonly experiment: string;
  readonly provenance: Provenance;
  /** The clear differences that speak against QQR (`losses.ts`), a sentence each. */
  readonly losses: readonly string[];
  readonly figures: ReturnType<typeof summarizeExperiment>;
}

/** Path of the page. @throws AppError `output-failed` */
export async function writeOutcome(
  folder: string,
  { experiment, finished, provenance, date }: Outcome,
): Promise<string> {
  const figures = summarizeExperiment(experiment, finished);
  const summary: SummaryFile = { experiment: experiment.name, provenance, losses: losses(figures), figures };
  const page = join(folder, 'report.html');
  await writeFileAtomic(join(folder, 'results.csv'), resultsCsv(finished));
  await writeFileAtomic(join(folder, 'summary.json'), `${JSON.stringify(summary, null, 1)}\n`);
  await writeFileAtomic(join(folder, 'results.md'), experimentMarkdown(experiment, figures, provenance));
  await writeFileAtomic(page, experimentPage(experiment, figures, provenance, date));
  return page;
}
