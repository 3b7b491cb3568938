/**
 * `qqr demo`: real motion recordings, one board per person, and three answers to the same question side by side:
 * healthy sensors; failing sensors with plain federated averaging; failing sensors with QQR.
 */
import { join } from 'node:path';
import { Command } from 'commander';
import { parseSpeed } from '../agent/sensors/replay.ts';
import { AppError } from '../core/base/errors.ts';
import { onInterrupt } from '../core/base/interrupt.ts';
import { createPinoLog } from '../core/base/log-pino.ts';
import { openDataSet } from '../core/trace/data-set.ts';
import type { DataSet } from '../core/trace/recording.ts';
import { dataDirectory } from './data/data-directory.ts';
import { fetchWatch } from './data/fetch.ts';
import { runLiveDemo, USUAL_FAIL_AFTER_S } from './live-demo.ts';
import { createProgress } from './progress.ts';
import { parseSeeds, REPLAY_DEFAULTS, type ReplayOptions } from './replay/options.ts';
import { replay } from './replay/replay.ts';
import { reportMeta } from './replay/report-meta.ts';
import type { RunResult } from './replay/run-result.ts';
import { renderTable } from './report/table.ts';
import { writeReport } from './report/write.ts';

const INTRO = `Ten people wore a watch with an accelerometer and a gyroscope through seven shoulder exercises. Eight of them are boards
that learn together; two, whom no board has seen, are the test. In the second and third run half of the board-rounds lack one
sensor and half have a degraded one (noise, clipping, stuck, drift, bursts of zeros).
`;

const EXAMPLES = `
Examples:
  qqr demo --seeds 1 --report /tmp/demo
  qqr demo --live --speed 10 --fail-after 10
`;

const HALF_FAILING = { missingRate: 0.5, degradedRate: 0.5 };

export function demoCommand(): Command {
  return new Command('demo')
    .description(
      'Three fleets on real recordings, side by side: healthy sensors, failing with FedAvg, failing with QQR.',
    )
    .option('--seeds <n|list>', 'how many seeds (1 to n), or which; each draws its own two test people', '3')
    .option('--report <dir>', 'folder of report.html, rounds.jsonl and result.json', 'qqr-demo')
    .option('--live', 'instead: one fleet in the dashboard, with sensors that fail on a script, until Ctrl-C')
    .option('--speed <factor>', 'with --live: recorded seconds per second', '5')
    .option('--http <host:port>', 'with --live: address of the dashboard', '127.0.0.1:8080')
    .option(
      '--fail-after <seconds>',
      'with --live: when the first sensor fails; the others follow at the same pace',
      `${USUAL_FAIL_AFTER_S}`,
    )
    .addHelpText('after', EXAMPLES)
    .action(run);
}

interface DemoLine {
  seeds: string;
  report: string;
  live?: boolean;
  speed: string;
  http: string;
  failAfter: string;
}

async function run({ seeds, report, live, ...liveLine }: DemoLine): Promise<void> {
  const directory = dataDirectory();
  await fetchWatch(join(directory, 'watch'), { log: createPinoLog('qqr-demo', 'warn') });
  const dataSet = await openDataSet('watch', directory);
  if (live) {
    await runLive(dataSet, liveLine);
    return;
  }
  const base = { ...REPLAY_DEFAULTS, seeds: parseSeeds(seeds), split: { kind: 'random', testSubjects: 2 } } as const;
  const fleets: ReplayOptions[] = [
    { ...base, title: 'healthy, QQR', strategy: 'qqr' },
    { ...base, ...HALF_FAILING, title: 'failing, FedAvg', strategy: 'fedavg' },
    { ...base, ...HALF_FAILING, title: 'failing, QQR', strategy: 'qqr' },
  ];
  process.stdout.write(`\n${INTRO}\n`);
  const progress = createProgress({ stream: process.stderr });
  const results: RunResult[] = [];
  try {
    for (const options of fleets) results.push(await replay(dataSet, options, { progress }));
  } finally {
    progress.stop();
  }
  process.stdout.write(renderTable(results, { bold: process.stdout.isTTY === true }));
  const written = await writeReport(report, results, reportMeta('Boards with failing sensors learn together'));
  process.stdout.write(
    `\nReport (open it in a browser): ${written.page}\nEvery round as JSON lines:      ${written.rounds}\n`,
  );
}

async function runLive(
  dataSet: DataSet,
  { speed, http, failAfter }: Omit<DemoLine, 'seeds' | 'report'>,
): Promise<void> {
  const factor = parseSpeed(speed);
  if (factor === 'max')
    throw new AppError('usage', 'a live demo has a speed that can be watched', { hint: '--speed 5' });
  const failAfterS = Number(failAfter);
  if (!(failAfterS > 0 && failAfterS < 86_400))
    throw new AppError('usage', `not a number of seconds: ${failAfter}`, { hint: '--fail-after 10' });
  const stopping = new AbortController();
  const ignoreInterrupt = onInterrupt(() => stopping.abort());
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  try {
    await runLiveDemo(dataSet, { speed: factor, http, failAfterS, signal: stopping.signal, say });
  } finally {
    ignoreInterrupt();
  }
}
