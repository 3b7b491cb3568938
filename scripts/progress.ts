/**
 * Progress bars for runs that go on side by side: drawn on a terminal, nothing at all anywhere else,
 * so that logs and pipes stay clean. Standard output belongs to results: pass standard error.
 */
import { MultiBar, Presets, type SingleBar } from 'cli-progress';

export interface Progress {
  /** Adds a bar of `total` steps, or sets the bar of that label back to 0. */
  start(label: string, total: number): void;
  /** Moves a bar on by `steps`; `note` replaces the text behind it. A label that was not started is ignored. */
  advance(label: string, steps: number, note?: string): void;
  /** Draws the last state and gives the terminal back; may be called twice. */
  stop(): void;
}

export interface ProgressOptions {
  readonly stream: NodeJS.WriteStream;
  /** Draw or not; by default whether `stream` is a terminal. */
  readonly enabled?: boolean;
}

const SILENT: Progress = { start: () => undefined, advance: () => undefined, stop: () => undefined };

export function createProgress({ stream, enabled = stream.isTTY === true }: ProgressOptions): Progress {
  if (!enabled) return SILENT;
  const format = '{label} {bar} {value}/{total} {note}';
  const bars = new MultiBar({ stream, format, hideCursor: true, barsize: 24, autopadding: true }, Presets.rect);
  const byLabel = new Map<string, SingleBar>();
  return {
    start(label, total) {
      const known = byLabel.get(label);
      if (known) known.start(total, 0, { label, note: '' });
      else byLabel.set(label, bars.create(total, 0, { label, note: '' }));
    },
    advance(label, steps, note) {
      byLabel.get(label)?.increment(steps, note === undefined ? {} : { note });
    },
    stop: () => bars.stop(),
  };
}
