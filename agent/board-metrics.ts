/** A board's metrics: gathers what the running parts know whenever somebody asks, and opens the door where the settings want one. */
import { stat } from 'node:fs/promises';
import type { Clock } from '../core/base/clock.ts';
import type { Log } from '../core/base/log.ts';
import { packageVersion } from '../core/base/package-version.ts';
import { certificateEnds } from '../core/link/certificate-ends.ts';
import type { LinkFiles } from '../core/link/link-files.ts';
import type { Transport } from '../core/link/transport.ts';
import type { LearnerProcess } from './learn/learner-process.ts';
import { type BoardFacts, createBoardMetrics } from './ops/metrics.ts';
import { createMetricsDoor, type MetricsDoor } from './ops/metrics-door.ts';
import type { ImuStats } from './sensors/imu-sensor.ts';
import type { AgentStore } from './store/agent-store.ts';
import type { Session } from './sync/session.ts';

export interface BoardMetricsSources {
  readonly config: {
    readonly device: string;
    readonly link: LinkFiles;
    readonly metrics: { readonly listen: string };
  };
  /** Names, in the order of the stored windows. */
  readonly modalities: readonly string[];
  readonly store: AgentStore;
  readonly storePath: string;
  readonly session: Pick<Session, 'usableWindows' | 'reconnects'>;
  /** Null when it learns in this process. */
  readonly learner: Pick<LearnerProcess, 'stats' | 'residentMb'> | null;
  /** Null for a recording. */
  readonly chips: (() => ImuStats['chips']) | null;
  readonly transport: Pick<Transport, 'traffic'>;
  readonly link: LinkCount;
  readonly clock: Clock;
  readonly log: Log;
}

/** Null when the settings want none. */
export function createBoardMetricsDoor(sources: BoardMetricsSources): MetricsDoor | null {
  const { config, clock, log } = sources;
  if (config.metrics.listen === 'off') return null;
  const parts = {
    read: () => factsOf(sources),
    nowMs: () => clock.nowMs(),
    device: config.device,
    version: packageVersion(),
  };
  return createMetricsDoor(config.metrics.listen, createBoardMetrics(parts), log);
}

export interface LinkCount {
  isUp(): boolean;
  /** Since the start. */
  connections(): number;
}

/** To be called before the transport is started. */
export function countLink(transport: Pick<Transport, 'onState'>): LinkCount {
  let isUp = false;
  let connections = 0;
  transport.onState((connected) => {
    isUp = connected;
    if (connected) connections++;
  });
  return { isUp: () => isUp, connections: () => connections };
}

async function factsOf(sources: BoardMetricsSources): Promise<BoardFacts> {
  const { config, modalities, store, session, learner, chips, transport, link } = sources;
  const window = store.newestWindow();
  const lastUs = store.lastStoredUs();
  const outgoing = store.outgoing();
  const { died, overMemory } = learner?.stats() ?? { died: 0, overMemory: 0 };
  return {
    windows: store.ingestPosition()?.nextIndex ?? 0,
    streamS: lastUs === null ? null : lastUs / 1e6,
    quality: window === null ? {} : qualityOf(modalities, window),
    chips: chips?.() ?? {},
    losses: store.losses(),
    outbox: { updates: outgoing.length, bytes: outgoing.reduce((sum, { bytes }) => sum + bytes, 0) },
    quarantined: store.quarantined().length,
    settled: store.settled(),
    backlog: session.usableWindows(),
    learner: { died, overMemory, residentMb: (await learner?.residentMb()) ?? null },
    link: { isUp: link.isUp(), connections: link.connections(), givenUp: session.reconnects() },
    traffic: transport.traffic(),
    certificates: await certificateEnds(config.link),
    databaseBytes: await bytesOf(sources.storePath),
  };
}

function qualityOf(modalities: readonly string[], window: NonNullable<ReturnType<AgentStore['newestWindow']>>) {
  const qualities = modalities.map((name, m) => [name, window.values[m] ? (window.quality[m] ?? null) : null] as const);
  return Object.fromEntries(qualities);
}

/** Of the file and its write-ahead log; what is not there takes nothing. */
async function bytesOf(path: string): Promise<number> {
  const sizes = await Promise.all(
    [path, `${path}-wal`].map((file) =>
      stat(file).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
