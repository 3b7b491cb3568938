/**
 * What a state folder's model is: shape, window and settings, beside the database, which holds the numbers alone. Written at every
 * start, so that the folder can be read by itself, without the settings that the aggregator was started with.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../core/base/atomic-file.ts';
import { AppError } from '../core/base/errors.ts';
import type { TrainSettings } from '../core/model/settings.ts';
import { type ModelSpec, shapeHash } from '../core/model/spec.ts';

export interface ModelFile {
  readonly spec: ModelSpec;
  readonly windowSeconds: number;
  readonly settings: TrainSettings;
}

/** Fails with `output-failed`. */
export async function writeModelFile(stateDir: string, file: ModelFile): Promise<void> {
  const content = { format: 'qqr-shape', shapeHash: shapeHash(file.spec), ...file };
  await writeFileAtomic(modelPath(stateDir), `${JSON.stringify(content, null, 2)}\n`);
}

/** Fails with `input-missing` when there is none, `data-format` when it is none. */
export async function readModelFile(stateDir: string): Promise<ModelFile> {
  const where = modelPath(stateDir);
  const text = await readFile(where, 'utf8').catch((cause) => {
    throw new AppError('input-missing', "the state folder does not say what its model's shape is", {
      where,
      hint: "give the aggregator's folder with --state; one of an earlier version needs its settings too: --config",
      cause,
    });
  });
  try {
    const { format, spec, windowSeconds, settings } = JSON.parse(text);
    if (format === 'qqr-shape' && spec && windowSeconds > 0 && settings) return { spec, windowSeconds, settings };
  } catch (cause) {
    throw new AppError('data-format', 'not a description of a model', { where, cause });
  }
  throw new AppError('data-format', 'not a description of a model', { where });
}

function modelPath(stateDir: string): string {
  return join(stateDir, 'model.json');
}
