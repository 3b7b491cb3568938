/**
 * Trials over several processes, handed out one at a time, so that a slow one holds up nothing but itself.
 * Invariant: each trial ends in exactly one of `onResult` and `onFailure`. A worker that dies takes its trial with it; a new one
 * tries that trial once more, and only then is it given up. A trial that throws is not tried again: it would throw again.
 */
import type { ChildProcess } from 'node:child_process';
import { AppError } from '../../core/base/errors.ts';
import type { DataFacts } from './experiment.ts';
import type { Trial, TrialResult } from './trial.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';

export interface PoolOptions {
  /** Processes at work at once, at least 1. */
  readonly jobs: number;
  /** Starts a process that runs `serveTrials`, with an IPC channel. */
  readonly fork: () => ChildProcess;
}

export interface TrialListener {
  onResult(trial: Trial, result: TrialResult): Promise<void>;
  onFailure(trial: Trial, message: string): void;
}

export interface Pool {
  readonly facts: DataFacts;
  /** Rejects only with what `onResult` rejects with, or when a worker cannot be started. */
  run(trials: readonly Trial[], listener: TrialListener): Promise<void>;
  stop(): void;
}

type Outcome =
  | { readonly kind: 'result'; readonly result: TrialResult }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'died'; readonly message: string };

interface Worker {
  readonly child: ChildProcess;
  readonly facts: DataFacts;
}

/** Starts the first worker and waits until it has the recordings; the others start when there is work. @throws AppError the worker's. */
export async function startPool({ jobs, fork }: PoolOptions): Promise<Pool> {
  const workers: (Worker | null)[] = Array.from({ length: jobs }, () => null);
  let isStopped = false;
  const begin = async (slot: number): Promise<Worker> => {
    const worker = await startWorker(fork());
    workers[slot] = worker;
    if (isStopped) worker.child.kill();
    return worker;
  };
  const { facts } = await begin(0);

  async function attempt(slot: number, trial: Trial): Promise<Outcome> {
    const worker = workers[slot] ?? (await begin(slot));
    const outcome = await askWorker(worker.child, trial);
    if (outcome.kind === 'died') workers[slot] = null;
    return outcome;
  }

  async function work(slot: number, queue: Trial[], listener: TrialListener): Promise<void> {
    for (let trial = queue.shift(); trial !== undefined && !isStopped; trial = queue.shift()) {
      let outcome = await attempt(slot, trial);
      if (outcome.kind === 'died' && !isStopped) outcome = await attempt(slot, trial);
      if (outcome.kind === 'result') await listener.onResult(trial, outcome.result);
      else listener.onFailure(trial, outcome.message);
    }
  }

  return {
    facts,
    async run(trials, listener) {
      const queue = [...trials];
      const busy = Array.from({ length: Math.min(jobs, queue.length) }, (_, slot) => work(slot, queue, listener));
      await Promise.all(busy).finally(() => {
        queue.length = 0;
      });
    },
    stop() {
      isStopped = true;
      for (const worker of workers) worker?.child.kill();
    },
  };
}

function startWorker(child: ChildProcess): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null, signal: string | null) =>
      reject(new AppError('internal', `a worker ended before it was ready (${signal ?? `status ${code}`})`));
    child.once('exit', onExit);
    child.once('error', reject);
    child.once('message', (message: FromWorker) => {
      child.off('exit', onExit);
      if (message.kind === 'ready') resolve({ child, facts: message.facts });
      else if (message.kind === 'unable') reject(new AppError(message.code, message.what, placeOf(message)));
    });
  });
}

function placeOf({ where, hint }: Extract<FromWorker, { kind: 'unable' }>) {
  return { ...(where === undefined ? {} : { where }), ...(hint === undefined ? {} : { hint }) };
}

function askWorker(child: ChildProcess, trial: Trial): Promise<Outcome> {
  return new Promise((resolve) => {
    const settle = (outcome: Outcome) => {
      child.off('exit', onExit);
      child.off('message', onMessage);
      resolve(outcome);
    };
    const onExit = (code: number | null, signal: string | null) =>
      settle({ kind: 'died', message: `its worker died (${signal ?? `status ${code}`}), and so did the next` });
    const onMessage = (message: FromWorker) => {
      if (message.kind === 'result') settle({ kind: 'result', result: message.result });
      else if (message.kind === 'failed') settle({ kind: 'failed', message: message.message });
    };
    if (child.exitCode !== null || child.signalCode !== null) return onExit(child.exitCode, child.signalCode);
    child.once('exit', onExit);
    child.on('message', onMessage);
    child.send({ kind: 'trial', trial } satisfies ToWorker, (error) => {
      if (error !== null) settle({ kind: 'died', message: error.message });
    });
  });
}
