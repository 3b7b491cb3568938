/**
 * THE SPINE of a board:  sensor → window → measures and quality → buffer   and, beside it,   buffer → train → outbox → aggregator.
 * The two halves meet only in the board's database. Acquisition never waits for training; what is buffered survives a kill.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Clock } from '../core/base/clock.ts';
import type { Lifecycle } from '../core/base/lifecycle.ts';
import type { Log } from '../core/base/log.ts';
import type { Sensor } from './sensors/sensor.ts';
import type { AgentStore } from './store/agent-store.ts';
import type { Recorder } from './stream/recorder.ts';
import type { Session } from './sync/session.ts';

export interface PipelineParts {
  readonly sensor: Sensor;
  readonly recorder: Recorder;
  readonly store: AgentStore;
  readonly session: Session;
  /** Told after each ingest, so that a learner that waits for windows looks again. */
  readonly arrived: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Pipeline extends Lifecycle {
  /** Resolves when the aggregator has finished or the recording has ended and everything is delivered; rejects with what broke. */
  readonly finished: Promise<void>;
}

/** While no samples come, what has happened (faults, changes of label) waits at most so long to be stored. */
const IDLE_MS = 5000;

export function createPipeline({ sensor, recorder, store, session, arrived, clock, log }: PipelineParts): Pipeline {
  let acquisitionFailed: (reason: unknown) => void = () => undefined;
  const failure = new Promise<never>((_, reject) => {
    acquisitionFailed = reject;
  });
  const finished = Promise.race([session.finished, failure]);
  finished.catch(() => undefined); // whoever awaits it is told; nobody has to
  const stopping = new AbortController();
  let acquisition: Promise<void> = Promise.resolve();

  function ingest(streamEnded: boolean): void {
    store.ingest(recorder.take({ streamEnded }));
    arrived();
  }

  async function acquire(signal: AbortSignal): Promise<void> {
    const position = store.ingestPosition();
    if (position?.streamEnded) return;
    for await (const event of sensor.events(position?.resumeAtUs ?? 0, signal)) {
      recorder.push(event);
      if (!recorder.due()) continue;
      ingest(false);
      await yieldToEventLoop(); // the link and the other boards of a replay get their turn
    }
    if (signal.aborted) {
      if (!sensor.finite) ingest(false); // a recording gives it again, a sensor does not
      return;
    }
    recorder.end();
    ingest(true);
    log.info(recorder.stats(), 'stream ended');
  }

  /** All sensors may be unplugged for days. */
  async function storeEvents(signal: AbortSignal): Promise<void> {
    for (;;) {
      await clock.sleep(IDLE_MS, signal);
      if (recorder.holdsEvents()) ingest(false);
    }
  }

  return {
    finished,
    async start(signal) {
      const until = AbortSignal.any([signal, stopping.signal]);
      acquisition = acquire(until).catch(acquisitionFailed);
      if (!sensor.finite)
        storeEvents(until).catch((error: unknown) => void (until.aborted || acquisitionFailed(error)));
      await session.start(signal);
    },
    async stop() {
      stopping.abort(new Error('pipeline stopped'));
      await acquisition;
      await session.stop();
    },
  };
}
