/**
 * Composition root: from settings to a running aggregator with its broker, link and store.
 * Started in the order broker → link → aggregator, stopped in reverse.
 */
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../core/base/clock.ts';
import { AppError } from '../core/base/errors.ts';
import type { Log } from '../core/base/log.ts';
import { expiresAtMs } from '../core/link/certificate.ts';
import { certificateEnds } from '../core/link/certificate-ends.ts';
import { createCertificateWatch } from '../core/link/certificate-watch.ts';
import { createMqttTransport } from '../core/link/mqtt.ts';
import type { Transport } from '../core/link/transport.ts';
import { createRng } from '../core/math/rng.ts';
import type { Network } from '../core/model/network.ts';
import { topics } from '../core/wire/topics.ts';
import { type Aggregator, createAggregator, type Outcome } from './aggregator.ts';
import { roundSettingsFrom, type ServerConfig, specFrom, strategyFrom } from './config.ts';
import { embeddedOptionsFrom, warnWhenOpen } from './embedded-settings.ts';
import type { FleetState } from './fleet-state.ts';
import { createHoldout, type Holdout, type HoldoutWindows } from './holdout.ts';
import { createApp } from './http/app.ts';
import { createHttpServer } from './http/http-server.ts';
import { createStaticFiles } from './http/static-files.ts';
import { type HttpSettings, httpSettingsFrom } from './http-settings.ts';
import { writeModelFile } from './model-file.ts';
import type { RoundRecord } from './record.ts';
import { createEmbeddedBroker, type EmbeddedBroker, type OwnAccess } from './source/embedded.ts';
import { openHistory } from './store/history.ts';
import type { RoundStore } from './store/round-store.ts';
import { openSqliteStore } from './store/sqlite.ts';

/** Where the dashboard's files lie: what is compiled, beside the sources what is served as it is, and the library that draws curves. */
const { resolve } = createRequire(import.meta.url);
const DASHBOARD = [
  { at: '/', path: fileURLToPath(new URL('./dashboard', import.meta.url)) },
  { at: '/', path: fileURLToPath(new URL('../../server/dashboard', import.meta.url)) },
  { at: '/vendor/uplot.js', path: resolve('uplot/dist/uPlot.iife.min.js') },
  { at: '/vendor/uplot.css', path: resolve('uplot/dist/uPlot.min.css') },
];

export interface ServerOptions {
  readonly config: ServerConfig;
  readonly clock: Clock;
  readonly log: Log;
  /** What the model is evaluated on, and with what; null = no evaluation. */
  readonly evaluation: { readonly network: Network; readonly windows: HoldoutWindows } | null;
  readonly onRound?: (record: RoundRecord) => void;
}

export interface RunningServer {
  /** Of the broker that boards connect to. */
  readonly url: string;
  /** Of the API and the dashboard; null when it is off. */
  readonly httpUrl: string | null;
  /** Resolves after the last round or after `stop`; rejects when the store fails. */
  readonly finished: Promise<Outcome>;
  currentGlobal(): FleetState;
  /** Resolves when every board has said goodbye. */
  farewell(): Promise<void>;
  /** Reads the embedded broker's password file and certificates again. @throws AppError: all stay as they were. */
  reload(): Promise<void>;
  traffic(): ReturnType<Transport['traffic']>;
  /** Connects anew to the broker, with certificates, key and password as they are now. */
  renewLink(): void;
  /** Stops everything; may be called again, which waits for the same end. */
  stop(): Promise<void>;
}

/** The file of rounds in a state folder. */
export function storePath(stateDir: string): string {
  return join(stateDir, 'rounds.sqlite');
}

/** Resolves when boards can connect. @throws AppError: configuration, storage or link. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { config, clock, log, evaluation } = options;
  const running = new AbortController();
  const undo: (() => Promise<void> | void)[] = [];
  let stopped: Promise<void> | null = null;
  const stop = () => {
    stopped ??= undoAll(undo).finally(() => running.abort());
    return stopped;
  };
  try {
    const spec = specFrom(config);
    const strategy = strategyFrom(config);
    const embedded = embeddedOptionsFrom(config);
    const http = await httpSettingsFrom(config.http);
    await makeFolder(config.stateDir);
    const store = openSqliteStore(storePath(config.stateDir), spec, config.durability, config.rounds.keepRounds);
    undo.push(() => store.dispose());
    await writeModelFile(config.stateDir, {
      spec,
      windowSeconds: config.model.windowSeconds,
      settings: strategy.settings,
    });

    const broker = config.broker.url === undefined ? createEmbeddedBroker({ ...embedded, clock, log }) : null;
    if (broker !== null) {
      warnWhenOpen(config, log);
      undo.push(() => broker.stop());
      await broker.start(running.signal);
    }
    const url = broker?.url() ?? (config.broker.url as string);
    const watch = createCertificateWatch(config.broker, clock, log);
    undo.push(() => watch.stop());
    await watch.start(running.signal);
    const transport = createMqttTransport(linkOptions(config, broker?.ownAccess() ?? null, clock, log));
    undo.push(() => transport.stop());
    await transport.start(running.signal);

    const { settings } = strategy;
    const { conditions } = config.evaluation;
    const holdout = evaluation && createHoldout({ ...evaluation, spec, settings, conditions });
    const aggregator = createAggregator({
      config: roundSettingsFrom(config),
      spec,
      strategy,
      store,
      transport,
      topics: topics(config.fleet),
      holdout,
      clock,
      log,
      ...(options.onRound && { onRound: options.onRound }),
    });
    undo.push(() => aggregator.stop());
    await aggregator.start(running.signal);
    const door = http && (await openDoor(http, { ...options, store, broker, transport, aggregator, holdout }, undo));
    const httpUrl = door?.url() ?? null;
    const ready = { url, httpUrl, fleet: config.fleet, strategy: settings.strategy, epoch: store.epoch() };
    log.info(ready, 'aggregator ready');
    const { finished, currentGlobal, farewell } = aggregator;
    const { traffic, reconnect: renewLink } = transport;
    const reload = async () => broker?.reload();
    return { url, httpUrl, finished, currentGlobal, farewell, traffic, renewLink, reload, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Newest first, one after the other. */
async function undoAll(undo: (() => Promise<void> | void)[]): Promise<void> {
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) await step();
}

async function makeFolder(where: string): Promise<void> {
  await mkdir(where, { recursive: true }).catch((cause: unknown) => {
    throw new AppError('storage-failed', 'the state folder cannot be made', { where, cause });
  });
}

interface DoorParts extends ServerOptions {
  readonly store: RoundStore;
  readonly broker: EmbeddedBroker | null;
  readonly transport: Transport;
  readonly aggregator: Aggregator;
  readonly holdout: Holdout | null;
}

/** The HTTP API over what runs already. */
async function openDoor(http: HttpSettings, parts: DoorParts, undo: (() => Promise<void> | void)[]) {
  const { config, clock, log, store, broker, transport, aggregator, holdout } = parts;
  const history = openHistory(storePath(config.stateDir));
  undo.push(() => history.dispose());
  const window = {
    fleet: config.fleet,
    spec: specFrom(config),
    settings: strategyFrom(config).settings,
    deadlineMs: roundSettingsFrom(config).deadlineMs,
    view: aggregator.view(),
    operator: aggregator.operator(),
    history,
    hasHoldout: holdout !== null,
    global: aggregator.currentGlobal,
    predictions() {
      const global = aggregator.currentGlobal();
      return holdout === null || global.normalization === null ? null : holdout.predictions(global);
    },
    traffic: () => transport.traffic(),
    brokerCounts: () => broker?.counts() ?? null,
    async certificateEnds() {
      const shown = broker?.certificate() ?? null;
      const listener = shown === null ? {} : { listener: expiresAtMs(shown) };
      return { ...(await certificateEnds(config.broker)), ...listener };
    },
    probeStore: () => store.probe(),
  };
  const staticFiles = await createStaticFiles(DASHBOARD);
  const door = createHttpServer(createApp({ window, settings: http, staticFiles, clock, log }), http, { clock, log });
  undo.push(() => door.stop());
  await door.start(new AbortController().signal);
  return door;
}

/** To the broker of the settings, or by the embedded one's own door, which needs none of them. */
function linkOptions({ broker, fleet, seed }: ServerConfig, own: OwnAccess | null, clock: Clock, log: Log) {
  const access = own ?? {
    url: broker.url as string,
    clientId: `qqr-server-${fleet}`,
    ...(broker.username !== undefined && { username: broker.username }),
    ...(broker.password !== undefined && { password: broker.password }),
    files: broker,
  };
  const random = createRng(`${seed}/link`).next;
  return { ...access, clean: true, startup: 'require' as const, clock, random, log };
}
