/**
 * From an experiment to its finished trials: lists each stage, skips what the journal has, runs the rest, and writes each result
 * down before the next is taken. Everything after that reads the journal's content only.
 */
import { AppError } from '../../core/base/errors.ts';
import type { Progress } from '../progress.ts';
import type { Experiment, ListContext } from './experiment.ts';
import { type JournalHeader, openJournal } from './journal.ts';
import type { Pool } from './pool.ts';
import { type FinishedTrial, mergeTrials, TRIAL_FORMAT, type Trial, type TrialResult } from './trial.ts';

export interface RunOptions {
  readonly pool: Pool;
  /** Path of `trials.jsonl`. */
  readonly journal: string;
  readonly seeds: number;
  readonly isQuick: boolean;
  /** Forget what earlier runs left. */
  readonly isFresh: boolean;
  readonly commit: string | null;
  readonly progress: Progress;
  /** Milliseconds, for the estimate of what is left. */
  readonly nowMs: () => number;
}

export interface ExperimentRun {
  readonly context: ListContext;
  /** Of every stage, in the order of the lists. */
  readonly finished: readonly FinishedTrial[];
  readonly failures: readonly { readonly trial: Trial; readonly message: string }[];
  /** How many of them were there already. */
  readonly resumed: number;
}

export async function runExperiment(experiment: Experiment, options: RunOptions): Promise<ExperimentRun> {
  const { pool, seeds, isQuick } = options;
  const context: ListContext = { data: pool.facts, seeds, isQuick };
  refuseTooFewModalities(experiment, context);
  const header: JournalHeader = { format: TRIAL_FORMAT, experiment: experiment.name, data: pool.facts };
  const journal = await openJournal(options.journal, header, options.isFresh);
  const finished: FinishedTrial[] = [];
  const failures: ExperimentRun['failures'][number][] = [];
  const results = new Map<string, TrialResult>();
  let resumed = 0;
  for (const stage of experiment.stages) {
    const trials = mergeTrials(stage(context, results));
    const missing = trials.filter(({ key }) => !journal.finished.has(key));
    resumed += trials.length - missing.length;
    const meter = createMeter(experiment.name, trials.length, missing.length, options);
    await pool.run(missing, {
      async onResult(trial, result) {
        await journal.append({ trial, result, commit: options.commit });
        meter(trial);
      },
      onFailure(trial, message) {
        failures.push({ trial, message });
        meter(trial);
      },
    });
    for (const trial of trials) {
      const line = journal.finished.get(trial.key);
      if (line === undefined) continue;
      finished.push({ ...line, trial }); // labels are today's, whatever they were when it ran
      results.set(trial.key, line.result);
    }
  }
  const merged = mergeTrials(finished.map(({ trial }) => trial));
  const byKey = new Map(finished.map((line) => [line.trial.key, line]));
  return {
    context,
    finished: merged.map((trial) => ({ ...(byKey.get(trial.key) as FinishedTrial), trial })),
    failures,
    resumed,
  };
}

/** Moves the bar on, with the time that is left as this run has been going. */
function createMeter(label: string, total: number, missing: number, { progress, nowMs }: RunOptions) {
  const startMs = nowMs();
  let done = 0;
  progress.start(label, total);
  progress.advance(label, total - missing);
  return (trial: Trial) => {
    done++;
    const leftS = ((nowMs() - startMs) / done / 1000) * (missing - done);
    progress.advance(label, 1, `${formatLeft(leftS)} left, last: ${nameOf(trial)}`);
  };
}

export function nameOf({ arms, seed }: Trial): string {
  const [arm] = arms;
  return arm === undefined ? `seed ${seed}` : `${arm.series}, ${arm.x}, seed ${seed}`;
}

function formatLeft(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

function refuseTooFewModalities({ name, leastModalities }: Experiment, { data }: ListContext): void {
  if (data.modalities.length >= leastModalities) return;
  throw new AppError(
    'usage',
    `${name} needs ${leastModalities} modalities; ${data.name} has ${data.modalities.join(', ')}`,
    {
      hint: 'give recordings that have them, for example DSADS: --data FOLDER',
    },
  );
}
