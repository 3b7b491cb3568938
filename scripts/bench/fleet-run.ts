/**
 * One run of the real aggregator with a crowd of boards (`board-crowd.ts`): `qqr server run` as a process of its own, its broker inside
 * it or a Mosquitto beside it, boards in this process. Comes back with the rounds, what the processes took, and the databases' books.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stringify } from 'smol-toml';
import { systemClock } from '../../core/base/clock.ts';
import type { ServerConfigInput } from '../../server/config.ts';
import { storePath } from '../../server/main.ts';
import type { RoundRecord } from '../../server/record.ts';
import { readArchivedRound } from '../../server/store/archive.ts';
import { type CrowdOptions, type CrowdTally, createBoardCrowd } from './board-crowd.ts';
import { type Books, compareBooks } from './exactly-once.ts';
import { createProcessMeter, type ProcessMeter } from './process-meter.ts';

const COMMAND = fileURLToPath(new URL('../qqr.js', import.meta.url));
const SAMPLE_MS = 1000;
/** A finished aggregator gives boards 5 s to say goodbye; what they hear of afterwards is the books' business. */
const SETTLE_MS = 1000;

export interface FleetRunOptions extends Omit<CrowdOptions, 'url' | 'fleet'> {
  readonly broker: 'embedded' | 'mosquitto';
  readonly rounds: number;
  readonly quorum: number;
  readonly deadlineMs: number;
  /** Boards that must be online before a round opens. */
  readonly online: number;
  readonly durability: 'full' | 'normal';
  /** Default: the reference network. */
  readonly model?: ServerConfigInput['model'];
  /** A folder for the aggregator's processor profile. */
  readonly profile?: string;
}

export interface FleetRound {
  readonly record: RoundRecord;
  /** Since the boards were started; when the aggregator told of the round. */
  readonly toldAtMs: number;
  /** By reason, those after the round had closed included. */
  readonly refused: Readonly<Record<string, number>>;
}

export interface FleetRun {
  readonly rounds: readonly FleetRound[];
  readonly tally: CrowdTally;
  readonly meter: ProcessMeter;
  readonly books: Books;
  /** Lines of the aggregator's log by level and message. */
  readonly log: ReadonlyMap<string, number>;
}

interface Program {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
}

export async function runFleet(options: FleetRunOptions): Promise<FleetRun> {
  mkdirSync(options.folder, { recursive: true });
  const programs: Program[] = [];
  const crowdSignal = new AbortController();
  try {
    const broker = options.broker === 'mosquitto' ? await startMosquitto(options.folder, programs) : null;
    const server = await startServer(options, broker, programs);
    const boards = { ...options, fleet: 'default', folder: join(options.folder, 'boards'), url: server.url };
    const crowd = createBoardCrowd(boards);
    crowd.prepare();
    const pids = programs.map(({ child }, i): [string, number] => [
      i === programs.length - 1 ? 'server' : 'broker',
      child.pid as number,
    ]);
    const meter = createProcessMeter({ ...Object.fromEntries(pids), boards: process.pid });
    const startMs = systemClock.nowMs();
    const told: { readonly record: RoundRecord; readonly toldAtMs: number }[] = [];
    server.onRecord((record) => told.push({ record, toldAtMs: systemClock.nowMs() - startMs }));
    meter.sample(0);
    const sampling = setInterval(() => meter.sample(systemClock.nowMs() - startMs), SAMPLE_MS);
    try {
      await crowd.start(crowdSignal.signal);
      const code = await server.program.ended;
      if (code !== 0) throw new Error(`the aggregator ended with status ${code}`);
      await systemClock.sleep(SETTLE_MS);
    } finally {
      clearInterval(sampling);
      await crowd.stop();
    }
    const path = storePath(server.stateDir);
    const rounds = told.map((round) => ({
      ...round,
      refused: readArchivedRound(path, round.record.round).rejections,
    }));
    return {
      rounds,
      tally: crowd.tally,
      meter,
      books: compareBooks(path, crowd.members),
      log: linesOf(server.logFile),
    };
  } finally {
    for (const { child } of programs) child.kill('SIGTERM');
    await Promise.all(programs.map(({ ended }) => ended));
  }
}

async function startServer(options: FleetRunOptions, broker: string | null, programs: Program[]) {
  const stateDir = join(options.folder, 'server');
  const configFile = join(options.folder, 'server.toml');
  const config: ServerConfigInput = {
    stateDir,
    durability: options.durability,
    http: { listen: 'off' },
    broker: broker === null ? { listen: '127.0.0.1:0' } : { url: broker },
    rounds: {
      boards: options.online,
      max: options.rounds,
      quorum: options.quorum,
      deadlineS: options.deadlineMs / 1000,
    },
    ...(options.model && { model: options.model }),
  };
  writeFileSync(configFile, stringify(config));
  const profile = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  const args = [...profile, COMMAND, 'server', 'run', '--config', configFile, '--json'];
  const logFile = join(options.folder, 'server.log');
  // The log goes to a file: a pipe that this busy process is slow to read would hold the aggregator up.
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', openSync(logFile, 'w')] });
  const program = { child, ended: endOf(child) };
  programs.push(program);
  let onRecord: (record: RoundRecord) => void = () => undefined;
  createInterface({ input: child.stdout as Readable }).on('line', (line) => onRecord(JSON.parse(line) as RoundRecord));
  const url = await readyAt(logFile, program.ended);
  const tellOf = (take: typeof onRecord) => {
    onRecord = take;
  };
  return { url, stateDir, logFile, program, onRecord: tellOf };
}

/** Where boards reach the aggregator, as soon as its log says so. */
async function readyAt(logFile: string, ended: Promise<unknown>): Promise<string> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  for (;;) {
    const url = /"url":"([^"]+)","httpUrl"/.exec(readFileSync(logFile, 'utf8'))?.[1];
    if (url !== undefined) return url;
    if (isOver) throw new Error(`the aggregator did not start: ${readFileSync(logFile, 'utf8')}`);
    await systemClock.sleep(50);
  }
}

/** Lines of a log by level and message. */
function linesOf(logFile: string): Map<string, number> {
  const lines = new Map<string, number>();
  for (const line of readFileSync(logFile, 'utf8').split('\n')) {
    if (line === '') continue;
    const { level, msg } = line.startsWith('{')
      ? (JSON.parse(line) as { level: number; msg: string })
      : { level: '', msg: line };
    const what = `${level} ${msg}`;
    lines.set(what, (lines.get(what) ?? 0) + 1);
  }
  return lines;
}

/** Mosquitto as it comes, with no limit set: its queue of 1000 messages for each client may overflow. */
async function startMosquitto(folder: string, programs: Program[]): Promise<string> {
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as { port: number };
  free.close();
  const config = join(folder, 'mosquitto.conf');
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\nuser root\n`);
  const path = `${process.env['PATH']}:/usr/sbin:/usr/local/sbin`; // not on every user's PATH
  const child = spawn('mosquitto', ['-c', config], { stdio: 'ignore', env: { ...process.env, PATH: path } });
  const program = { child, ended: endOf(child) };
  programs.push(program);
  let gone = false;
  program.ended.then(
    () => (gone = true),
    () => (gone = true),
  );
  while (!(await accepts(port))) {
    if (gone) throw new Error('Mosquitto did not start: is it installed?');
    await systemClock.sleep(20);
  }
  return `mqtt://127.0.0.1:${port}`;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isOpen = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isOpen;
}

/** The exit status; null when it could not be started or was ended by a signal. */
function endOf(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', (code) => resolve(code));
  });
}
