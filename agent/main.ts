/**
 * Composition root of a board: from settings and a sensor to a running pipeline.
 * Started in the order store → link → session → acquisition, stopped in reverse.
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
import { createTrainer } from './learn/trainer.ts';
import { createPipeline } from './pipeline.ts';
import type { Sensor } from './sensors/sensor.ts';
import { openAgentStore } from './store/agent-store.ts';
import { createRecorder, QUALITY_STATE } from './stream/recorder.ts';
import { createArrivals } from './stream/arrivals.ts';
import { createSession, offlineWill } from './sync/session.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly sensor: Sensor;
  /** Shared by the boards of a replay. */
  readonly networkFor: NetworkFor;
  /** Seconds of stream between two transactions: about 1 on a board; a replay at full speed takes more at once. */
  readonly flushSeconds: number;
  /** `retry`: wait for the broker for ever, as a board must; `require`: fail when it is not there. */
  readonly startup: 'require' | 'retry';
  readonly clock: Clock;
  readonly log: Log;
}

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
  const { config, sensor, networkFor, clock, log } = options;
  const running = new AbortController();
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    running.abort(new Error('agent stopped'));
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const modalities = windowModalities(sensor, config.window.seconds);
    const names = modalities.map(({ name }) => name);
    const topics = topicsOf(config.fleet);
    const random = createRng(`${config.device}/link`).next;
    await mkdir(config.stateDir, { recursive: true }).catch((cause: unknown) => {
      throw new AppError('storage-failed', 'the state folder cannot be made', { where: config.stateDir, cause });
    });
    const store = openAgentStore(agentStorePath(config.stateDir), { durability: config.durability, log });
    undo.push(() => store.close());

    const { url, username, password, keepaliveS } = config.link;
    const transport = createMqttTransport({
      url,
      clientId: config.device,
      clean: false,
      startup: options.startup,
      will: offlineWill(topics, config.device, names),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      keepaliveSeconds: keepaliveS,
      clock,
      random,
      log,
    });
    undo.push(() => transport.stop());
    await transport.start(running.signal);

    const arrivals = createArrivals();
    const trainer = createTrainer({
      device: config.device,
      modalities: names,
      store,
      networkFor,
      nextArrival: arrivals.next,
      finite: sensor.finite,
      log,
    });
    const session = createSession({ transport, topics, device: config.device, modalities: names, store, trainer, clock, random, log });
    const recorder = createRecorder({
      header: sensor.header,
      modalities,
      windowSeconds: config.window.seconds,
      overlap: config.window.overlap,
      flushSeconds: options.flushSeconds,
      position: store.ingestPosition(),
      qualityState: store.state(QUALITY_STATE),
    });
    const pipeline = createPipeline({ sensor, recorder, store, session, arrived: arrivals.announce, log });
    undo.push(() => pipeline.stop());
    await pipeline.start(running.signal);
    return { finished: pipeline.finished, traffic: () => transport.traffic(), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The sensor's modalities with the length of their windows. */
function windowModalities(sensor: Sensor, windowSeconds: number): WindowModality[] {
  return sensor.header.modalities.map((modality) => ({
    ...modality,
    samples: Math.round(windowSeconds * modality.sampleRateHz),
  }));
}
