/** A recording that never ends: played again and again, a second apart, so that the windower sees a hole where the ends meet. */
import type { StreamEvent } from '../../core/stream/event.ts';
import type { Recording } from '../../core/trace/recording.ts';
import { eventsOf } from '../../core/trace/recording-events.ts';

const PAUSE_US = 1e6;

export function* loopedEvents(recording: Recording): Generator<StreamEvent, never, undefined> {
  const ends = recording.modalities.map(({ tUs }) => tUs.at(-1) ?? 0);
  const starts = recording.modalities.map(({ tUs }) => tUs[0] ?? 0);
  const periodUs = Math.max(...ends) - Math.min(...starts) + PAUSE_US;
  for (let turn = 0; ; turn++) {
    for (const event of eventsOf(recording)) yield later(event, turn * periodUs);
  }
}

function later(event: StreamEvent, byUs: number): StreamEvent {
  if (event.kind === 'label') return { ...event, tUs: event.tUs + byUs };
  return { ...event, tUs: event.tUs.map((tUs) => tUs + byUs) };
}
