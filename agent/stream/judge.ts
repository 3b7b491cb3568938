/** Judges each modality of each window by the board's own history, which the good windows go on to teach. */
import { createQualityJudge, type JudgeOptions, type JudgeState } from '../../core/qqr/quality-judge.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import type { MeasuredWindow } from '../store/windows.ts';

export interface Judge {
  /** The window with its measures and qualities. Windows come in the order of the stream. */
  judged(window: Window): MeasuredWindow;
  /** What has been learned so far, to be kept with the stream's position. */
  state(): Uint8Array;
}

/**
 * @param state of an earlier run; null at the very first
 * @param scorer the seed is the board's name; absent: the rules alone judge
 */
export function createJudge(
  modalities: readonly WindowModality[],
  state: Uint8Array | null,
  scorer?: JudgeOptions['scorer'],
): Judge {
  const learned = state === null ? undefined : (JSON.parse(new TextDecoder().decode(state)) as JudgeState);
  const judge = createQualityJudge({ modalities, ...(scorer && { scorer }) }, learned);
  return {
    judged(window) {
      const { quality, why, measures } = judge.judge(window);
      return { ...window, quality, why, measures };
    },
    state: () => new TextEncoder().encode(JSON.stringify(judge.state())),
  };
}
