/**
 * In the guest: a whole board. Probe, aggregator, agent with its learner, a label; then for a while nothing but
 * watching. What the test wants to know it finds in the board's database and in `facts.json`, both left in the shared folder.
 * See `board-run.ts`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { listI2cBuses } from '../../../agent/hw/i2c-linux.ts';
import { agentStorePath } from '../../../agent/main.ts';
import { openAgentReader } from '../../../agent/store/agent-store.ts';
import { type QqrProcess, startQqr } from '../../fixtures/qqr-process.ts';
import type { BoardFacts, BoardRun, Load } from '../board-facts.ts';
import type { BoardRunCalls } from '../board-run.ts';
import { bestReading, type ClockReading } from '../clock-fit.ts';
import { openHost } from './host.ts';
import { ACTIVITY } from './wiring.ts';

const QQR = fileURLToPath(new URL('../../../scripts/qqr.js', import.meta.url));
const SHARE = '/mnt/share';
/** Emulated processors load TensorFlow slowly. */
const TRAINING_WITHIN_MS = 180_000;
const TICKS_PER_SECOND = 100; // USER_HZ, fixed on Linux
const TICK_MS = 10;

const host = openHost<BoardRunCalls>();
const nowUs = () => Number(process.hrtime.bigint()) / 1000;
const since = performance.now();
const say = (what: string) => console.log(`${((performance.now() - since) / 1000).toFixed(1)} s  ${what}`);

function readClock(): ClockReading {
  const read = () => {
    const beforeUs = nowUs();
    const farUs = host.call('nowUs');
    return { beforeUs, farUs, afterUs: nowUs() };
  };
  return bestReading(Array.from({ length: 10 }, read));
}

/** A learner that never has to wait: a few windows a round, and more steps on them than fit into the time in which new ones come. */
function serverSettings(stateDir: string, rateHz: number): string {
  const sensor = { channels: ['x', 'y', 'z'], sampleRateHz: rateHz };
  return stringify({
    stateDir,
    rounds: { boards: 1, max: 0, deadlineS: 0 },
    strategy: { name: 'qqr', windowsPerRound: 2, localSteps: 40 },
    model: {
      windowSeconds: 2.56,
      classes: [ACTIVITY, 'sitting'],
      modalities: [
        { name: 'acc', unit: 'mps2', ...sensor },
        { name: 'gyr', unit: 'radps', ...sensor },
      ],
    },
  });
}

function qqr(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [QQR, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`qqr ${args.join(' ')}: ${status}\n${stderr}`);
  return stdout;
}

interface Usage {
  readonly pid: number;
  readonly cpuS: number;
  readonly rssMb: number;
  readonly peakMb: number;
}

function usageOf(pid: number): Usage {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) / 1000;
  const cpuS = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND; // utime, stime: proc(5)
  return { pid, cpuS, rssMb: mb('VmRSS'), peakMb: mb('VmHWM') };
}

/** The learner is the agent's only child. Null between two of them. */
function learnerOf(pid: number): Usage | null {
  const child = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0];
  return child === '' ? null : usageOf(Number(child));
}

function load(from: Usage, to: Usage, seconds: number): Load {
  return { cpuPercent: (100 * (to.cpuS - from.cpuS)) / seconds, rssMb: to.rssMb, peakMb: to.peakMb };
}

/** Rounds that the learner has committed; −1: none. */
function learntRound(stateDir: string): number {
  if (!existsSync(agentStorePath(stateDir))) return -1;
  const store = openAgentReader(agentStorePath(stateDir));
  try {
    return store.checkpoint()?.round ?? -1;
  } finally {
    store.close();
  }
}

async function untilTraining(stateDir: string): Promise<void> {
  const giveUp = performance.now() + TRAINING_WITHIN_MS;
  while (learntRound(stateDir) < 1) {
    if (performance.now() > giveUp) throw new Error('the learner has not trained');
    await sleep(1000);
  }
}

async function startBoth(folder: string, { chip, address, rateHz }: BoardRun, bus: number) {
  const [serverFile, agentFile] = [join(folder, 'server.toml'), join(folder, 'agent.toml')];
  writeFileSync(serverFile, serverSettings(join(folder, 'server'), rateHz));
  const stateDir = join(folder, 'agent');
  writeFileSync(agentFile, stringify({ device: 'pi-1', stateDir, sensors: [{ chip, bus, address, rateHz }] }));
  const server = startQqr(['server', 'run', '--config', serverFile]);
  await server.logged('aggregator ready');
  say('aggregator ready');
  const agent = startQqr(['agent', 'run', '--config', agentFile]);
  await agent.logged('sensor found');
  say('sensor found');
  return { server, agent, stateDir };
}

async function stopped(qqrProcess: QqrProcess) {
  qqrProcess.child.kill('SIGTERM');
  return qqrProcess.ended;
}

/** The longest that this program, which does next to nothing, had to wait for a processor. */
function watchStalls() {
  let lastMs = performance.now();
  let longestMs = 0;
  const look = () => {
    longestMs = Math.max(longestMs, performance.now() - lastMs - TICK_MS);
    lastMs = performance.now();
  };
  const timer = setInterval(look, TICK_MS);
  return () => {
    look();
    clearInterval(timer);
    return longestMs;
  };
}

async function watch(agentPid: number, stateDir: string, seconds: number) {
  const [fromUs, round] = [nowUs(), learntRound(stateDir)];
  const [agentBefore, learnerBefore] = [usageOf(agentPid), learnerOf(agentPid)];
  const readings: ClockReading[] = [];
  const stalls = watchStalls();
  while (nowUs() < fromUs + seconds * 1e6) {
    readings.push(readClock());
    await sleep(1000);
  }
  readings.push(readClock());
  const [agentAfter, learnerAfter] = [usageOf(agentPid), learnerOf(agentPid)];
  const toUs = nowUs();
  const watchedS = (toUs - fromUs) / 1e6;
  const isSame = learnerBefore !== null && learnerBefore.pid === learnerAfter?.pid;
  return {
    readings,
    stallMs: stalls(),
    fromUs,
    toUs,
    agent: load(agentBefore, agentAfter, watchedS),
    learner: isSame ? load(learnerBefore, learnerAfter, watchedS) : null,
    rounds: learntRound(stateDir) - round,
  };
}

async function runBoard(run: BoardRun, bus: number): Promise<BoardFacts> {
  const folder = mkdtempSync(join(tmpdir(), 'board-run-'));
  host.call('mountChip', run.chip, run.address);
  const probed = qqr('agent', 'probe', '--json');
  say(`probed: ${probed.trim()}`);
  const { server, agent, stateDir } = await startBoth(folder, run, bus);
  try {
    qqr('label', ACTIVITY, '--state', stateDir);
    say('labelled');
    await untilTraining(stateDir);
    say('training');
    const watched = await watch(Number(agent.child.pid), stateDir, run.seconds);
    say('watched');
    const { code, signal, errors } = await stopped(agent);
    copyFileSync(agentStorePath(stateDir), join(SHARE, 'agent.sqlite'));
    return {
      probed,
      ...watched,
      agentLog: errors,
      exit: { code, signal },
    };
  } finally {
    agent.child.kill('SIGKILL');
    await stopped(server);
    say('stopped');
  }
}

const [bus] = await listI2cBuses();
if (bus === undefined) throw new Error('the guest has no I2C bus');
const facts = await runBoard(JSON.parse(process.argv[2] as string) as BoardRun, bus.number);
writeFileSync(join(SHARE, 'facts.json'), JSON.stringify(facts));
host.close();
