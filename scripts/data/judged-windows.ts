/** The windows of recordings as a board would cut and judge them: each recording a stream of its own, a judge of its own. */
import { createQualityJudge, type Judgement } from '../../core/qqr/quality-judge.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { windowsOf } from '../../core/trace/order.ts';
import type { Recording } from '../../core/trace/recording.ts';

export interface Cutting {
  /** In the order of `Window.values`. */
  readonly wanted: readonly WindowModality[];
  readonly windowSeconds: number;
  /** Share of a window that the next one repeats, in [0, 1). */
  readonly overlap: number;
}

export interface JudgedWindow extends Window {
  readonly subject: string;
  /** Place of the recording in the data set. */
  readonly recording: number;
  readonly judgement: Judgement;
}

/** Windows of one recording in order. @throws AppError `shape-mismatch` when it cannot serve what is wanted */
export function* judgedWindows(recording: Recording, place: number, cutting: Cutting): Generator<JudgedWindow> {
  const judge = createQualityJudge({ modalities: cutting.wanted });
  for (const window of windowsOf(recording, cutting)) {
    yield { ...window, subject: recording.subject, recording: place, judgement: judge.judge(window) };
  }
}

/** The recording's own modalities, as windows of `windowSeconds` have them. */
export function ownModalities({ modalities }: Recording, windowSeconds: number): WindowModality[] {
  return modalities.map(({ name, unit, channels, sampleRateHz }) => {
    return { name, unit, channels, sampleRateHz, samples: Math.round(windowSeconds * sampleRateHz) };
  });
}
