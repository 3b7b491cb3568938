/** What the aggregator holds and broadcasts: the whole state of the fleet's model at one version. */
import { createHash } from 'node:crypto';
import type { Normalization } from '../qqr/normalization.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';

export interface GlobalState {
  /** 0 before the first training round; +1 with every closed training round. */
  readonly version: number;
  /** Flat parameter vector, layout of `params.ts`. Never mutated. */
  readonly params: Float32Array;
  /** Persistent global prototypes P. */
  readonly prototypes: PrototypeSet;
  /** T of predictions (`calibration.ts`), within TEMPERATURE_RANGE; 1 before the first training round. */
  readonly temperature: number;
  /** Null until round 0 has closed. */
  readonly normalization: Normalization | null;
}

/** Least and greatest T. */
export const TEMPERATURE_RANGE = [1 / 16, 16] as const;

/** SHA-256 over version, parameters and known prototypes, hexadecimal: equal exactly when every bit is. */
export function digestOf({ version, params, prototypes }: GlobalState): string {
  const hash = createHash('sha256').update(String(version)).update(bytesOf(params));
  prototypes.weight.forEach((weight, cell) => {
    if (weight === 0) return;
    hash.update(`/${cell}/${weight}/`);
    hash.update(bytesOf(prototypes.values.subarray(cell * prototypes.dim, (cell + 1) * prototypes.dim)));
  });
  return hash.digest('hex');
}

function bytesOf(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
