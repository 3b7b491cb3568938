/** What a board shows to people: state messages every few seconds and, where wanted, its description for Home Assistant. */
import type { Clock } from '../core/base/clock.ts';
import type { Lifecycle } from '../core/base/lifecycle.ts';
import type { Log } from '../core/base/log.ts';
import type { Transport } from '../core/link/transport.ts';
import { topics } from '../core/wire/topics.ts';
import type { WindowPrediction } from './learn/predictor.ts';
import { announceToHomeAssistant } from './ops/home-assistant.ts';
import type { AgentStore } from './store/agent-store.ts';
import { createStateReport } from './sync/state-report.ts';

export interface StateDoorsParts {
  readonly config: {
    readonly device: string;
    readonly fleet: string;
    readonly state: { readonly everyS: number };
    readonly homeAssistant: { readonly enabled: boolean; readonly prefix: string };
  };
  /** Names, in the order of the stored windows. */
  readonly modalities: readonly string[];
  readonly store: Pick<AgentStore, 'newestWindow'>;
  /** Of the newest window that was predicted; null before the first. */
  readonly prediction: () => WindowPrediction | null;
  /** What is failing now, for people. */
  readonly failing: () => readonly string[];
  readonly transport: Transport;
  readonly clock: Clock;
  readonly log: Log;
}

/** A prediction of an older window than these is not of now any more. */
const RECENT_WINDOWS = 5;

/** Null when the settings want neither. */
export function createStateDoors(parts: StateDoorsParts): Lifecycle | null {
  const { config, modalities, transport, clock, log } = parts;
  const everyMs = config.state.everyS * 1000;
  if (everyMs === 0) return null;
  const { device, fleet } = config;
  const topic = topics(fleet).state(device);
  const report = createStateReport({ transport, topic, everyMs, read: () => stateOf(parts), clock, log });
  return {
    async start(signal) {
      const { enabled, prefix } = config.homeAssistant;
      const about = { prefix, fleet, device, modalities, stateTopic: topic, stateEveryMs: everyMs };
      if (enabled) await announceToHomeAssistant(transport, about, log);
      await report.start(signal);
    },
    stop: () => report.stop(),
  };
}

function stateOf({ modalities, store, prediction, failing }: StateDoorsParts) {
  const window = store.newestWindow();
  const last = prediction();
  const isRecent = last !== null && window !== null && window.index - last.windowIndex < RECENT_WINDOWS;
  const qualityOf = (m: number) => (window?.values[m] ? (window.quality[m] ?? null) : null);
  return {
    activity: isRecent ? last.activity : null,
    confidence: isRecent ? last.confidence : 0,
    modelVersion: last?.modelVersion ?? null,
    quality: Object.fromEntries(modalities.map((name, m) => [name, qualityOf(m)])),
    faults: failing(),
  };
}
