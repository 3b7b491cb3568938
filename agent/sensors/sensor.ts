/**
 * What the pipeline sees of a board's sensors, whether chips on a bus or a recording: a header and one stream of events in order of time.
 * A sensor that loses samples leaves a hole; it never invents, repeats or interpolates a value.
 */
import type { StreamEvent, StreamHeader } from '../../core/stream/event.ts';

export interface Sensor {
  readonly header: StreamHeader;
  /** True when the stream ends some day (a recording); false for chips. */
  readonly finite: boolean;
  /**
   * The stream from about `fromUs` on (earlier events may come too, the windower ignores them).
   * Ends when a recording ends or the signal aborts.
   */
  events(fromUs: number, signal: AbortSignal): AsyncIterable<StreamEvent>;
}
