/** What a running aggregator evaluates on: labelled windows of recordings that no board plays, cut as boards cut them. */
import { AppError } from '../core/base/errors.ts';
import { createRng } from '../core/math/rng.ts';
import type { BatchWindow } from '../core/model/batch.ts';
import type { Network } from '../core/model/network.ts';
import { createNetworkCache } from '../core/model/network-cache.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import { createQualityJudge } from '../core/qqr/quality-judge.ts';
import type { Window } from '../core/stream/window.ts';
import { createWindower } from '../core/stream/windower.ts';
import { openDataSet } from '../core/trace/data-set.ts';
import { acStdOf, FAULT_KINDS } from '../core/trace/faults.ts';
import { degraded } from '../core/trace/imbalance.ts';
import type { Recording } from '../core/trace/recording.ts';
import { eventsOf } from '../core/trace/recording-events.ts';
import type { HoldoutWindows } from './holdout.ts';

/** Share of a window that the next one repeats. */
const OVERLAP = 0.5;
/** Range of the severity of the faults put into degraded windows. */
const SEVERITY = [0.4, 1] as const;

export interface LoadedEvaluation {
  readonly network: Network;
  readonly windows: HoldoutWindows;
}

/**
 * @param paths trace files, data set folders or archives
 * @param seed of the faults in degraded windows
 * @throws AppError when one cannot be read, or none has a window with a label of the model
 */
export async function loadEvaluation(
  paths: readonly string[],
  spec: ModelSpec,
  windowSeconds: number,
  seed: number,
): Promise<LoadedEvaluation> {
  const windows: Window[] = [];
  const subjects: string[] = [];
  for (const path of paths) {
    const { recordings } = await openDataSet(path, '.');
    for (const recording of recordings) {
      const own = labelledWindows(recording, spec, windowSeconds);
      windows.push(...own);
      subjects.push(...own.map(() => recording.subject));
    }
  }
  if (windows.length === 0) {
    throw new AppError('data-format', "no recording has a window with one of the model's labels", {
      where: paths.join(', '),
      hint: `The model's classes are ${spec.classes.join(', ')}.`,
    });
  }
  return { network: await createNetworkCache()(spec), windows: { ...holdoutWindows(windows, spec, seed), subjects } };
}

function labelledWindows(recording: Recording, spec: ModelSpec, windowSeconds: number): Window[] {
  const windows: Window[] = [];
  const { modalities } = recording;
  const windower = createWindower(
    { modalities, wanted: spec.modalities, windowSeconds, overlap: OVERLAP },
    (window) => {
      if (window.label !== null && spec.classes.includes(window.label)) windows.push(window);
    },
  );
  for (const event of eventsOf(recording)) windower.push(event);
  windower.end();
  return windows;
}

function holdoutWindows(windows: readonly Window[], spec: ModelSpec, seed: number): HoldoutWindows {
  const widths = spec.modalities.map(({ channels }) => channels.length);
  const faults = { kinds: FAULT_KINDS, severity: SEVERITY, acStd: acStdOf(windows, widths) };
  const rng = createRng(`${seed}/holdout`);
  // As boards judge a sensor that was fine before it failed: the clean windows teach, the others are scored only.
  const judge = createQualityJudge({ modalities: spec.modalities });
  const toBatch = ({ values, label }: Window, quality: readonly number[]): BatchWindow => {
    return { values, quality, label: spec.classes.indexOf(label ?? '') };
  };
  const clean = windows.map((window) => toBatch(window, judge.judge(window).quality));
  const degradedIn = (name: string, m: number) =>
    degraded(windows, m, { ...faults, rng: rng.fork(name) }).map((window) =>
      toBatch(window, judge.score(window).quality),
    );
  return {
    clean,
    degraded: Object.fromEntries(spec.modalities.map(({ name }, m) => [name, degradedIn(name, m)])),
  };
}
