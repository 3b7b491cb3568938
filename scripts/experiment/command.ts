/** `qqr experiment`: one sub-command per experiment, the list of them, and the document of all results. */
import { fork } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { AppError } from '../../core/base/errors.ts';
import { createProgress } from '../progress.ts';
import { reportMeta } from '../replay/report-meta.ts';
import { EXPERIMENTS } from './catalogue.ts';
import { sourceCommit } from './commit.ts';
import type { Experiment } from './experiment.ts';
import { type Pool, startPool } from './pool.ts';
import { resultsDocument } from './results-document.ts';
import { type ExperimentRun, nameOf, runExperiment } from './run-experiment.ts';
import { type Outcome, writeOutcome } from './write-outcome.ts';

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

const EXAMPLES = `
Examples:
  qqr experiment list                               what there is
  qqr experiment quantity --quick                   its short form, on the demo's recordings
  qqr experiment quantity --data HAPT-Data-Set.tar.xz --seeds 5 --jobs 2 --out out/quantity
  qqr experiment results out/* > docs/results.md    all tables in one document

An experiment that was interrupted goes on where it was: give the same command again.`;

interface CommandLine {
  readonly data?: string;
  readonly seeds: string;
  readonly jobs: string;
  readonly out?: string;
  readonly quick?: true;
  readonly fresh?: true;
}

export function experimentCommand(): Command {
  const parent = new Command('experiment')
    .description('Measure a claim: many trials, resumable, with tables, plots and error bars.')
    .addHelpText('after', EXAMPLES);
  parent.command('list').description('the experiments and what they ask').action(list);
  parent
    .command('results')
    .description('print docs/results.md, made from the folders of experiments')
    .argument('<folders...>', 'what --out named')
    .action(async (folders: string[]) => {
      process.stdout.write(await resultsDocument(folders));
    });
  for (const experiment of EXPERIMENTS) {
    parent
      .command(experiment.name)
      .description(experiment.question)
      .option('--data <name|path>', 'recordings: a name (see qqr data list), an archive or a folder')
      .option('--seeds <n>', 'seeds per arm', '5')
      .option('--jobs <n>', 'processes at work at once', '2')
      .option('--out <dir>', 'folder of the outcome', `qqr-experiments/${experiment.name}`)
      .option('--quick', 'a short form: at most two seeds, fewer arms, fewer rounds')
      .option('--fresh', 'start over, whatever is in the folder')
      .action((line: CommandLine) => run(experiment, line));
  }
  return parent;
}

function list(): void {
  const width = Math.max(...EXPERIMENTS.map(({ name }) => name.length)) + 2;
  for (const { name, question } of EXPERIMENTS) process.stdout.write(`${name.padEnd(width)}${question}\n`);
}

async function run(experiment: Experiment, line: CommandLine): Promise<void> {
  const seeds = parseCount('--seeds', line.seeds, 1000);
  const jobs = parseCount('--jobs', line.jobs, 64);
  const isQuick = line.quick === true;
  const data = line.data ?? defaultData(experiment, isQuick);
  const folder = line.out ?? join('qqr-experiments', experiment.name);
  const commit = await sourceCommit();
  const progress = createProgress({ stream: process.stderr });
  const pool = await startPool({ jobs, fork: () => forkWorker(data) });
  let ran: ExperimentRun;
  try {
    const journal = join(folder, 'trials.jsonl');
    const isFresh = line.fresh === true;
    ran = await runExperiment(experiment, {
      pool,
      journal,
      seeds,
      isQuick,
      isFresh,
      commit,
      progress,
      nowMs: Date.now,
    });
  } finally {
    progress.stop();
    pool.stop();
  }
  const page = await writeOutcome(folder, outcomeOf(experiment, ran, pool, commandOf(experiment, line, data)));
  process.stdout.write(`${ran.finished.length} trials, ${ran.resumed} of them from before\nReport: ${page}\n`);
  if (ran.failures.length > 0) throw failed(ran);
}

function outcomeOf(experiment: Experiment, ran: ExperimentRun, { facts }: Pool, command: string): Outcome {
  const { finished, failures, context } = ran;
  const { date, version } = reportMeta(experiment.title);
  const provenance = {
    data: facts.name,
    seeds: finished.map(({ trial }) => trial.seed),
    commits: [...new Set(finished.flatMap((line) => line.commit ?? []))],
    version,
    command,
    isQuick: context.isQuick,
    failed: failures.length,
  };
  return { experiment, finished, provenance, date };
}

/** What makes the same figures again, without this machine's folders. */
function commandOf({ name }: Experiment, { seeds, quick }: CommandLine, data: string): string {
  return ['qqr experiment', name, '--data', basename(data), '--seeds', seeds, ...(quick ? ['--quick'] : [])].join(' ');
}

/** The short forms run on what the demo fetches; whole ones are about a published data set, which has to be given. */
function defaultData({ name, leastModalities }: Experiment, isQuick: boolean): string {
  if (isQuick && leastModalities < 3) return 'watch';
  const wanted =
    leastModalities < 3
      ? 'HAPT (UCI 341, HAPT-Data-Set as archive or folder)'
      : 'DSADS (UCI 256, Daily and Sports Activities, its torso unit)';
  throw new AppError('usage', `say which recordings ${name} shall run on`, {
    hint: `--data PATH with ${wanted}; or --data watch${leastModalities < 3 ? ', or --quick for a short form' : ''}`,
  });
}

function forkWorker(data: string) {
  // standard output belongs to results; what a dying worker has to say goes to standard error
  return fork(WORKER, [data], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

function failed({ failures, finished }: ExperimentRun): AppError {
  const [first] = failures;
  const name = first === undefined ? '' : `${nameOf(first.trial)}: ${first.message}`;
  return new AppError(
    'internal',
    `${failures.length} of ${failures.length + finished.length} trials gave no result; the first: ${name}`,
    {
      hint: 'the same command tries them again; the report shows the others',
    },
  );
}

function parseCount(option: string, text: string, most: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1 && count <= most) return count;
  throw new AppError('usage', `${option} takes a whole number from 1 to ${most}, not ${text}`);
}
