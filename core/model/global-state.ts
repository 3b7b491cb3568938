/** What the aggregator holds and broadcasts: the whole state of the fleet's model at one version. */
import type { Normalization } from '../qqr/normalization.ts';
import type { PrototypeSet } from '../qqr/prototype.ts';

export interface GlobalState {
  /** 0 before the first training round; +1 with every closed training round. */
  readonly version: number;
  /** Flat parameter vector, layout of `params.ts`. Never mutated. */
  readonly params: Float32Array;
  /** Persistent global prototypes P. */
  readonly prototypes: PrototypeSet;
  /** Null until round 0 has closed. */
  readonly normalization: Normalization | null;
}
