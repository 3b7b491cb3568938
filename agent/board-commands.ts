/** `qqr agent probe` and `qqr agent doctor`: what is wired to a board, and what could keep it from working. */
import { execFile } from 'node:child_process';
import { access, constants, mkdir, statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { promisify } from 'node:util';
import type { Command } from 'commander';
import { AppError, ERROR_CODES } from '../core/base/errors.ts';
import { readLinkFiles } from '../core/link/link-files.ts';
import type { AgentConfig } from './config.ts';
import { kernelHardware, simulatedHardware } from './hardware.ts';
import { busSpeedHz, linuxI2c, listI2cBuses } from './hw/i2c-linux.ts';
import { isAgentListening } from './labels/label-socket.ts';
import { examine, type Finding, type Patient } from './ops/doctor.ts';
import { type ProbedBus, probe, probedText } from './ops/probe.ts';
import { reachBroker } from './reach-broker.ts';
import { configuredChips } from './sensors/board-chips.ts';

export function addBoardCommands(agent: Command, readConfig: (path: string) => Promise<AgentConfig>): void {
  agent
    .command('probe')
    .description('Show which chips answer on the I2C buses, with the settings block for each.')
    .option('--bus <n>', 'this bus only')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExample:\n  qqr agent probe | sudo tee -a /etc/qqr/agent.toml')
    .action(showProbe);
  agent
    .command('doctor')
    .description('Look for everything that could keep this board from working, and say what to do.')
    .requiredOption('--config <file>', 'settings (TOML)')
    .option('--sim', 'simulated chips instead of the real ones')
    .option('--json', 'one JSON object')
    .addHelpText('after', '\nExample:\n  sudo -u qqr qqr agent doctor --config /etc/qqr/agent.toml')
    .action(showDoctor);

  async function showDoctor({ config: path, sim, json }: { config: string; sim?: boolean; json?: boolean }) {
    const config = await readConfig(path);
    const ending = new AbortController();
    const patient = patientOf(config);
    const { openBus } = await simulatedHardware(sim ? patient.chips : [], null, ending.signal);
    showFindings(await examine(sim ? { ...patient, openBus, busSpeedHz: async () => null } : patient), json ?? false);
    ending.abort(new Error('examined'));
  }
}

async function showProbe({ bus, json }: { bus?: string; json?: boolean }): Promise<void> {
  const wanted = bus === undefined ? undefined : Number(bus);
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 0))
    throw new AppError('usage', `--bus takes the number of a bus, not ${bus}`);
  const buses = (await listI2cBuses()).filter(({ number }) => wanted === undefined || number === wanted);
  if (buses.length === 0) await (await linuxI2c()(wanted ?? 1)).close(); // says why there is none
  const open = linuxI2c();
  const results: ProbedBus[] = [];
  for (const { number, name } of buses) {
    const handle = await open(number);
    const found = await probe(handle).finally(() => handle.close());
    results.push({ bus: number, name, speedHz: await busSpeedHz(number), found });
  }
  if (json) return void process.stdout.write(`${JSON.stringify(results)}\n`);
  process.stdout.write(results.map(probedText).join(''));
}

const SIGNS = { ok: ' ok ', warn: 'WARN', fail: 'FAIL' } as const;

function showFindings(findings: readonly Finding[], json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(findings)}\n`);
  else {
    const width = Math.max(...findings.map(({ what }) => what.length));
    for (const { what, state, found, todo } of findings) {
      process.stdout.write(`${SIGNS[state]}  ${what.padEnd(width)}  ${found}\n`);
      if (todo !== undefined && todo !== '') process.stdout.write(`      ${' '.repeat(width)}→ ${todo}\n`);
    }
  }
  const code = findings.find(({ state }) => state === 'fail')?.code;
  if (code !== undefined) process.exitCode = ERROR_CODES[code].exit;
}

function patientOf(config: AgentConfig): Patient {
  const { stateDir, link, learner, buffer } = config;
  return {
    node: { version: process.version, arch: process.arch },
    memoryMb: totalmem() / 1e6,
    packages: () => Promise.all(ADD_ONS.map(async (name) => ({ name, problem: await whyNotLoaded(name) }))),
    chips: configuredChips(config.sensors),
    openBus: kernelHardware(config.gpio.chip).openBus,
    busSpeedHz: (n) => busSpeedHz(n),
    isClockSynchronized,
    link,
    readLink: () => readLinkFiles(link),
    wallMs: () => Date.now(),
    reachBroker: () => reachBroker(link),
    stateDir,
    writeState: () => writeState(stateDir),
    freeMb: async () => {
      const { bavail, bsize } = await statfs(stateDir);
      return (bavail * bsize) / 1e6;
    },
    needs: { learnerMb: learner.memoryMb, bufferMb: buffer.capMb },
    isRunning: () => isAgentListening(stateDir),
  };
}

const ADD_ONS = ['better-sqlite3', 'i2c-bus', 'onoff', '@tensorflow/tfjs-node'];
/** SQLite's add-on is loaded by the first database. */
const loading = (name: string) => (name === 'better-sqlite3' ? `require('${name}')(':memory:')` : `require('${name}')`);
const run = promisify(execFile);

/** In a process of its own: an add-on that crashes is a finding, too. */
async function whyNotLoaded(name: string): Promise<string | null> {
  const cwd = import.meta.dirname;
  return run(process.execPath, ['-e', loading(name)], { cwd, timeout: 60_000 }).then(
    () => null,
    (error: unknown) => (/^\w*Error:.*$/m.exec(String(error)) ?? [String(error)])[0].slice(0, 200),
  );
}

async function isClockSynchronized(): Promise<boolean | null> {
  return run('timedatectl', ['show', '--property=NTPSynchronized', '--value'], { timeout: 10_000 }).then(
    ({ stdout }) => stdout.trim() === 'yes',
    () => null,
  );
}

async function writeState(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true });
    await access(stateDir, constants.W_OK);
  } catch (cause) {
    throw new AppError('storage-failed', 'the state folder cannot be written', {
      where: stateDir,
      hint: 'run as the user of the service (sudo -u qqr), or set stateDir',
      cause,
    });
  }
}
