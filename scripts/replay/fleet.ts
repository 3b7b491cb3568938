/**
 * One seed of a replay: an aggregator with its broker and one agent per board in this process, over real MQTT on the loopback,
 * each with its own database. What a board in the field runs is what runs here; only the sensor plays a recording.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAgentConfig } from '../../agent/config.ts';
import { type RunningAgent, startAgent } from '../../agent/main.ts';
import { createReplaySensor } from '../../agent/sensors/replay.ts';
import { systemClock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import { silentLog } from '../../core/base/log.ts';
import type { GlobalState } from '../../core/model/global-state.ts';
import type { NetworkFor } from '../../core/model/network-cache.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';
import { parseServerConfig, type ServerConfig, specFrom } from '../../server/config.ts';
import { startServer } from '../../server/main.ts';
import type { RoundRecord } from '../../server/record.ts';
import type { ReplayOptions } from './options.ts';
import type { BoardPlan, FleetPlan } from './plan.ts';

/** Recorded seconds between two transactions when the recording is played as fast as it goes. */
const FLUSH_SECONDS_AT_MAX = 60;
const WHERE = 'replay';

export interface FleetOutcome {
  readonly global: GlobalState;
  readonly records: readonly RoundRecord[];
  /** Bytes that all boards put on their sockets, every packet counted. */
  readonly sentBytes: number;
}

export async function runFleet(
  plan: FleetPlan,
  options: ReplayOptions,
  seed: number,
  networkFor: NetworkFor,
  onRound: (record: RoundRecord) => void,
): Promise<FleetOutcome> {
  const stateDir = await stateFolder(options, seed);
  const config = fleetConfig(plan, options, seed, join(stateDir, 'server'));
  const records: RoundRecord[] = [];
  const server = await startServer({
    config,
    clock: systemClock,
    log: silentLog,
    evaluation: { network: await networkFor(specFrom(config)), windows: plan.holdout },
    onRound(record) {
      records.push(record);
      onRound(record);
    },
  });
  const agents: RunningAgent[] = [];
  try {
    for (const board of plan.boards)
      agents.push(await startBoard(board, options, server.url, join(stateDir, board.device), networkFor));
    const failed = new Promise<never>((_, reject) => {
      for (const agent of agents) agent.finished.catch(reject);
    });
    await Promise.race([server.finished, failed]);
    const sentBytes = agents.reduce((sum, agent) => sum + agent.traffic().sentBytes, 0);
    return { global: server.currentGlobal(), records, sentBytes };
  } finally {
    await Promise.all(agents.map((agent) => agent.stop()));
    await server.stop();
    if (options.stateDir === null) await rm(stateDir, { recursive: true, force: true });
  }
}

/** A new folder for the databases: a replay starts from nothing, so that its figures are of all of its rounds. */
async function stateFolder({ stateDir }: ReplayOptions, seed: number): Promise<string> {
  if (stateDir === null) return mkdtemp(join(tmpdir(), 'qqr-replay-'));
  const folder = join(stateDir, `seed-${seed}`);
  await mkdir(stateDir, { recursive: true });
  await mkdir(folder).catch((cause: unknown) => {
    throw new AppError('output-failed', 'the folder for the databases cannot be made, or a replay was kept there', {
      where: folder,
      hint: 'name a new folder, or remove this one',
      cause,
    });
  });
  return folder;
}

/** The aggregator's settings for a replay: every board must answer every round, so that a seed always comes to the same model. */
export function fleetConfig(plan: FleetPlan, options: ReplayOptions, seed: number, stateDir: string): ServerConfig {
  return parseServerConfig(
    {
      fleet: 'replay',
      stateDir,
      durability: 'normal',
      seed,
      broker: { listen: '127.0.0.1:0' },
      http: { listen: 'off' },
      rounds: { boards: plan.boards.length, max: plan.rounds, quorum: 1, deadlineS: 0 },
      strategy: { name: options.strategy, ...options.settings },
      model: {
        windowSeconds: options.windowSeconds,
        windowStatistics: options.windowStatistics,
        classes: plan.classes,
        modalities: plan.modalities.map(({ name, unit, channels, sampleRateHz }) => ({
          name,
          unit,
          channels,
          sampleRateHz,
        })),
      },
      evaluation: { every: options.evaluateEvery },
      limits: { updatesPerMinute: 0 },
    },
    WHERE,
  );
}

function startBoard(
  { device, recording: recorded }: BoardPlan,
  options: ReplayOptions,
  url: string,
  stateDir: string,
  networkFor: NetworkFor,
) {
  const recording = recorded();
  const source = { header: recording, events: () => eventsOf(recording) };
  return startAgent({
    config: parseAgentConfig(
      {
        device,
        fleet: 'replay',
        stateDir,
        link: { url },
        state: { everyS: 0 }, // bytes of the exchange are what is measured
        window: { seconds: options.windowSeconds, overlap: options.overlap },
      },
      WHERE,
    ),
    source: { kind: 'recording', sensor: createReplaySensor(source, options.speed, systemClock) },
    learner: { kind: 'inside', networkFor },
    flushSeconds: options.speed === 'max' ? FLUSH_SECONDS_AT_MAX : 1,
    startup: 'require',
    clock: systemClock,
    log: silentLog,
  });
}
