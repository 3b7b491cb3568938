/**
 * A fleet's model to take away: everything that a prediction needs, in one JSON file. Float32 arrays are base64, little-endian.
 * Parameters are the average over rounds that the aggregator tests with, not the last ones that boards train from.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../core/base/errors.ts';
import { paramLayout } from '../../core/model/params.ts';
import type { PredictSettings } from '../../core/model/predict.ts';
import type { ModelSpec } from '../../core/model/spec.ts';
import type { Normalization } from '../../core/qqr/normalization.ts';
import type { PrototypeSet } from '../../core/qqr/prototype.ts';
import type { FleetState } from '../../server/fleet-state.ts';
import type { ModelFile } from '../../server/model-file.ts';

export const SAVED_MODEL_FILE = 'qqr-model.json';

export interface SavedModel {
  /** Training rounds that it has seen. */
  readonly version: number;
  readonly spec: ModelSpec;
  readonly windowSeconds: number;
  readonly settings: PredictSettings;
  readonly params: Float32Array;
  readonly prototypes: PrototypeSet;
  /** T of predictions. */
  readonly temperature: number;
  readonly normalization: Normalization;
}

/** @throws AppError `input-missing` when the fleet has not learned anything yet, or keeps its models on the boards. */
export function savedModelFrom(
  { spec, windowSeconds, settings }: ModelFile,
  state: FleetState,
  where: string,
): SavedModel {
  if (!settings.shareModel) {
    throw new AppError('input-missing', 'every model stays on its board: the aggregator has none to export', { where });
  }
  if (state.normalization === null || state.version === 0) {
    throw new AppError('input-missing', 'no training round has closed yet: there is nothing to export', { where });
  }
  const { version, averaged: params, prototypes, temperature, normalization } = state;
  const { fill, fillTemperature, evidenceWeight, alignTemperature, gateWeight } = settings;
  const used = { fill, fillTemperature, evidenceWeight, alignTemperature, gateWeight };
  return { version, spec, windowSeconds, settings: used, params, prototypes, temperature, normalization };
}

export function savedModelText({ params, prototypes, normalization, ...facts }: SavedModel): string {
  const content = {
    format: 'qqr-model',
    ...facts,
    normalization: {
      mean: normalization.mean.map((values) => [...values]),
      std: normalization.std.map((values) => [...values]),
    },
    prototypes: { values: toBase64(prototypes.values), weight: [...prototypes.weight] },
    params: toBase64(params),
  };
  return `${JSON.stringify(content, null, 1)}\n`;
}

/** Reads an exported folder. Fails with `input-missing` or `data-format`. */
export async function readSavedModel(folder: string): Promise<SavedModel> {
  const where = join(folder, SAVED_MODEL_FILE);
  const text = await readFile(where, 'utf8').catch((cause) => {
    throw new AppError('input-missing', 'there is no exported model', {
      where,
      hint: 'give a folder that qqr model export has written',
      cause,
    });
  });
  const model = modelIn(text, where);
  const { spec, params, prototypes, normalization } = model;
  const sizes = [params.length, prototypes.values.length, prototypes.weight.length, normalization.mean.length];
  const cells = spec.modalities.length * spec.classes.length;
  const wanted = [paramLayout(spec).total, cells * spec.embedding, cells, spec.modalities.length];
  if (sizes.join() === wanted.join()) return model;
  throw new AppError('data-format', `the model holds ${sizes} numbers where its shape has ${wanted}`, { where });
}

function modelIn(text: string, where: string): SavedModel {
  try {
    const { format, prototypes, normalization, params, ...facts } = JSON.parse(text);
    if (format !== 'qqr-model') throw new Error(`its format is '${format}'`);
    const { spec } = facts as Pick<SavedModel, 'spec'>;
    return {
      ...facts,
      params: fromBase64(params),
      prototypes: {
        modalities: spec.modalities.length,
        classes: spec.classes.length,
        dim: spec.embedding,
        values: fromBase64(prototypes.values),
        weight: Float64Array.from(prototypes.weight),
      },
      normalization: {
        mean: normalization.mean.map((values: number[]) => Float32Array.from(values)),
        std: normalization.std.map((values: number[]) => Float32Array.from(values)),
      },
    };
  } catch (cause) {
    throw new AppError('data-format', `not an exported model: ${(cause as Error).message}`, { where, cause });
  }
}

function toBase64(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64');
}

function fromBase64(text: string): Float32Array {
  const bytes = Buffer.from(text, 'base64');
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}
