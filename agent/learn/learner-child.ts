/**
 * One life of the learner process, from its start to its end, seen from the agent.
 * Invariant: it obeys within five seconds or is killed, and it is ended for its memory before the kernel has to choose.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../../core/base/clock.ts';
import type { Log } from '../../core/base/log.ts';
import type { FromLearner, LearnerSettings, RoundAnswer, RoundQuestion, ToLearner } from './learner-protocol.ts';
import type { WindowPrediction } from './predictor.ts';

export interface LearnerChildOptions {
  readonly settings: LearnerSettings;
  /** Resident memory above which it is killed, MB (10⁶ bytes). Watched where there is a /proc. */
  readonly memoryMb: number;
  /** Called with each prediction of a newest window (`LearnerSettings.predicts`). */
  readonly onPrediction?: (prediction: WindowPrediction) => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LearnerChild {
  /** Undefined when it could not be started. */
  readonly pid: number | undefined;
  /** Resolves when the process is gone. */
  readonly ended: Promise<LearnerEnd>;
  /** The answer, or null when it dies before there is one. One question at a time. */
  run(question: RoundQuestion): Promise<RoundAnswer | null>;
  /** Asks for the answer now; a learner that gives none is killed. */
  abort(): void;
  /** Windows may have come. */
  arrived(): void;
  /** Resident memory, MB (10⁶ bytes); null when it cannot be known. */
  residentMb(): Promise<number | null>;
  /** Lets go of it; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface LearnerEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It was ended for its memory. */
  readonly isOverMemory: boolean;
}

const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));
const GRACE_MS = 5000;
const WATCH_MS = 1000;

export function startLearnerChild(options: LearnerChildOptions): LearnerChild {
  const { settings, memoryMb, onPrediction, clock, log } = options;
  const child = fork(WORKER, [JSON.stringify(settings)], {
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const alive = new AbortController();
  let isOverMemory = false;
  let onAnswer: (answer: RoundAnswer | null) => void = () => undefined;
  child.on('message', (message: FromLearner) => {
    if (message.kind === 'answer') onAnswer(message.answer);
    else if (message.kind === 'prediction') onPrediction?.(message.prediction);
    else log[message.level](message.fields, message.message);
  });
  const ended = endOf(child, log).then((how) => {
    alive.abort();
    onAnswer(null);
    return { ...how, isOverMemory };
  });
  void watchMemory(child, memoryMb, clock, alive.signal, (rssMb) => {
    isOverMemory = true;
    log.warn({ rssMb: Math.round(rssMb), memoryMb }, 'learner needs too much memory: killed');
    child.kill('SIGKILL');
  });
  const say = (message: ToLearner) => void child.send(message, () => undefined); // that it is gone shows in `ended`
  const killUnless = (obeyed: AbortSignal) => void killLater(child, clock, obeyed, log);
  return {
    pid: child.pid,
    ended,
    run(question) {
      return new Promise((resolve) => {
        onAnswer = resolve;
        if (alive.signal.aborted) resolve(null);
        say(question);
      });
    },
    abort() {
      const obeyed = new AbortController();
      const tell = onAnswer;
      onAnswer = (answer) => {
        obeyed.abort();
        tell(answer);
      };
      say({ kind: 'abort' });
      killUnless(obeyed.signal);
    },
    arrived: () => say({ kind: 'arrived' }),
    residentMb: async () => (child.pid === undefined ? null : (await residentMb(child.pid)) || null),
    async stop() {
      if (child.connected) child.disconnect();
      killUnless(alive.signal);
      await ended;
    },
  };
}

/** Ends also when the process could not be started at all. */
async function endOf(child: ChildProcess, log: Log): Promise<Omit<LearnerEnd, 'isOverMemory'>> {
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return { code, signal };
  } catch (error) {
    log.warn({ error: String(error) }, 'learner could not be started');
    return { code: null, signal: null };
  }
}

/** Kills the process after the time of grace, unless the signal aborts before. */
async function killLater(child: ChildProcess, clock: Clock, unless: AbortSignal, log: Log): Promise<void> {
  if (!(await hasSlept(clock, GRACE_MS, unless))) return;
  log.warn({ pid: child.pid }, 'learner does not obey: killed');
  child.kill('SIGKILL');
}

/** Calls `onOver` once, when the resident memory is above the limit. */
async function watchMemory(
  { pid }: ChildProcess,
  limitMb: number,
  clock: Clock,
  alive: AbortSignal,
  onOver: (rssMb: number) => void,
): Promise<void> {
  while (pid !== undefined && (await hasSlept(clock, WATCH_MS, alive))) {
    const rssMb = await residentMb(pid);
    if (rssMb > limitMb) return onOver(rssMb);
  }
}

/** False when the signal has ended the sleep. */
async function hasSlept(clock: Clock, ms: number, signal: AbortSignal): Promise<boolean> {
  return clock.sleep(ms, signal).then(
    () => true,
    () => false,
  );
}

/** VmRSS of proc_pid_status(5), MB; 0 where it cannot be known: the process is gone, there is no /proc. */
async function residentMb(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? '0';
  return (Number(kib) * 1024) / 1e6;
}
