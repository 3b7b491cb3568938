/** `qqr record` and `qqr agent calibrate`: what a person does with a board's sensors while no agent runs. */
import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { Command } from 'commander';
import { systemClock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import { onInterrupt } from '../core/base/interrupt.ts';
import { silentLog } from '../core/base/log.ts';
import { createRng } from '../core/math/rng.ts';
import type { StreamEvent } from '../core/stream/event.ts';
import { writeRecording } from '../core/trace/csv-writer.ts';
import { fromZero, gatherRecording } from '../core/trace/gather-recording.ts';
import { type AgentConfig, parseAgentConfig, readAgentSettings } from './config.ts';
import { type Hardware, kernelHardware, simulatedHardware } from './hardware.ts';
import { laidMotion } from './hw/sim/motion.ts';
import type { MotionSource } from './hw/sim/simulated-chip.ts';
import { checkedLabel } from './labels/label-desk.ts';
import { isAgentListening } from './labels/label-socket.ts';
import { agentStorePath } from './main.ts';
import { type BoardChips, configuredChips, openBoardChips } from './sensors/board-chips.ts';
import { openBoardClock } from './sensors/board-clock.ts';
import { calibrateChip } from './sensors/calibrate.ts';
import { calibrationPath, loadCalibrations, storeCalibration } from './sensors/calibration-file.ts';
import type { FaultEvent } from './sensors/fault-watch.ts';
import { createImuSensor, type ImuSensor } from './sensors/imu-sensor.ts';
import { openAgentReader } from './store/agent-store.ts';
import { exportTrace } from './store/export.ts';

const RECORD_HELP = `
Examples:
  qqr record --config /etc/qqr/agent.toml --out walk.csv.gz --seconds 60 --label walking
  qqr record --config /etc/qqr/agent.toml --out day.csv.gz       until Ctrl-C; type a label and Enter when it changes
  qqr record --from /var/lib/qqr-agent --out buffer.csv.gz       what a board has kept, while its agent runs or not
The file is a trace (docs/trace-format.md): qqr replay and qqr agent run --replay play it. Sensors have one reader: stop the agent first.
`;

interface RecordLine {
  config?: string;
  from?: string;
  out: string;
  seconds?: string;
  label?: string;
  subject?: string;
  sim?: boolean;
}

export function recordCommand(): Command {
  return new Command('record')
    .description("Write a trace with labels, from this board's sensors or from what its agent has kept.")
    .requiredOption('--out <file>', 'the trace: .csv or .csv.gz')
    .option('--config <file>', 'settings with the [[sensors]] to read (TOML)')
    .option('--from <dir>', 'state folder of an agent: write out what it has kept')
    .option('--seconds <n>', 'end after so long (default: at Ctrl-C)')
    .option('--label <name>', 'the activity from the beginning on')
    .option('--subject <name>', "whose motion it is (default: the board's name)")
    .option('--sim', 'simulated chips instead of the real ones')
    .addHelpText('after', RECORD_HELP)
    .action(record);
}

export function addCalibrateCommand(agent: Command): void {
  agent
    .command('calibrate')
    .description('Measure the bias of a gyroscope at rest, and bias and scale of an accelerometer in six poses.')
    .requiredOption('--config <file>', 'settings with the [[sensors]] to calibrate (TOML)')
    .option('--sim', 'simulated chips instead of the real ones; each Enter turns their board')
    .addHelpText(
      'after',
      '\nExample:\n  sudo systemctl stop qqr-agent; qqr agent calibrate --config /etc/qqr/agent.toml',
    )
    .action(calibrate);
}

async function record(line: RecordLine): Promise<void> {
  if ((line.from === undefined) === (line.config === undefined))
    throw new AppError('usage', 'give either --config, to read sensors, or --from, to write out a buffer');
  if (line.from === undefined) return recordSensors(line, await readConfig(line.config as string));
  const store = openAgentReader(agentStorePath(line.from));
  try {
    await exportTrace(store, line.out, { subject: line.subject ?? 'board' });
  } finally {
    store.close();
  }
}

async function recordSensors({ out, seconds, label, subject, sim }: RecordLine, config: AgentConfig): Promise<void> {
  const length = seconds === undefined ? Number.POSITIVE_INFINITY : Number(seconds);
  if (!(length > 0)) throw new AppError('usage', `--seconds takes a number above 0, not ${seconds}`);
  const ending = new AbortController();
  const end = () => ending.abort(new Error('recorded'));
  if (label !== undefined) checkedLabel(label);
  await refuseFolderless(out);
  const ignoreInterrupt = onInterrupt(end);
  const { nowUs } = await openBoardClock(null, null);
  const board = await openBoard(config, nowUs, sim ? null : false, ending.signal);
  try {
    const random = createRng(config.device).next;
    const sensor = createImuSensor({
      chips: board.chips,
      clock: systemClock,
      nowUs,
      random,
      onFault: tellFault,
      log: silentLog,
    });
    await sensor.start(ending.signal);
    if (label !== undefined) sensor.label(label);
    if (Number.isFinite(length)) systemClock.sleep(length * 1000, ending.signal).then(end, () => undefined);
    const keys = typedLabels(sensor);
    const recording = await gatherRecording(
      { subject: subject ?? config.device, modalities: sensor.header.modalities },
      counted(sensor.events(0, ending.signal)),
    );
    keys();
    await sensor.stop();
    await writeRecording(fromZero(recording), out);
    const samples = recording.modalities.map(({ name, tUs }) => `${tUs.length} of ${name}`);
    process.stderr.write(`${out}: samples ${samples.join(', ')}\n`);
  } finally {
    end();
    ignoreInterrupt();
    await board.close();
  }
}

/** What was recorded for an hour must not be lost for want of a folder. */
async function refuseFolderless(out: string): Promise<void> {
  await access(dirname(out), constants.W_OK).catch((cause: unknown) => {
    throw new AppError('output-failed', 'the folder of the trace cannot be written', { where: out, cause });
  });
}

function tellFault({ phase, fault, chip, detail }: FaultEvent): void {
  process.stderr.write(`${chip}: ${fault} ${phase === 'raised' ? `(${detail})` : 'is over'}\n`);
}

/** A label and Enter changes it, Enter alone ends it; on a terminal only. Returns what ends the reading. */
function typedLabels(sensor: ImuSensor): () => void {
  if (!process.stdin.isTTY) return () => undefined;
  process.stderr.write('type a label and Enter when the activity changes, Enter alone for none, Ctrl-C to end\n');
  const keys = createInterface({ input: process.stdin });
  keys.on('line', (text) => {
    try {
      sensor.label(text === '' ? null : checkedLabel(text));
    } catch (error) {
      process.stderr.write(`${String(error)}\n`);
    }
  });
  return () => keys.close();
}

/** Seconds of stream on a terminal, nothing elsewhere. */
async function* counted(events: AsyncIterable<StreamEvent>): AsyncGenerator<StreamEvent> {
  let firstUs: number | null = null;
  let shown = -1;
  for await (const event of events) {
    yield event;
    if (event.kind !== 'samples' || !process.stderr.isTTY) continue;
    firstUs ??= event.tUs[0] ?? 0;
    const second = Math.floor(((event.tUs.at(-1) ?? firstUs) - firstUs) / 1e6);
    if (second > shown) process.stderr.write(`\r${second} s `);
    shown = second;
  }
}

async function calibrate({ config: path, sim }: { config: string; sim?: boolean }): Promise<void> {
  const config = await readConfig(path);
  const ending = new AbortController();
  const { nowUs } = await openBoardClock(null, null);
  const hand = sim ? laidMotion() : null;
  const board = await openBoard(config, nowUs, hand?.motion ?? false, ending.signal);
  const keys = createInterface({ input: process.stdin, output: process.stderr });
  let hasEnded = false;
  keys.once('close', () => {
    hasEnded = true;
  });
  const prompts = {
    tell: (text: string) => void process.stderr.write(`${text}\n`),
    async ask(text: string) {
      if (hasEnded)
        throw new AppError('usage', 'the input ended before the calibration did', { hint: 'run it in a terminal' });
      await Promise.race([keys.question(`${text}\n  Enter when done: `), once(keys, 'close')]);
      hand?.turn();
    },
  };
  try {
    for (const { id, chip } of board.chips) {
      prompts.tell(id);
      const found = await calibrateChip({ chip, prompts, clock: systemClock, signal: ending.signal });
      await storeCalibration(config.stateDir, id, found);
      process.stdout.write(`${id}: ${JSON.stringify(found)}\n`);
    }
    prompts.tell(`stored in ${calibrationPath(config.stateDir)}; the agent takes it at its next start`);
  } finally {
    keys.close();
    ending.abort(new Error('calibrated'));
    await board.close();
  }
}

async function readConfig(path: string): Promise<AgentConfig> {
  return parseAgentConfig(await readAgentSettings(path), path);
}

/** The chips of the settings, not started. @param simulated what moves the simulated board, null: a walk; false: the real chips */
async function openBoard(
  config: AgentConfig,
  nowUs: () => number,
  simulated: MotionSource | null | false,
  signal: AbortSignal,
): Promise<BoardChips> {
  if (simulated === false && (await isAgentListening(config.stateDir)))
    throw new AppError('state-in-use', 'an agent reads these sensors', {
      where: config.stateDir,
      hint: 'stop it first: sudo systemctl stop qqr-agent',
    });
  const hardware: Hardware =
    simulated === false
      ? kernelHardware(config.gpio.chip)
      : await simulatedHardware(configuredChips(config.sensors), simulated, signal);
  return openBoardChips(config.sensors, {
    openBus: hardware.openBus,
    openGpio: async () => hardware.gpio,
    calibrations: await loadCalibrations(config.stateDir),
    nowUs,
    sleep: (ms) => systemClock.sleep(ms),
  });
}
