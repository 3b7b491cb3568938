/** What a running aggregator evaluates on: labelled windows of recordings that no board plays, cut as boards cut them. */
import { AppError } from '../core/base/errors.ts';
import { loadBackend } from '../core/model/backend.ts';
import type { BatchWindow } from '../core/model/batch.ts';
import type { Network } from '../core/model/network.ts';
import { createNetwork } from '../core/model/network-tf.ts';
import type { ModelSpec } from '../core/model/spec.ts';
import { createWindower } from '../core/stream/windower.ts';
import { openDataSet } from '../core/trace/data-set.ts';
import type { Recording } from '../core/trace/recording.ts';
import { eventsOf } from '../core/trace/recording-events.ts';
import { type ServerConfig, specFrom } from './config.ts';
import type { HoldoutWindows } from './holdout.ts';

/** Share of a window that the next one repeats. */
const OVERLAP = 0.5;

export interface LoadedEvaluation {
  readonly network: Network;
  readonly windows: HoldoutWindows;
}

/** Null when the settings name no recordings. @throws AppError when one cannot be read, or none has a window with a label of the model. */
export async function loadEvaluation(config: ServerConfig): Promise<LoadedEvaluation | null> {
  const { holdout } = config.evaluation;
  if (holdout.length === 0) return null;
  const spec = specFrom(config);
  const clean: BatchWindow[] = [];
  for (const path of holdout) {
    const { recordings } = await openDataSet(path, '.');
    for (const recording of recordings) clean.push(...labelledWindows(recording, spec, config.model.windowSeconds));
  }
  if (clean.length === 0) {
    throw new AppError('data-format', "no recording has a window with one of the model's labels", {
      where: holdout.join(', '),
      hint: `The model's classes are ${spec.classes.join(', ')}.`,
    });
  }
  return { network: createNetwork(await loadBackend(), spec), windows: { clean, degraded: {} } };
}

function labelledWindows(recording: Recording, spec: ModelSpec, windowSeconds: number): BatchWindow[] {
  const windows: BatchWindow[] = [];
  const { modalities } = recording;
  const windower = createWindower({ modalities, wanted: spec.modalities, windowSeconds, overlap: OVERLAP }, (window) => {
    const label = window.label === null ? -1 : spec.classes.indexOf(window.label);
    const quality = window.values.map((values) => (values === null ? 0 : 1));
    if (label >= 0) windows.push({ values: window.values, quality, label });
  });
  for (const event of eventsOf(recording)) windower.push(event);
  windower.end();
  return windows;
}
