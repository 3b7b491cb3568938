/**
 * Composition root of a board: from settings and a sensor to a running pipeline.
 * Started in the order state folder → store → sensors → link → session → acquisition → doors for labels, stopped in reverse; the
 * learner starts with the first round.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import type { Lifecycle } from '../core/base/lifecycle.ts';
import type { Log } from '../core/base/log.ts';
import { createCertificateWatch } from '../core/link/certificate-watch.ts';
import { createMqttTransport } from '../core/link/mqtt.ts';
import type { Transport } from '../core/link/transport.ts';
import { createRng } from '../core/math/rng.ts';
import type { WindowModality } from '../core/stream/align.ts';
import { topics as topicsOf } from '../core/wire/topics.ts';
import { createBoardLearner, type LearnerPlace } from './board-learner.ts';
import { countLink, createBoardMetricsDoor } from './board-metrics.ts';
import type { AgentConfig } from './config.ts';
import type { Hardware } from './hardware.ts';
import { type LiveSensor, startLiveSensor } from './live-sensor.ts';
import { createPipeline, type Pipeline } from './pipeline.ts';
import { BOARD_CLOCK_STATE } from './sensors/board-clock.ts';
import type { Sensor } from './sensors/sensor.ts';
import { createStateDoors } from './state-doors.ts';
import { type AgentStore, openAgentStore, type StoredFault } from './store/agent-store.ts';
import { lockFolder } from './store/owner-lock.ts';
import { createRecorder, QUALITY_STATE, type Recorder } from './stream/recorder.ts';
import { windowModalities } from './stream/window-modalities.ts';
import { createSession, offlineWill } from './sync/session.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly source: SensorSource;
  readonly learner: LearnerPlace;
  /** Seconds of stream between two transactions: about 1 on a board; a replay at full speed takes more at once. */
  readonly flushSeconds: number;
  /** `retry`: wait for the broker for ever, as a board must; `require`: fail when it is not there. */
  readonly startup: 'require' | 'retry';
  readonly clock: Clock;
  readonly log: Log;
}

/** The chips of `config.sensors` on these buses and pins, or a recording. */
export type SensorSource =
  | { readonly kind: 'chips'; readonly hardware: Hardware }
  | { readonly kind: 'recording'; readonly sensor: Sensor };

export interface RunningAgent {
  /** Resolves when the aggregator has finished or the recording has ended and all is delivered; rejects with what broke. */
  readonly finished: Promise<void>;
  traffic(): ReturnType<Transport['traffic']>;
  /** Grows while sampling goes on; null for a recording. */
  readonly progress: (() => number) | null;
  /** For people: what is sampled, and what is failing. */
  status(): string;
  /** Connects anew, with certificates, key and password as they are now. */
  renewLink(): void;
  /** Stops everything; may be called twice. */
  stop(): Promise<void>;
}

/** The file in a board's state folder that holds everything. */
export function agentStorePath(stateDir: string): string {
  return join(stateDir, 'agent.sqlite');
}

/** Resolves when the pipeline runs. @throws AppError: configuration, storage, sensors, link or shape. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { config, clock, log } = options;
  const running = new AbortController();
  const undo: (() => Promise<void> | void)[] = [];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
    running.abort(new Error('agent stopped')); // last: the link must be up for the farewell
  };
  try {
    undo.push(await claimFolder(config.stateDir));
    const store = openStore(options);
    undo.push(() => store.close());
    const faults = createFaultBox();
    const live = await startChips(options, store, faults.put, running.signal);
    undo.push(() => live?.stop());
    const sensor = live?.sensor ?? recordingOf(options.source);
    const modalities = windowModalities(sensor.header, config.window.seconds);

    const watch = createCertificateWatch(config.link, clock, log);
    await begin(watch, undo, running.signal);
    const transport = createMqttTransport(linkOptions(options, namesOf(modalities)));
    undo.push(() => transport.stop());
    const link = countLink(transport);
    await transport.start(running.signal);

    const learner = createBoardLearner(learnerOptions(options, sensor, modalities, store));
    undo.push(() => learner.stop());
    const session = createSession({
      transport,
      topics: topicsOf(config.fleet),
      device: config.device,
      modalities: namesOf(modalities),
      store,
      trainer: learner.trainer,
      clock,
      random: jitter(config.device, 'session'),
      log,
      silenceMs: config.link.silenceS * 1000,
      outboxBytes: Math.min(config.buffer.outboxMb, config.buffer.capMb / 2) * 1e6,
    });
    const recorder = recorderOn(options, store, sensor, modalities, live?.state ?? {});
    faults.open(recorder.pushFault);
    const pipeline = createPipeline({ sensor, recorder, store, session, arrived: learner.arrived, clock, log });
    undo.push(() => stopPipeline(pipeline, transport, clock));
    await pipeline.start(running.signal);
    await live?.openDoors(transport, session.classes, running.signal);
    const failing = () => live?.failing() ?? [];
    const shown = { modalities: namesOf(modalities), store, prediction: learner.prediction, failing };
    const doors = createStateDoors({ config, ...shown, transport, clock, log });
    await begin(doors, undo, running.signal);
    const seen = { storePath: agentStorePath(config.stateDir), chips: live?.chips ?? null, learner: learner.process };
    const metrics = createBoardMetricsDoor({ config, ...shown, ...seen, session, transport, link, clock, log });
    await begin(metrics, undo, running.signal);
    return {
      finished: pipeline.finished,
      traffic: () => transport.traffic(),
      progress: live?.progress ?? null,
      status: () => live?.status() ?? 'plays a recording',
      renewLink: transport.reconnect,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts it, if there is one; what was begun is stopped even when it could not start. */
async function begin(part: Lifecycle | null, undo: (() => Promise<void> | void)[], signal: AbortSignal): Promise<void> {
  if (part === null) return;
  undo.push(() => part.stop());
  await part.start(signal);
}

/** Makes the folder, and makes it this agent's alone. Returns what gives it back. */
async function claimFolder(stateDir: string): Promise<() => void> {
  await mkdir(stateDir, { recursive: true }).catch((cause: unknown) => {
    throw new AppError('storage-failed', 'the state folder cannot be made', { where: stateDir, cause });
  });
  return lockFolder(stateDir);
}

function openStore({ config, source, log }: AgentOptions): AgentStore {
  const { stateDir, durability, buffer } = config;
  const bounds = {
    capBytes: buffer.capMb * 1e6,
    maxAgeUs: buffer.maxAgeDays * 86_400e6,
    policy: buffer.policy,
  };
  // A recording is learned from to its end, whatever its length.
  const bounded = source.kind === 'recording' ? {} : { bounds };
  return openAgentStore(agentStorePath(stateDir), { durability, log, ...bounded });
}

/** What a broker has to hear the farewell: a service that is told to stop must be gone before it is killed. */
const FAREWELL_MS = 8000;

/** Where the broker does not answer, the link goes first, and with it everything that waits for an answer. */
async function stopPipeline(pipeline: Pipeline, transport: Transport, clock: Clock): Promise<void> {
  const over = new AbortController();
  const stopped = pipeline.stop().finally(() => over.abort());
  await clock.sleep(FAREWELL_MS, over.signal).then(
    () => transport.stop(),
    () => undefined,
  );
  await stopped;
}

/** Null for a recording. */
async function startChips(
  { config, source, clock, log }: AgentOptions,
  store: AgentStore,
  onFault: (fault: StoredFault) => void,
  signal: AbortSignal,
): Promise<LiveSensor | null> {
  if (source.kind === 'recording') return null;
  const kept = { clock: store.state(BOARD_CLOCK_STATE), lastUs: store.lastStoredUs() };
  return startLiveSensor({ config, hardware: source.hardware, kept, onFault, clock, log }, signal);
}

function recordingOf(source: SensorSource): Sensor {
  if (source.kind === 'recording') return source.sensor;
  throw new AppError('internal', 'chips that have not been started');
}

function recorderOn(
  { config, flushSeconds }: AgentOptions,
  store: AgentStore,
  { header }: Sensor,
  modalities: readonly WindowModality[],
  state: Readonly<Record<string, Uint8Array>>,
): Recorder {
  return createRecorder({
    header,
    modalities,
    windowSeconds: config.window.seconds,
    overlap: config.window.overlap,
    flushSeconds,
    position: store.ingestPosition(),
    qualityState: store.state(QUALITY_STATE),
    state,
  });
}

/** Faults of the first moments wait here until there is a recorder to put them in. */
function createFaultBox() {
  let waiting: StoredFault[] = [];
  let deliver = (fault: StoredFault): void => void waiting.push(fault);
  return {
    put: (fault: StoredFault) => deliver(fault),
    open(to: (fault: StoredFault) => void) {
      deliver = to;
      for (const fault of waiting) to(fault);
      waiting = [];
    },
  };
}

function namesOf(modalities: readonly WindowModality[]): string[] {
  return modalities.map(({ name }) => name);
}

function learnerOptions(
  { config, learner: place, clock, log }: AgentOptions,
  { finite }: Sensor,
  modalities: readonly WindowModality[],
  store: AgentStore,
) {
  const { device } = config;
  const storePath = agentStorePath(config.stateDir);
  return { config, place, modalities, finite, store, storePath, random: jitter(device, 'learner'), clock, log };
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
    files: link,
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
