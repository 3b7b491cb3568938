/** `qqr agent`: run a board, check its configuration. */
import { Command } from 'commander';
import { systemClock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import { createPinoLog } from '../core/base/log-pino.ts';
import { openTrace } from '../core/trace/csv-reader.ts';
import { addBoardCommands } from './board-commands.ts';
import { type AgentConfig, parseAgentConfig, readAgentSettings } from './config.ts';
import { startAgent } from './main.ts';
import { createReplaySensor, parseSpeed } from './sensors/replay.ts';

const RUN_HELP = `
Examples:
  qqr agent run --device pi-1 --replay walk.csv.gz --state ./pi-1
      play a recording as fast as it goes to an aggregator on this machine
  qqr agent run --device pi-1 --replay walk.csv.gz --speed 1 --broker mqtt://hub.local:1883
      at the speed at which it was recorded
Killed and started again with the same --state, it goes on where it was: no window is used twice, no update is lost.
`;

/** Recorded seconds between two transactions when a recording is played as fast as it goes. */
const FLUSH_SECONDS_AT_MAX = 20;

interface RunLine {
  config?: string;
  device?: string;
  fleet?: string;
  broker?: string;
  state?: string;
  replay?: string;
  speed: string;
}

export function agentCommand(): Command {
  const agent = new Command('agent').description(
    'The board: reads sensors, judges them, learns, and sends what it learnt.',
  );
  agent
    .command('run')
    .description('Run a board until its recording has ended and is delivered, or until interrupted.')
    .option('--config <file>', 'settings (TOML, documented in agent/config.sample.toml)')
    .option('--device <name>', "the board's name in the fleet")
    .option('--fleet <name>', 'the fleet (default: default)')
    .option('--broker <url>', "the aggregator's broker (default: mqtt://127.0.0.1:1883)")
    .option('--state <dir>', 'folder of the database (default: /var/lib/qqr-agent)')
    .option('--replay <trace>', 'play this trace (CSV or CSV.gz) instead of reading sensors')
    .option('--speed <factor|max>', 'recorded seconds per second', 'max')
    .addHelpText('after', RUN_HELP)
    .action(run);
  agent
    .command('check-config')
    .description('Check a configuration file; exit status 78 and the place when something is wrong.')
    .requiredOption('--config <file>', 'settings (TOML)')
    .option('--json', 'print the settings with all defaults')
    .addHelpText('after', '\nExample:\n  qqr agent check-config --config /etc/qqr/agent.toml --json')
    .action(checkConfig);
  addBoardCommands(agent, async (path) => parseAgentConfig(await readAgentSettings(path), path));
  return agent;
}

async function run(line: RunLine): Promise<void> {
  if (line.replay === undefined) {
    throw new AppError('usage', 'no sensor is configured', { hint: 'play a recording with --replay TRACE' });
  }
  const config = await configOf(line);
  const log = createPinoLog('qqr-agent', config.log.level);
  const speed = parseSpeed(line.speed);
  const trace = await openTrace(line.replay);
  const agent = await startAgent({
    config,
    sensor: createReplaySensor({ header: trace.header, events: () => trace.events }, speed, systemClock),
    learner: { kind: 'child' },
    flushSeconds: speed === 'max' ? FLUSH_SECONDS_AT_MAX : 1,
    startup: 'retry',
    clock: systemClock,
    log,
  });
  const interrupted = new Promise<void>((resolve) => {
    process.once('SIGINT', resolve).once('SIGTERM', resolve);
  });
  try {
    await Promise.race([agent.finished, interrupted]);
  } finally {
    await agent.stop();
  }
}

async function checkConfig({ config, json }: { config: string; json?: boolean }): Promise<void> {
  const checked = parseAgentConfig(await readAgentSettings(config), config);
  process.stdout.write(json ? `${JSON.stringify(checked, null, 2)}\n` : `${config}: ok\n`);
}

/** Settings of the file, over them those of the command line. */
async function configOf(line: RunLine): Promise<AgentConfig> {
  const file = line.config === undefined ? {} : await readAgentSettings(line.config);
  const settings = {
    ...file,
    ...(line.device !== undefined && { device: line.device }),
    ...(line.fleet !== undefined && { fleet: line.fleet }),
    ...(line.state !== undefined && { stateDir: line.state }),
    ...(line.broker !== undefined && { link: { ...file.link, url: line.broker } }),
  };
  return parseAgentConfig(settings, line.config ?? 'command line');
}
