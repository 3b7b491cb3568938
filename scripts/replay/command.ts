/** `qqr replay`: recordings through boards and aggregator, everything real but the sensor driver. */
import { Command, Option } from 'commander';
import { parseSpeed } from '../../agent/sensors/replay.ts';
import { AppError } from '../../core/base/errors.ts';
import { openDataSet, openTraces } from '../../core/trace/data-set.ts';
import { FAULT_KINDS } from '../../core/trace/faults.ts';
import type { StrategyOverrides } from '../../server/strategies/registry.ts';
import { dataDirectory } from '../data/data-directory.ts';
import { createProgress } from '../progress.ts';
import { renderTable } from '../report/table.ts';
import { writeReport } from '../report/write.ts';
import { parseOutage, parsePhase, parseScope, parseSeverity, parseTestFaults } from './failure-options.ts';
import {
  parseBoards,
  parseKinds,
  parseRate,
  parseSeeds,
  parseSplit,
  parseStrategy,
  REPLAY_DEFAULTS,
  type ReplayOptions,
} from './options.ts';
import { replay } from './replay.ts';
import { reportMeta } from './report-meta.ts';
import type { RunResult } from './run-result.ts';

const EXAMPLES = `
Examples:
  qqr replay walk.csv.gz run.csv.gz --test-subjects anna
      your own traces (docs/trace-format.md), one board per subject, anna's windows for test
  qqr replay --data watch --missing 50% --degraded 50% --strategy qqr --seeds 5
      the demo's recordings with failing sensors, five seeds
  qqr replay --data HAPT-Data-Set.tar.xz --split published --seeds 5 --rounds 33 --json
      a published data set (archive or unpacked folder) with its own split; one JSON object on standard output
  qqr replay --data watch --strategy fedavg --report out/
      the report as HTML, raw rounds as JSON lines
`;

interface CommandLine {
  data?: string;
  split: string;
  testSubjects?: string;
  classes?: string;
  order: 'shuffled' | 'recorded';
  boards: string;
  modalities?: string;
  fillUp?: boolean;
  labelled: string;
  missing: string;
  missingPer: string;
  missingModality?: string;
  degraded: string;
  degradedPer: string;
  degradedModality?: string;
  severity: string;
  phase: string[];
  outage: string[];
  testFaults: string;
  kinds: string;
  strategy: string;
  set: string[];
  seeds: string;
  rounds: string;
  boardsLeft: string;
  speed: string;
  windowSeconds: string;
  overlap: string;
  evaluateEvery: string;
  maxTestWindows?: string;
  title?: string;
  state?: string;
  report?: string;
  json?: boolean;
  readonly windowStatistics: boolean;
  readonly batched?: boolean;
}

export function replayCommand(): Command {
  const d = REPLAY_DEFAULTS;
  return new Command('replay')
    .description('Play recordings as a fleet of boards, one per subject, that learn together through a real broker.')
    .argument('[traces...]', 'trace files (CSV or CSV.gz)')
    .option('--data <name|path>', 'a data set instead of traces: a name (see qqr data list), an archive or a folder')
    .option(
      '--split <split>',
      'test subjects: published, random:N (drawn for each seed), leave-out:NAME, leave-one-out, or validation:N',
      'random:2',
    )
    .option('--test-subjects <names>', 'these subjects for test, separated by commas')
    .option('--boards <kind>', "one per 'subject', or 'dirichlet:BOARDS:ALPHA'", 'subject')
    .option('--modalities <names>', 'use these only, separated by commas')
    .option('--classes <names>', "class names, separated by commas (default: the data set's)")
    .addOption(
      new Option('--order <order>', "each subject's windows in random order, or as recorded")
        .choices(['shuffled', 'recorded'])
        .default(d.order),
    )
    .option('--fill-up', 'a board with too few windows for all rounds lives windows again')
    .option('--labelled <share>', 'share of the windows whose label the board is told', String(d.labelled))
    .option('--missing <rate>', 'probability that a board lacks one modality in a round', '0')
    .option('--missing-per <scope>', 'what is drawn: board-round, round (all boards alike) or board', d.missingPer)
    .option('--missing-modality <name>', 'the one that goes missing (default: drawn)')
    .option('--degraded <rate>', 'probability that one modality of a board is degraded in a round', '0')
    .option('--degraded-per <scope>', 'the same for degradation', d.degradedPer)
    .option('--degraded-modality <name>', 'the one that is degraded (default: drawn)')
    .option('--severity <range>', 'of degradation, 0 (mild) to 1', d.severity.join('-'))
    .option('--phase <until:key=value...>', 'other rates up to a round, e.g. 10:missing=90%,missing-per=round', [])
    .option('--outage <boards:modality:from-until...>', 'a sensor that dies, e.g. anna:gyr:10-20 or 50%:acc:5-', [])
    .option('--test-faults <list>', 'further tests: kinds, severities such as 0.4, nothing (no modality at all)', '')
    .option('--kinds <names>', 'kinds of degradation', FAULT_KINDS.join(','))
    .option('--batched', 'train all boards as one computation, without broker and databases: the same figures, sooner')
    .option('--no-window-statistics', 'encoders see the samples only, not mean and power of each channel too')
    .option('--strategy <name>', 'see qqr server run --help', d.strategy)
    .option('--set <key=value...>', 'change a setting of the strategy, e.g. learningRate=0.2 modelBits=4', [])
    .option('--seeds <n|list>', 'how many seeds (1 to n), or which', '1')
    .option('--rounds <n>', 'most training rounds', String(d.rounds))
    .option('--boards-left <share>', 'stop when fewer of the boards have windows left', String(d.boardsLeft))
    .option('--speed <factor|max>', 'recorded seconds per second', 'max')
    .option('--window-seconds <s>', 'length of a window', String(d.windowSeconds))
    .option('--overlap <share>', 'share of a window that the next one repeats', String(d.overlap))
    .option('--evaluate-every <n>', 'rounds between evaluations on the test subjects', String(d.evaluateEvery))
    .option('--max-test-windows <n>', 'evaluate on at most so many test windows')
    .option('--title <text>', "the run's name in tables and reports")
    .option('--state <dir>', 'keep the databases of boards and aggregator here')
    .option('--report <dir>', 'write report.html, rounds.jsonl and result.json into this folder')
    .option('--json', 'print one JSON object and nothing else')
    .addHelpText('after', EXAMPLES)
    .action(run);
}

async function run(traces: string[], line: CommandLine): Promise<void> {
  if ((traces.length === 0) === (line.data === undefined)) {
    throw new AppError('usage', 'give either trace files or --data', { hint: 'qqr replay --help has examples' });
  }
  const options = optionsOf(line);
  const dataSet = line.data === undefined ? await openTraces(traces) : await openDataSet(line.data, dataDirectory());
  const progress = createProgress({ stream: process.stderr, enabled: !line.json && process.stderr.isTTY === true });
  const result = await replay(dataSet, options, { progress }).finally(() => progress.stop());
  if (line.json) process.stdout.write(`${JSON.stringify(withoutRecords(result))}\n`);
  else process.stdout.write(renderTable([result], { bold: process.stdout.isTTY === true }));
  if (line.report !== undefined)
    await writeReport(line.report, [result], reportMeta(`${options.title} on ${dataSet.name}`));
}

/** The figures without every round's record, which belong into a report's folder. */
function withoutRecords({ perSeed, ...figures }: RunResult): object {
  return { ...figures, digests: perSeed.map(({ digest }) => digest) };
}

function optionsOf(line: CommandLine): ReplayOptions {
  return {
    title: line.title ?? line.strategy,
    split: parseSplit(line.testSubjects ?? line.split),
    classes: line.classes?.split(',').map((name) => name.trim()) ?? null,
    order: line.order,
    boards: parseBoards(line.boards),
    modalities: line.modalities?.split(',').map((name) => name.trim()) ?? null,
    fillUp: line.fillUp === true,
    labelled: parseRate(line.labelled),
    missingRate: parseRate(line.missing),
    missingPer: parseScope(line.missingPer),
    missingModality: line.missingModality ?? null,
    degradedRate: parseRate(line.degraded),
    degradedPer: parseScope(line.degradedPer),
    degradedModality: line.degradedModality ?? null,
    phases: line.phase.map(parsePhase),
    outages: line.outage.map(parseOutage),
    kinds: parseKinds(line.kinds),
    severity: parseSeverity(line.severity),
    testFaults: parseTestFaults(line.testFaults),
    windowStatistics: line.windowStatistics,
    learner: line.batched === true ? 'batched' : 'boards',
    strategy: parseStrategy(line.strategy),
    settings: parseSettings(line.set),
    seeds: parseSeeds(line.seeds),
    rounds: parseCount('--rounds', line.rounds),
    boardsLeft: parseRate(line.boardsLeft),
    speed: parseSpeed(line.speed),
    windowSeconds: parseWithin('--window-seconds', line.windowSeconds, 0.1, 60),
    overlap: parseWithin('--overlap', line.overlap, 0, 0.9),
    evaluateEvery: parseCount('--evaluate-every', line.evaluateEvery),
    maxTestWindows: line.maxTestWindows === undefined ? null : parseCount('--max-test-windows', line.maxTestWindows),
    hostile: null,
    stateDir: line.state ?? null,
  };
}

function parseCount(option: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new AppError('usage', `${option} takes a whole number above 0, not ${text}`);
}

function parseWithin(option: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new AppError('usage', `${option} takes a number from ${least} to ${most}, not ${text}`);
}

/** `key=value` pairs; whether a key exists and its value fits is checked by the schema of the server's settings. */
function parseSettings(pairs: readonly string[]): StrategyOverrides {
  return Object.fromEntries(
    pairs.map((pair) => {
      const [key, value] = pair.split('=', 2) as [string, string | undefined];
      if (value === undefined) throw new AppError('usage', `--set takes key=value, not ${pair}`);
      if (value === 'true' || value === 'false') return [key, value === 'true'];
      return [key, Number.isNaN(Number(value)) ? value : Number(value)];
    }),
  );
}
