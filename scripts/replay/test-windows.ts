/**
 * The windows of the test subjects, under every condition that a replay's options ask for, each with the quality that a board would
 * give it: of a sensor that was fine for all the clean windows before it failed.
 */
import type { Rng } from '../../core/math/rng.ts';
import type { BatchWindow } from '../../core/model/batch.ts';
import { createQualityJudge } from '../../core/qqr/quality-judge.ts';
import type { WindowModality } from '../../core/stream/align.ts';
import type { Window } from '../../core/stream/window.ts';
import { FAULT_KINDS, type FaultKind } from '../../core/trace/faults.ts';
import { degraded, type FaultOptions } from '../../core/trace/imbalance.ts';
import type { HoldoutWindows } from '../../server/holdout.ts';
import type { ReplayOptions, TestFault } from './options.ts';

export interface TestWindowsOptions {
  /** In the order of `Window.values`. */
  readonly modalities: readonly WindowModality[];
  readonly classes: readonly string[];
  readonly options: Pick<ReplayOptions, 'kinds' | 'severity' | 'testFaults'>;
  /** Otherwise every quality is 1: the time is saved where no prediction looks at it. */
  readonly isJudged: boolean;
  readonly acStd: readonly Float32Array[];
  readonly rng: Rng;
}

/**
 * Keys of `degraded`: `acc` for any of the kinds; with the test fault `kinds` also `acc/stuck`, with a severity also `acc/stuck/0.4`,
 * each for every modality and every kind that exists; with `nothing` also `nothing`: windows that have no modality.
 */
export function testWindows(
  windows: readonly Window[],
  { modalities, classes, options, isJudged, acStd, rng }: TestWindowsOptions,
): HoldoutWindows {
  const { kinds, severity, testFaults } = options;
  const judge = isJudged ? createQualityJudge({ modalities }) : NO_JUDGE;
  const clean = windows.map((window) => toBatchWindow(window, judge.judge(window).quality, classes));
  const toBatch = (of: readonly Window[]) =>
    of.map((window) => toBatchWindow(window, judge.score(window).quality, classes));
  const conditions = new Map<string, BatchWindow[]>();
  modalities.forEach(({ name }, m) => {
    const add = (key: string, faults: Pick<FaultOptions, 'kinds' | 'severity'>) =>
      conditions.set(key, toBatch(degraded(windows, m, { ...faults, acStd, rng: rng.fork(`degraded/${key}`) })));
    add(name, { kinds, severity });
    for (const { suffix, ...faults } of singleFaults(testFaults, severity)) add(`${name}/${suffix}`, faults);
  });
  if (testFaults.includes('nothing')) {
    conditions.set('nothing', toBatch(windows.map((window) => ({ ...window, values: modalities.map(() => null) }))));
  }
  return { clean, degraded: Object.fromEntries(conditions) };
}

const allGood = ({ values }: Pick<Window, 'values'>) => ({ quality: values.map((of) => (of === null ? 0 : 1)) });
const NO_JUDGE = { judge: allGood, score: allGood };

interface SingleFault extends Pick<FaultOptions, 'kinds' | 'severity'> {
  readonly suffix: string;
}

function singleFaults(testFaults: readonly TestFault[], severity: FaultOptions['severity']): SingleFault[] {
  return testFaults.flatMap((fault) => {
    if (fault === 'nothing') return [];
    return FAULT_KINDS.map((kind: FaultKind): SingleFault => {
      if (fault === 'kinds') return { suffix: kind, kinds: [kind], severity };
      return { suffix: `${kind}/${fault}`, kinds: [kind], severity: [fault, fault] };
    });
  });
}

function toBatchWindow({ values, label }: Window, quality: readonly number[], classes: readonly string[]): BatchWindow {
  return { values, quality, label: classes.indexOf(label ?? '') };
}
