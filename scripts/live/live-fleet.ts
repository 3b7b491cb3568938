/**
 * A fleet to look at: the aggregator with its dashboard, and a board per person that plays a recording for ever, some recorded seconds
 * per second, while sensors fail on a script. Everything but the sensors is what runs in the field.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgentConfig } from '../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import { createReplaySensor } from '../../agent/sensors/replay.ts';
import type { Sensor } from '../../agent/sensors/sensor.ts';
import { systemClock } from '../../core/base/clock.ts';
import { silentLog } from '../../core/base/log.ts';
import { createRng } from '../../core/math/rng.ts';
import { createNetworkCache, type NetworkFor } from '../../core/model/network-cache.ts';
import type { DataSet } from '../../core/trace/recording.ts';
import { parseServerConfig, type ServerConfigInput, specFrom } from '../../server/config.ts';
import { startServer } from '../../server/main.ts';
import type { RoundRecord } from '../../server/record.ts';
import { fleetConfig } from '../replay/fleet.ts';
import type { ReplayOptions } from '../replay/options.ts';
import { type BoardPlan, planFleet } from '../replay/plan.ts';
import { loopedEvents } from './looped-recording.ts';
import { type Cue, type Trouble, troubled } from './sensor-script.ts';

export interface Scene {
  /** Seconds after the start. */
  readonly atS: number;
  /** Seconds after the start; null: for good. */
  readonly untilS: number | null;
  /** Which of the boards, from 0. */
  readonly board: number;
  readonly modality: string;
  readonly trouble: Trouble;
}

export interface LiveOptions {
  readonly replay: ReplayOptions;
  readonly seed: number;
  /** Recorded seconds per second. */
  readonly speed: number;
  /** Where the dashboard listens, and who may do what. */
  readonly http: NonNullable<ServerConfigInput['http']>;
  readonly scenes: readonly Scene[];
  readonly onRound: (record: RoundRecord) => void;
}

export interface LiveFleet {
  /** Of the dashboard. */
  readonly url: string;
  /** Names of the boards. */
  readonly boards: readonly string[];
  /** Rejects when a board or the aggregator fails. */
  readonly failed: Promise<never>;
  stop(): Promise<void>;
}

/** Boards tell how they are this often: it is for people who look. */
const STATE_EVERY_S = 2;

export async function startLiveFleet(dataSet: DataSet, options: LiveOptions): Promise<LiveFleet> {
  const { replay, seed, speed, http, onRound } = options;
  const folder = await mkdtemp(join(tmpdir(), 'qqr-live-'));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true, force: true })];
  const stop = async () => {
    for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
  };
  try {
    const networkFor = createNetworkCache();
    const plan = planFleet(dataSet, replay, replay.settings.windowsPerRound ?? 10, seed);
    const settings = fleetConfig(plan, replay, seed, join(folder, 'server'));
    const config = parseServerConfig(
      {
        ...settings,
        fleet: 'live',
        rounds: { ...settings.rounds, max: 0, quorum: 0.8, deadlineS: 6 },
        http,
      },
      'live demo',
    );
    const evaluation = { network: await networkFor(specFrom(config)), windows: plan.holdout };
    const server = await startServer({ config, clock: systemClock, log: silentLog, evaluation, onRound });
    undo.push(() => server.stop());
    const agents: RunningAgent[] = [];
    undo.push(() => Promise.all(agents.map((agent) => agent.stop())));
    for (const [i, board] of plan.boards.entries()) {
      const sensor = await sensorOf(
        board,
        options.scenes.filter((scene) => scene.board === i),
        speed,
        seed,
      );
      agents.push(await startBoard(board, sensor, server.url, options, join(folder, board.device), networkFor));
    }
    const failed = new Promise<never>((_, reject) => {
      for (const running of [server, ...agents]) running.finished.catch(reject);
    });
    failed.catch(() => undefined); // whoever awaits it is told
    return { url: server.httpUrl ?? '', boards: plan.boards.map(({ device }) => device), failed, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function sensorOf({ device, recording }: BoardPlan, scenes: readonly Scene[], speed: number, seed: number): Sensor {
  const recorded = recording();
  const startUs = Math.min(...recorded.modalities.map(({ tUs }) => tUs[0] ?? 0));
  const streamUs = (seconds: number) => startUs + seconds * speed * 1e6;
  const cues = scenes.map(
    ({ modality, trouble, atS, untilS }): Cue => ({
      modality: recorded.modalities.findIndex(({ name }) => name === modality),
      trouble,
      fromUs: streamUs(atS),
      untilUs: untilS === null ? Number.POSITIVE_INFINITY : streamUs(untilS),
    }),
  );
  const rng = createRng(`${seed}/trouble/${device}`);
  const source = { header: recorded, events: () => troubled(loopedEvents(recorded), cues, rng) };
  return { ...createReplaySensor(source, speed, systemClock), finite: false };
}

function startBoard(
  { device }: BoardPlan,
  sensor: Sensor,
  url: string,
  { replay: { windowSeconds, overlap }, speed }: LiveOptions,
  stateDir: string,
  networkFor: NetworkFor,
): Promise<RunningAgent> {
  const settings = { fleet: 'live', link: { url }, state: { everyS: STATE_EVERY_S } };
  return startAgent({
    config: parseAgentConfig(
      { device, stateDir, ...settings, window: { seconds: windowSeconds, overlap } },
      'live demo',
    ),
    source: { kind: 'recording', sensor },
    learner: { kind: 'inside', networkFor },
    flushSeconds: speed,
    startup: 'require',
    clock: systemClock,
    log: silentLog,
  });
}
