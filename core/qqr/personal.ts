/**
 * Prototypes for one person: the fleet's, moved towards what the board has seen itself,
 *   P'[m,c] = (S[m,c] + n₀ P[m,c]) / (N[m,c] + n₀) ,   S ← γ S + Σ w z ,  N ← γ N + Σ w  over each round's labelled windows.
 * They never leave the board and teach nothing: they have their say in its own predictions (`evidence.ts`).
 */
import type { PrototypeSet } from './prototype.ts';

/** γ: embeddings move as the model learns, so old sums fade, half of them in seven rounds. */
const MEMORY = 0.9;

/**
 * A board's own sums `[M, C, d + 1]` after a round: Σ w z, then Σ w, per modality and class.
 * @param own before; undefined or of another shape: nothing yet
 * @param round the round's local prototypes
 */
export function addOwn(own: Float32Array | undefined, round: PrototypeSet): Float32Array {
  const { dim } = round;
  const cells = round.weight.length;
  const sums = own?.length === cells * (dim + 1) ? own.map((sum) => MEMORY * sum) : new Float32Array(cells * (dim + 1));
  round.weight.forEach((weight, cell) => {
    if (weight === 0) return;
    const at = cell * (dim + 1);
    for (let k = 0; k < dim; k++) {
      sums[at + k] = (sums[at + k] as number) + weight * (round.values[cell * dim + k] as number);
    }
    sums[at + dim] = (sums[at + dim] as number) + weight;
  });
  return sums;
}

/**
 * The fleet's prototypes mixed with the board's own.
 * @param own as `addOwn` gives it; undefined or of another shape: the fleet's stay as they are
 * @param prior n₀ > 0: what the fleet's count, in windows
 */
export function personalPrototypes(fleet: PrototypeSet, own: Float32Array | undefined, prior: number): PrototypeSet {
  const { dim } = fleet;
  if (own?.length !== fleet.weight.length * (dim + 1)) return fleet;
  const values = fleet.values.slice();
  const weight = fleet.weight.slice();
  fleet.weight.forEach((known, cell) => {
    const at = cell * (dim + 1);
    const seen = own[at + dim] as number;
    if (seen === 0) return;
    const pull = known > 0 ? prior : 0;
    weight[cell] = known + seen;
    for (let k = 0; k < dim; k++) {
      const shared = pull === 0 ? 0 : pull * (fleet.values[cell * dim + k] as number);
      values[cell * dim + k] = ((own[at + k] as number) + shared) / (seen + pull);
    }
  });
  return { ...fleet, values, weight };
}
