/**
 * Reads traces: CSV or CSV.gz with units in the header, any number of modalities with rates of their own.
 * A trace streams: whatever its length, memory holds a chunk of text and a block of samples.
 * Format: docs/trace-format.md.
 */
import { basename } from 'node:path';
import { AppError } from '../base/errors.ts';
import type { StreamEvent, StreamHeader, StreamModality } from '../stream/event.ts';
import { gatherRecording } from './gather-recording.ts';
import { nominalRateHz } from './nominal-rate.ts';
import type { Recording } from './recording.ts';
import { createRowParser } from './row-parser.ts';
import { parseTraceHead, type TraceLayout } from './trace-header.ts';
import { traceLines } from './trace-lines.ts';

export interface TraceHeader extends StreamHeader {
  /** From the file's comment `# subject:`, else the file's name without its ending. */
  readonly subject: string;
}

export interface Trace {
  readonly header: TraceHeader;
  /** Events in order of time. Each iteration reads the file anew and closes it when it ends or is left. */
  readonly events: AsyncIterable<StreamEvent>;
}

/** Rows from whose median interval the rate is derived when the file states none. */
const ROWS_FOR_RATE = 2000;

/** Names of trace files end like this. */
export const TRACE_NAME = /\.csv(\.gz)?$/i;

/**
 * Reads the head of the trace at `path`. Fails with `input-missing` or `data-format` (naming file and line), and so may
 * the iteration of its events.
 */
export async function openTrace(path: string): Promise<Trace> {
  const layout = await readLayout(path);
  const rates = layout.modalities.some((m) => m.sampleRateHz === null) ? await measuredRates(path, layout) : [];
  const modalities = layout.modalities.map((modality, index): StreamModality => {
    const sampleRateHz = modality.sampleRateHz ?? rates[index] ?? null;
    if (sampleRateHz === null) throw unknownRate(path, modality.name);
    return { name: modality.name, unit: modality.unit, channels: modality.channels, sampleRateHz };
  });
  const subject = layout.subject ?? basename(path).replace(TRACE_NAME, '');
  return { header: { modalities, subject }, events: { [Symbol.asyncIterator]: () => traceEvents(path, layout) } };
}

/** Reads a whole trace into memory. Fails as `openTrace` does. */
export async function readRecording(path: string): Promise<Recording> {
  const { header, events } = await openTrace(path);
  return gatherRecording(header, events);
}

async function readLayout(path: string): Promise<TraceLayout> {
  const head: string[] = [];
  for await (const lines of traceLines(path)) {
    head.push(...lines);
    const layout = parseTraceHead(head, path);
    if (layout !== null) return layout;
  }
  throw new AppError('data-format', 'the file has no line of column names', {
    where: path,
    hint: 'the first line that is no comment names the columns, such as t_s,acc_x_mps2,acc_y_mps2,acc_z_mps2,label',
  });
}

async function* traceEvents(path: string, layout: TraceLayout): AsyncGenerator<StreamEvent, void, undefined> {
  const due: StreamEvent[] = [];
  const rows = createRowParser(layout, path, (event) => due.push(event));
  let line = 0;
  for await (const lines of traceLines(path)) {
    for (const text of lines) {
      line++;
      if (line > layout.headerLine) rows.push(text, line);
    }
    yield* due.splice(0);
  }
  rows.end();
  yield* due.splice(0);
}

/** Per modality the rate of the file's first rows; null for a modality with fewer than two samples there. */
async function measuredRates(path: string, layout: TraceLayout): Promise<(number | null)[]> {
  const times = layout.modalities.map(() => [] as number[]);
  let rows = 0;
  for await (const event of traceEvents(path, layout)) {
    if (event.kind === 'label') continue;
    times[event.modality]?.push(...event.tUs);
    rows += event.tUs.length;
    if (rows >= ROWS_FOR_RATE * times.length) break;
  }
  return times.map(nominalRateHz);
}

function unknownRate(path: string, name: string): AppError {
  return new AppError('data-format', `the rate of modality '${name}' is not known`, {
    where: path,
    hint: `state it in a comment before the column names: # rate_hz: ${name}=50`,
  });
}
