/** `qqr agent`: run a board, check its configuration. */
import { Command } from 'commander';
import { systemClock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import { onHangup } from '../core/base/hangup.ts';
import { onInterrupt } from '../core/base/interrupt.ts';
import type { Log } from '../core/base/log.ts';
import { createPinoLog } from '../core/base/log-pino.ts';
import { createServiceManager, type ServiceManager } from '../core/base/service-manager.ts';
import { openTrace, readRecording } from '../core/trace/csv-reader.ts';
import type { Recording } from '../core/trace/recording.ts';
import { addBoardCommands } from './board-commands.ts';
import { checkBoard } from './check-board.ts';
import { type AgentConfig, parseAgentConfig, readAgentSettings } from './config.ts';
import { kernelHardware, simulatedHardware } from './hardware.ts';
import type { RecordedMotion } from './hw/sim/motion.ts';
import { type RunningAgent, type SensorSource, startAgent } from './main.ts';
import { createWatchdog } from './ops/watchdog.ts';
import { addCalibrateCommand } from './sensor-commands.ts';
import { configuredChips } from './sensors/board-chips.ts';
import { createReplaySensor, parseSpeed } from './sensors/replay.ts';

const RUN_HELP = `
Examples:
  qqr agent run --config /etc/qqr/agent.toml
      a board, as its service runs it
  qqr agent run --config agent.toml --state ./pi-1 --sim
      the same with simulated chips, on any machine
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
  ca?: string;
  cert?: string;
  key?: string;
  state?: string;
  replay?: string;
  /** True without a recording. */
  sim?: string | true;
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
    .option('--ca <file>', "for mqtts://: CAs that may have signed the broker's certificate, PEM")
    .option('--cert <file>', "for mqtts://: the board's certificate, PEM; with --key")
    .option('--key <file>', 'its private key, PEM, mode 0600')
    .option('--state <dir>', 'folder of the database (default: /var/lib/qqr-agent)')
    .option('--replay <trace>', 'play this trace (CSV or CSV.gz) instead of reading sensors')
    .option('--sim [trace]', 'simulate the configured chips, moved by this trace or by a synthetic walk')
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
  addCalibrateCommand(agent);
  addBoardCommands(agent, readChecked);
  return agent;
}

async function run(line: RunLine): Promise<void> {
  const config = await configOf(line);
  const log = createPinoLog('qqr-agent', config.log.level);
  const ending = new AbortController();
  const isFast = line.replay !== undefined && parseSpeed(line.speed) === 'max';
  try {
    const agent = await startAgent({
      config,
      source: await sourceOf(line, config, ending.signal),
      learner: { kind: 'child' },
      flushSeconds: isFast ? FLUSH_SECONDS_AT_MAX : 1,
      startup: 'retry',
      clock: systemClock,
      log,
    });
    await serve(agent, createServiceManager(process.env, log), log);
  } finally {
    ending.abort(new Error('agent stopped')); // simulated chips, also of an agent that could not be started
  }
}

/** Until the agent has finished or a person wants its end. */
async function serve(agent: RunningAgent, manager: ServiceManager, log: Log): Promise<void> {
  // Not earlier: a signal while the agent starts ends it at once, as a kill would, which it survives.
  let ignoreSignals: (() => void)[] = [];
  const interrupted = new Promise<void>((end) => {
    ignoreSignals = [onInterrupt(end), onHangup(process.stdin.isTTY, { reload: agent.renewLink, end })];
  });
  const { progress, status } = agent;
  const watchdog = progress && createWatchdog(manager, progress, status, systemClock, log);
  try {
    await manager.ready(status());
    await watchdog?.start(new AbortController().signal);
    await Promise.race([agent.finished, interrupted]);
  } finally {
    await watchdog?.stop();
    await manager.stopping();
    await agent.stop();
    for (const ignore of ignoreSignals) ignore();
  }
}

/** A recording, simulated chips, or the board's own. */
async function sourceOf(line: RunLine, config: AgentConfig, signal: AbortSignal): Promise<SensorSource> {
  if (line.replay !== undefined) {
    const { header, events } = await openTrace(line.replay);
    const sensor = createReplaySensor({ header, events: () => events }, parseSpeed(line.speed), systemClock);
    return { kind: 'recording', sensor };
  }
  if (config.sensors.length === 0) {
    throw new AppError('config-invalid', 'no sensor is configured', {
      where: line.config ?? 'command line',
      hint: "add a [[sensors]] block ('qqr agent probe' prints it), or play a recording with --replay TRACE",
    });
  }
  await checkBoard(config);
  if (line.sim === undefined) return { kind: 'chips', hardware: kernelHardware(config.gpio.chip) };
  const motion = line.sim === true ? null : motionOf(await readRecording(line.sim), line.sim);
  return { kind: 'chips', hardware: await simulatedHardware(configuredChips(config.sensors), motion, signal) };
}

/** What moves simulated chips: a recording's accelerometer and gyroscope, on the accelerometer's times. */
function motionOf({ modalities }: Recording, where: string): RecordedMotion {
  const [acc, gyr] = ['acc', 'gyr'].map((wanted) => modalities.find(({ name }) => name === wanted));
  if (acc !== undefined && gyr !== undefined && acc.tUs.length === gyr.tUs.length)
    return { tUs: acc.tUs, acc: acc.values, gyr: gyr.values };
  throw new AppError('data-format', 'simulated chips need acc and gyr, sampled together', { where });
}

async function checkConfig({ config, json }: { config: string; json?: boolean }): Promise<void> {
  const checked = await readChecked(config);
  process.stdout.write(json ? `${JSON.stringify(checked, null, 2)}\n` : `${config}: ok\n`);
}

async function readChecked(path: string): Promise<AgentConfig> {
  const config = parseAgentConfig(await readAgentSettings(path), path);
  await checkBoard(config);
  return config;
}

/** Settings of the file, over them those of the command line. */
async function configOf(line: RunLine): Promise<AgentConfig> {
  const file = line.config === undefined ? {} : await readAgentSettings(line.config);
  const { broker: url, ca, cert, key } = line;
  const link = Object.fromEntries(Object.entries({ url, ca, cert, key }).filter(([, value]) => value !== undefined));
  const settings = {
    ...file,
    ...(line.device !== undefined && { device: line.device }),
    ...(line.fleet !== undefined && { fleet: line.fleet }),
    ...(line.state !== undefined && { stateDir: line.state }),
    link: { ...file.link, ...link },
  };
  return parseAgentConfig(settings, line.config ?? 'command line');
}
