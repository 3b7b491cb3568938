/** The board's own buffer as a trace file (docs/trace-format.md), to be looked at, labelled or replayed. */
import { AppError } from '../../core/base/errors.ts';
import { writeEvents } from '../../core/trace/csv-writer.ts';
import type { AgentReader } from './agent-store.ts';

export interface ExportOptions {
  /** Whose motion it is: the head of the trace, and the board's name in a replay. */
  readonly subject: string;
  /** Stream time from which on, microseconds. Default: all that is kept. */
  readonly fromUs?: number;
}

/**
 * Writes what the store keeps to `path`, gzipped when it ends in `.gz`; the agent may go on writing meanwhile. Times are the board's.
 * @throws AppError `input-missing` when the store knows of no stream, `output-failed`, `storage-failed`
 */
export async function exportTrace(store: AgentReader, path: string, options: ExportOptions): Promise<void> {
  const known = store.recordingHeader();
  if (known === null) {
    throw new AppError('input-missing', 'the database holds no stream that could be written out', {
      hint: 'let the agent run for some seconds first',
    });
  }
  const head = { subject: options.subject, modalities: known.header.modalities, isLabelled: true };
  await writeEvents(head, store.readRecording(options.fromUs ?? 0), path);
}
