/**
 * Composition root of a board: from settings and a sensor to a running pipeline.
 * Started in the order store → link → session → acquisition, stopped in reverse; the learner starts with the first round.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import type { Log } from '../core/base/log.ts';
import { createMqttTransport } from '../core/link/mqtt.ts';
import type { Transport } from '../core/link/transport.ts';
import { createRng } from '../core/math/rng.ts';
import type { NetworkFor } from '../core/model/network-cache.ts';
import type { WindowModality } from '../core/stream/align.ts';
import { topics as topicsOf } from '../core/wire/topics.ts';
import type { AgentConfig } from './config.ts';
import { createLearnerProcess } from './learn/learner-process.ts';
import { createTrainer } from './learn/trainer.ts';
import { createPipeline } from './pipeline.ts';
import type { Sensor } from './sensors/sensor.ts';
import { type AgentStore, openAgentStore } from './store/agent-store.ts';
import { createArrivals } from './stream/arrivals.ts';
import { createRecorder, QUALITY_STATE } from './stream/recorder.ts';
import { createSession, offlineWill, type RoundTrainer } from './sync/session.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly sensor: Sensor;
  readonly learner: LearnerPlace;
  /** Seconds of stream between two transactions: about 1 on a board; a replay at full speed takes more at once. */
  readonly flushSeconds: number;
  /** `retry`: wait for the broker for ever, as a board must; `require`: fail when it is not there. */
  readonly startup: 'require' | 'retry';
  readonly clock: Clock;
  readonly log: Log;
}

export type LearnerPlace =
  /** In a process of its own, so that sampling never waits for training: a board. */
  | { readonly kind: 'child' }
  /** In this process, with a network that many boards may share: a replay. */
  | { readonly kind: 'inside'; readonly networkFor: NetworkFor };

export interface RunningAgent {
  /** Resolves when the aggregator has finished or the recording has ended and all is delivered; rejects with what broke. */
  readonly finished: Promise<void>;
  traffic(): ReturnType<Transport['traffic']>;
  /** Stops everything; may be called twice. */
  stop(): Promise<void>;
}

/** The file in a board's state folder that holds everything. */
export function agentStorePath(stateDir: string): string {
  return join(stateDir, 'agent.sqlite');
}

/** Resolves when the pipeline runs. @throws AppError: configuration, storage, link or shape. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { config, sensor, clock, log } = options;
  const running = new AbortController();
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
    running.abort(new Error('agent stopped')); // last: the link must be up for the farewell
  };
  try {
    const modalities = windowModalities(sensor, config.window.seconds);
    const names = modalities.map(({ name }) => name);
    const topics = topicsOf(config.fleet);
    await mkdir(config.stateDir, { recursive: true }).catch((cause: unknown) => {
      throw new AppError('storage-failed', 'the state folder cannot be made', { where: config.stateDir, cause });
    });
    const store = openAgentStore(agentStorePath(config.stateDir), { durability: config.durability, log });
    undo.push(() => store.close());

    const transport = createMqttTransport(linkOptions(options, names));
    undo.push(() => transport.stop());
    await transport.start(running.signal);

    const learner = createLearner(options, modalities, store);
    undo.push(() => learner.stop());
    const session = createSession({
      transport,
      topics,
      device: config.device,
      modalities: names,
      store,
      trainer: learner.trainer,
      clock,
      random: jitter(config.device, 'session'),
      log,
    });
    const recorder = createRecorder({
      header: sensor.header,
      modalities,
      windowSeconds: config.window.seconds,
      overlap: config.window.overlap,
      flushSeconds: options.flushSeconds,
      position: store.ingestPosition(),
      qualityState: store.state(QUALITY_STATE),
    });
    const pipeline = createPipeline({ sensor, recorder, store, session, arrived: learner.arrived, log });
    undo.push(() => pipeline.stop());
    await pipeline.start(running.signal);
    return { finished: pipeline.finished, traffic: () => transport.traffic(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Learner {
  readonly trainer: RoundTrainer;
  arrived(): void;
  stop(): Promise<void>;
}

function createLearner(
  { config, sensor, learner, clock, log }: AgentOptions,
  modalities: readonly WindowModality[],
  store: AgentStore,
): Learner {
  const { device, durability } = config;
  const shared = { device, modalities, finite: sensor.finite };
  if (learner.kind === 'inside') {
    const { announce, next } = createArrivals();
    const trainer = createTrainer({ ...shared, store, networkFor: learner.networkFor, nextArrival: next, log });
    return { trainer, arrived: announce, stop: async () => undefined };
  }
  const { memoryMb, nice } = config.learner;
  const settings = { ...shared, storePath: agentStorePath(config.stateDir), durability, nice };
  const trainer = createLearnerProcess({ settings, memoryMb, clock, random: jitter(device, 'learner'), log });
  return { trainer, arrived: trainer.arrived, stop: trainer.stop };
}

function linkOptions({ config, startup, clock, log }: AgentOptions, modalities: readonly string[]) {
  const { device, fleet, link } = config;
  return {
    url: link.url,
    clientId: device,
    clean: false,
    startup,
    will: offlineWill(topicsOf(fleet), device, modalities),
    ...(link.username !== undefined && { username: link.username }),
    ...(link.password !== undefined && { password: link.password }),
    keepaliveSeconds: link.keepaliveS,
    clock,
    random: jitter(device, 'link'),
    log,
  };
}

/** A stream of random numbers of the board's own: boards that lost their broker together must not come back together. */
function jitter(device: string, use: string): () => number {
  return createRng(`${device}/${use}`).next;
}

/** Below this the signal measures have nothing to measure. */
const LEAST_SAMPLES = 4;

/** The sensor's modalities with the length of their windows. @throws AppError `config-invalid` when a window is too short for one. */
function windowModalities(sensor: Sensor, windowSeconds: number): WindowModality[] {
  return sensor.header.modalities.map((modality) => {
    const samples = Math.round(windowSeconds * modality.sampleRateHz);
    if (samples >= LEAST_SAMPLES) return { ...modality, samples };
    throw new AppError('config-invalid', `${windowSeconds} s hold ${samples} samples of '${modality.name}'`, {
      where: 'window.seconds',
      hint: `a window needs at least ${LEAST_SAMPLES} samples: at ${modality.sampleRateHz} Hz that is ${LEAST_SAMPLES / modality.sampleRateHz} s`,
    });
  });
}
