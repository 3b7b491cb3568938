/**
 * Plays a recording: the events that a sensor would have given, in order of time.
 * Invariant: reading a trace file as a stream and playing its recording give the same events, block for block (see row-parser.ts).
 */
import type { StreamEvent } from '../stream/event.ts';
import type { RecordedModality, Recording } from './recording.ts';
import { BLOCK_SAMPLES } from './row-parser.ts';

/** Events of `recording`; the arrays in them are copies. */
export function* eventsOf(recording: Recording): Generator<StreamEvent, void, undefined> {
  const cursors = recording.modalities.map((modality, index) => ({ modality, index, next: 0 }));
  const samplesBefore = function* (endUs: number): Generator<StreamEvent> {
    while (cursors.some(({ modality, next }) => next < modality.tUs.length && timeAt(modality, next) < endUs)) {
      // The first block to fill up closes the blocks of all modalities.
      const fullUs = Math.min(...cursors.map(({ modality, next }) => timeAt(modality, next + BLOCK_SAMPLES - 1)));
      const byFirstSample = cursors.toSorted((a, b) => timeAt(a.modality, a.next) - timeAt(b.modality, b.next));
      for (const cursor of byFirstSample) {
        const from = cursor.next;
        while (timeAt(cursor.modality, cursor.next) < endUs && timeAt(cursor.modality, cursor.next) <= fullUs) {
          cursor.next++;
        }
        if (cursor.next > from) yield block(cursor.modality, cursor.index, from, cursor.next);
      }
    }
  };
  for (const { tUs, label } of recording.labels) {
    yield* samplesBefore(tUs);
    yield { kind: 'label', tUs, label };
  }
  yield* samplesBefore(Infinity);
}

/** Infinity past the end. */
function timeAt(modality: RecordedModality, sample: number): number {
  return modality.tUs[sample] ?? Infinity;
}

function block({ tUs, values, channels }: RecordedModality, modality: number, from: number, to: number): StreamEvent {
  const width = channels.length;
  return { kind: 'samples', modality, tUs: tUs.slice(from, to), values: values.slice(from * width, to * width) };
}
