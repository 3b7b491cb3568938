/**
 * The sensor that plays a recording, as fast as the board's pipeline takes it or paced by the recorded times.
 * It is the only part of a replay that differs from a board in the field.
 */
import type { Clock } from '../../core/base/clock.ts';
import { AppError } from '../../core/base/errors.ts';
import type { StreamEvent, StreamHeader } from '../../core/stream/event.ts';
import type { Sensor } from './sensor.ts';

export interface ReplaySource {
  readonly header: StreamHeader;
  /** A fresh pass over the recording. */
  events(): AsyncIterable<StreamEvent> | Iterable<StreamEvent>;
}

/** @param speed recorded seconds per second, or `max`: as fast as it is taken */
export function createReplaySensor(source: ReplaySource, speed: number | 'max', clock: Clock): Sensor {
  return {
    header: source.header,
    finite: true,
    async *events(fromUs, signal) {
      const startMs = clock.nowMs();
      let originUs: number | null = null;
      for await (const event of source.events()) {
        if (signal.aborted) return;
        const endUs = event.kind === 'samples' ? (event.tUs.at(-1) ?? fromUs) : event.tUs;
        if (speed !== 'max' && endUs >= fromUs) {
          originUs ??= event.kind === 'samples' ? (event.tUs[0] ?? endUs) : endUs;
          const dueMs = startMs + (endUs - originUs) / 1000 / speed;
          const waitMs = dueMs - clock.nowMs();
          if (waitMs > 0) await clock.sleep(waitMs, signal).catch(() => undefined); // woken by abort: the next test ends the stream
          if (signal.aborted) return;
        }
        yield event;
      }
    },
  };
}

/** A speed from the command line: a factor above 0, or `max`. @throws AppError `usage` */
export function parseSpeed(text: string): number | 'max' {
  const factor = Number(text);
  if (text === 'max') return text;
  if (factor > 0) return factor;
  throw new AppError('usage', `not a speed: ${text}`, { hint: "a factor such as 1 or 60, or 'max'" });
}
