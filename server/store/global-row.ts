/** FleetState ↔ its row in the database. */

import type { ModelSpec } from '../../core/model/spec.ts';
import type { Normalization } from '../../core/qqr/normalization.ts';
import type { FleetState } from '../fleet-state.ts';
import { bytesToFloat32, bytesToFloat64, floatsToBytes } from './blobs.ts';

export interface GlobalRow {
  readonly version: number;
  readonly params: Uint8Array;
  readonly averaged: Uint8Array;
  /** m, v (float32 each) and t; null where there are none. */
  readonly first_moment: Uint8Array | null;
  readonly second_moment: Uint8Array | null;
  readonly moment_steps: string | null;
  readonly temperature: number;
  readonly prototype_values: Uint8Array;
  readonly prototype_weight: Uint8Array;
  /** All modalities' channels one after another; null before round 0 has closed. */
  readonly mean: Uint8Array | null;
  readonly std: Uint8Array | null;
}

export function rowFromGlobal({
  version,
  params,
  averaged,
  moments,
  temperature,
  prototypes,
  normalization,
}: FleetState): GlobalRow {
  return {
    version,
    params: floatsToBytes(params),
    averaged: floatsToBytes(averaged),
    first_moment: moments && floatsToBytes(moments.first),
    second_moment: moments && floatsToBytes(moments.second),
    moment_steps: moments && JSON.stringify(moments.steps),
    temperature,
    prototype_values: floatsToBytes(prototypes.values),
    prototype_weight: floatsToBytes(prototypes.weight),
    mean: normalization && floatsToBytes(joined(normalization.mean)),
    std: normalization && floatsToBytes(joined(normalization.std)),
  };
}

export function globalFromRow(row: GlobalRow, spec: ModelSpec): FleetState {
  return {
    version: row.version,
    params: bytesToFloat32(row.params),
    averaged: bytesToFloat32(row.averaged),
    moments: momentsFrom(row),
    temperature: row.temperature,
    prototypes: {
      modalities: spec.modalities.length,
      classes: spec.classes.length,
      dim: spec.embedding,
      values: bytesToFloat32(row.prototype_values),
      weight: bytesToFloat64(row.prototype_weight),
    },
    normalization: normalizationFrom(row, spec),
  };
}

function momentsFrom({ first_moment, second_moment, moment_steps }: GlobalRow): FleetState['moments'] {
  if (first_moment === null || second_moment === null || moment_steps === null) return null;
  const steps = JSON.parse(moment_steps) as number[];
  return { first: bytesToFloat32(first_moment), second: bytesToFloat32(second_moment), steps };
}

function normalizationFrom({ mean, std }: GlobalRow, spec: ModelSpec): Normalization | null {
  if (mean === null || std === null) return null;
  const sizes = spec.modalities.map((modality) => modality.channels.length);
  return { mean: split(bytesToFloat32(mean), sizes), std: split(bytesToFloat32(std), sizes) };
}

function joined(parts: readonly Float32Array[]): Float32Array {
  return Float32Array.from(parts.flatMap((part) => [...part]));
}

function split(values: Float32Array, sizes: readonly number[]): Float32Array[] {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return values.slice(at - size, at);
  });
}
