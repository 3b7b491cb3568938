/**
 * What the prototypes alone say of a window. PLR makes every sensor a classifier of its own,
 *   p_m(c) = softmax_c( −‖z_m − P[m,c]‖² / (d·τ) ) ,
 * and the present ones' evidence adds up: Σ_m ln p_m(c). It takes no parameters but the prototypes and works with any subset of the
 * sensors. Plain arithmetic, no TensorFlow.
 */
import type { PrototypeSet } from './prototype.ts';

export interface EvidenceInput {
  /** Per modality `[N, d]`; not read where absent. */
  readonly embeddings: readonly Float32Array[];
  /** `[N, M]` 0 or 1. */
  readonly present: Float32Array;
  readonly prototypes: PrototypeSet;
  /** τ */
  readonly temperature: number;
}

/**
 * `[N, C]` Σ over present modalities of ln p_m(c), natural logarithm. A modality says of a class that it has no prototype of what it
 * would say knowing nothing, ln 1/C; 0 throughout where no modality is present.
 */
export function prototypeEvidence({ embeddings, present, prototypes, temperature }: EvidenceInput): Float64Array {
  const { modalities, classes } = prototypes;
  const evidence = new Float64Array((present.length / modalities) * classes);
  const scores = new Float64Array(classes);
  for (let row = 0; row < present.length; row++) {
    if (present[row] !== 1) continue;
    const m = row % modalities;
    const i = Math.floor(row / modalities);
    scoresOf(embeddings[m] as Float32Array, i, prototypes, m, temperature, scores);
    addLogSoftmax(scores, evidence, i * classes);
  }
  return evidence;
}

/** −‖z − P[m,c]‖² / (d·τ) into `scores` `[C]`; −∞ for a class without a prototype. */
function scoresOf(
  embeddings: Float32Array,
  i: number,
  { classes, dim, values, weight }: PrototypeSet,
  m: number,
  temperature: number,
  scores: Float64Array,
): void {
  for (let c = 0; c < classes; c++) {
    const cell = m * classes + c;
    let squares = 0;
    for (let k = 0; k < dim; k++) {
      squares += ((embeddings[i * dim + k] as number) - (values[cell * dim + k] as number)) ** 2;
    }
    scores[c] = (weight[cell] as number) > 0 ? -squares / (dim * temperature) : Number.NEGATIVE_INFINITY;
  }
}

function addLogSoftmax(scores: Float64Array, into: Float64Array, at: number): void {
  const nothing = -Math.log(scores.length);
  const most = Math.max(...scores);
  let total = 0;
  for (const score of scores) total += Math.exp(score - most);
  const logTotal = most + Math.log(total);
  scores.forEach((score, c) => {
    into[at + c] = (into[at + c] as number) + (score === Number.NEGATIVE_INFINITY ? nothing : score - logTotal);
  });
}
