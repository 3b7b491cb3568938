/**
 * Between sensor and database: cuts the stream into windows, judges each modality of each window, and gathers what the next
 * transaction writes. Nothing is stored here; what `take` returns is complete and consistent up to its position.
 */
import type { WindowModality } from '../../core/stream/align.ts';
import type { LabelChange, SampleBlock, StreamEvent, StreamHeader } from '../../core/stream/event.ts';
import { createWindower, type WindowerStats } from '../../core/stream/windower.ts';
import type { IngestBatch, IngestPosition, StoredFault } from '../store/agent-store.ts';
import type { MeasuredWindow } from '../store/windows.ts';
import { createJudge } from './judge.ts';

/** Key of the quality references in the board's database. */
export const QUALITY_STATE = 'quality';

export interface RecorderOptions {
  readonly header: StreamHeader;
  /** The board's modalities in the order in which its windows keep them. */
  readonly modalities: readonly WindowModality[];
  readonly windowSeconds: number;
  readonly overlap: number;
  /** Seconds of stream between two transactions. */
  readonly flushSeconds: number;
  /** Where an earlier run stopped; null at the very first. */
  readonly position: IngestPosition | null;
  /** Quality references of an earlier run, from `IngestBatch.state`. */
  readonly qualityState: Uint8Array | null;
  /** Other small state that is stored with the stream. */
  readonly state?: Readonly<Record<string, Uint8Array>>;
}

export interface Recorder {
  push(event: StreamEvent): void;
  /** A sensor has failed or is well again. */
  pushFault(fault: StoredFault): void;
  /** The stream is over: the last complete windows are cut. */
  end(): void;
  /** `flushSeconds` of stream have gathered. */
  due(): boolean;
  /** A fault or a change of label waits to be taken. */
  holdsEvents(): boolean;
  /** What has gathered since the last call. */
  take(at: { readonly streamEnded: boolean }): IngestBatch;
  stats(): WindowerStats;
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { header, modalities, position } = options;
  const judge = createJudge(modalities, options.qualityState);
  let blocks: SampleBlock[] = [];
  let windows: MeasuredWindow[] = [];
  let labels: LabelChange[] = [];
  let faults: StoredFault[] = [];
  /** A run that goes on begins without a label, whatever the one before it had last; one that starts at the beginning has none to end. */
  let isLabelTold = position === null;
  let takenUntilUs = position?.resumeAtUs ?? 0;
  let newestUs = takenUntilUs;

  const windower = createWindower(
    {
      modalities: header.modalities,
      wanted: modalities,
      windowSeconds: options.windowSeconds,
      overlap: options.overlap,
      ...(position === null ? {} : { resume: position }),
    },
    (window) => windows.push(judge.judged(window)),
  );

  return {
    push(event) {
      windower.push(event);
      if (event.kind === 'label') {
        labels.push(event);
        isLabelTold = true;
        return;
      }
      const lastUs = event.tUs.at(-1) ?? newestUs;
      if (!isLabelTold && lastUs >= takenUntilUs) {
        labels.push({ kind: 'label', tUs: Math.max(takenUntilUs, event.tUs[0] ?? lastUs), label: null });
        isLabelTold = true;
      }
      blocks.push(event);
      newestUs = Math.max(newestUs, lastUs);
    },
    pushFault: (fault) => void faults.push(fault),
    end: () => windower.end(),
    due: () => newestUs - takenUntilUs >= options.flushSeconds * 1e6,
    holdsEvents: () => faults.length + labels.length > 0,
    take({ streamEnded }) {
      const batch = {
        blocks,
        windows,
        labels,
        faults,
        header,
        position: { ...windower.position(), streamEnded },
        state: { ...options.state, [QUALITY_STATE]: judge.state() },
      };
      blocks = [];
      windows = [];
      labels = [];
      faults = [];
      takenUntilUs = newestUs;
      return batch;
    },
    stats: () => windower.stats(),
  };
}
