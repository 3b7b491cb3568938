/**
 * A board's chips as one sensor: one chip with accelerometer and gyroscope, or one chip for each, so that one can fail alone.
 * A sampler per chip, all into one bounded queue in order of arrival; labels join the stream here.
 * Invariant: a modality has one chip; times rise within a modality; nothing is made up where a chip has no samples.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { Lifecycle } from '../../core/base/lifecycle.ts';
import type { Log } from '../../core/base/log.ts';
import type { StreamEvent } from '../../core/stream/event.ts';
import type { BoardChip } from './board-chips.ts';
import { correct, NO_CALIBRATION } from './calibration.ts';
import { createEventQueue } from './event-queue.ts';
import type { FaultEvent } from './fault-watch.ts';
import { mountingOf } from './mounting.ts';
import { createSampler, type SamplerStats } from './sampler.ts';
import type { Sensor } from './sensor.ts';

export interface ImuSensorParts {
  readonly chips: readonly BoardChip[];
  readonly clock: Clock;
  /** Stream time, microseconds. */
  readonly nowUs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told of each fault that is raised or cleared. */
  readonly onFault?: (event: FaultEvent) => void;
  readonly log: Log;
}

/** `start` sets the chips up and begins to sample; `events` may be taken later. */
export interface ImuSensor extends Sensor, Lifecycle {
  /** The activity is `label` (null: unknown) from `tUs` on, by default from now. Earlier than the label before: at that one's time. */
  label(label: string | null, tUs?: number): void;
  /** Grows when every chip's loop has turned again, whether it found its chip or not. For the watchdog. */
  progress(): number;
  stats(): ImuStats;
}

export interface ImuStats {
  /** Per chip id. */
  readonly chips: Readonly<Record<string, SamplerStats>>;
  /** Samples dropped because nobody took them. */
  readonly overrun: number;
}

/** At ten reads a second, two modalities: a minute and a half that the taker may stand still. */
const QUEUED_BLOCKS = 2000;

/** @throws AppError `config-invalid`: no chips, two chips with one modality, or a mounting that is none */
export function createImuSensor({ chips, clock, nowUs, random, onFault, log }: ImuSensorParts): ImuSensor {
  const header = { modalities: chips.flatMap(({ chip }) => chip.modalities) };
  refuseTwice(chips);
  const queue = createEventQueue(QUEUED_BLOCKS);
  const stopping = new AbortController();
  let labelledUs = Number.NEGATIVE_INFINITY;
  let generation = 0;
  let seen: number[] = [];

  const samplers = chips.map(({ chip, id, bus, inTurn, axes, calibration, dataReady }, at) => {
    const first = chips.slice(0, at).reduce((sum, before) => sum + before.chip.modalities.length, 0);
    const mounting = mountingOf(axes);
    const corrections = chip.modalities.map(({ name }) => calibration?.modalities[name] ?? NO_CALIBRATION);
    return createSampler({
      chip,
      id,
      bus,
      inTurn,
      ...(dataReady === undefined ? {} : { dataReady }),
      clock,
      nowUs,
      random,
      onSamples(modality, tUs, values) {
        correct(values, corrections[modality] ?? NO_CALIBRATION, mounting);
        queue.push({ kind: 'samples', modality: first + modality, tUs, values });
      },
      onFault(event) {
        const { phase, ...facts } = event;
        if (phase === 'raised') log.warn(facts, 'sensor fault');
        else log.info(facts, 'sensor fault over');
        onFault?.(event);
      },
      log,
    });
  });

  return {
    header,
    finite: false,
    async start(signal) {
      const until = AbortSignal.any([signal, stopping.signal]);
      try {
        await Promise.all(samplers.map((sampler) => sampler.start(until)));
      } catch (error) {
        stopping.abort(error);
        throw error;
      }
      for (const sampler of samplers) sampler.finished().catch(queue.fail);
    },
    async stop() {
      stopping.abort(new Error('sensor stopped'));
      await Promise.allSettled(samplers.map((sampler) => sampler.finished()));
    },
    async *events(fromUs, signal) {
      for await (const event of queue.take(AbortSignal.any([signal, stopping.signal]))) {
        const kept = notBefore(event, fromUs);
        if (kept !== null) yield kept;
      }
    },
    label(label, tUs = nowUs()) {
      labelledUs = Math.max(labelledUs, Math.round(tUs));
      queue.push({ kind: 'label', tUs: labelledUs, label });
    },
    progress() {
      const now = samplers.map((sampler) => sampler.progress());
      if (now.every((count, i) => count > (seen[i] ?? 0))) {
        generation++;
        seen = now;
      }
      return generation;
    },
    stats: () => ({
      chips: Object.fromEntries(chips.map(({ id }, i) => [id, (samplers[i] as (typeof samplers)[number]).stats()])),
      overrun: queue.overrun(),
    }),
  };
}

function refuseTwice(chips: readonly BoardChip[]): void {
  if (chips.length === 0) throw new AppError('config-invalid', 'the board has no sensors', { where: 'sensors' });
  const owner = new Map<string, string>();
  for (const { chip, id } of chips) {
    for (const { name } of chip.modalities) {
      const other = owner.get(name);
      owner.set(name, id);
      if (other === undefined) continue;
      throw new AppError('config-invalid', `${other} and ${id} both measure '${name}'`, {
        where: 'sensors',
        hint: 'a modality has one sensor: take one of the chips out',
      });
    }
  }
}

/** The event without samples before `fromUs`; null when none is left. */
function notBefore(event: StreamEvent, fromUs: number): StreamEvent | null {
  if (event.kind === 'label' || (event.tUs[0] ?? fromUs) >= fromUs) return event;
  const from = event.tUs.findIndex((tUs) => tUs >= fromUs);
  if (from < 0) return null;
  const channels = event.values.length / event.tUs.length;
  return { ...event, tUs: event.tUs.slice(from), values: event.values.slice(from * channels) };
}
