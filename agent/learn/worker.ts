/**
 * The learner as a process of its own: trains the rounds that the agent asks for, on the agent's database. It may be killed at any
 * point, since it commits a round in one transaction or not at all (ARCHITECTURE §2).
 * Invariant: it never outlives the agent, and never takes the processor or the memory that sampling needs: lower priority, and the
 * kernel's first choice when memory runs out (proc(5), oom_score_adj).
 * What goes wrong with a meaning (AppError) is answered. Anything else is a defect and ends the process; the agent starts another.
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { AppError } from '../../core/base/errors.ts';
import type { Log } from '../../core/base/log.ts';
import { createNetworkCache } from '../../core/model/network-cache.ts';
import { openAgentStore } from '../store/agent-store.ts';
import type { FromLearner, LearnerSettings, RoundAnswer, RoundQuestion, ToLearner } from './learner-protocol.ts';
import { createLearning, type Learning } from './learning.ts';
import type { WindowPrediction } from './predictor.ts';

const settings: LearnerSettings = JSON.parse(process.argv[2] as string);
const log: Log = { debug: logAs('debug'), info: logAs('info'), warn: logAs('warn'), error: logAs('error') };
let learning: Learning | null = null;
let underWay = new AbortController();

process.once('disconnect', () => process.exit(0)); // the agent has let go, or is gone
process.on('SIGINT', () => log.debug({}, 'interrupt left to the agent')); // a terminal sends it to both
process.on('message', (message: ToLearner) => {
  if (message.kind === 'arrived') learning?.arrived();
  else if (message.kind === 'abort') underWay.abort();
  else void answer(message);
});
stepBack(settings.nice);

async function answer(asked: RoundQuestion): Promise<void> {
  underWay = new AbortController();
  say({ kind: 'answer', answer: await run(asked, underWay.signal) });
}

async function run({ plan, global }: RoundQuestion, signal: AbortSignal): Promise<RoundAnswer> {
  try {
    learning ??= openLearning();
    return { kind: 'done', result: await learning.runRound(plan, global, signal) };
  } catch (error) {
    if (error instanceof AppError) {
      return { kind: 'failed', code: error.code, what: error.message, where: error.where, hint: error.hint };
    }
    if (signal.aborted) return { kind: 'aborted' };
    throw error;
  }
}

/** At the first round, so that a database which cannot be opened is an answer. */
function openLearning(): Learning {
  const { device, modalities, finite, storePath, durability, predicts } = settings;
  const store = openAgentStore(storePath, { durability, owner: false, log });
  const tell = (prediction: WindowPrediction) => say({ kind: 'prediction', prediction });
  const onPrediction = predicts ? tell : null;
  return createLearning({ device, modalities, store, networkFor: createNetworkCache(), finite, onPrediction, log });
}

function stepBack(nice: number): void {
  for (const step of [offerToKernel, () => lowerPriority(nice)]) {
    try {
      step();
    } catch (error) {
      log.info({ error: String(error) }, 'learner could not step back behind the agent');
    }
  }
}

/** When memory runs out, the kernel takes what has 1000 before everything else. */
function offerToKernel(): void {
  writeFileSync('/proc/self/oom_score_adj', '1000');
}

/** Linux gives each thread a priority of its own: those that Node has started already are told one by one, later ones inherit it. */
function lowerPriority(nice: number): void {
  const priority = Math.min(constants.priority.PRIORITY_LOW, getPriority() + nice);
  for (const thread of readdirSync('/proc/self/task')) setPriority(Number(thread), priority);
}

function logAs(level: keyof Log) {
  return (fields: object, message: string) => say({ kind: 'log', level, fields, message });
}

function say(message: FromLearner): void {
  process.send?.(message, undefined, undefined, () => undefined); // an agent that is gone needs no answer
}
